/*
 * duet run: many tunnels from a configuration file; with --check only what is wrong with it.
 */
#include "commands.h"
#include "log.h"
#include "service.h"

static char *file;
static int check;

static int
run(struct options *o)
{
    struct settings *settings;
    const char *path = file != NULL ? file : "/etc/duet/duet.conf";

    (void)o;
    int code = settings_load(&settings, path);
    if (code != EXIT_DONE)
        return code;
    if (!check)
        return service_run(settings);
    log_verbose("%s: %zu tunnel%s, and nothing wrong", printable(path), settings->tunnel_count,
                settings->tunnel_count == 1 ? "" : "s");
    settings_free(settings);
    return EXIT_DONE;
}

static const struct poptOption own[] = {
    {"config", 'c', POPT_ARG_STRING, &file, 0, "The file; default /etc/duet/duet.conf", "FILE"},
    {"check", 0, POPT_ARG_NONE, &check, 0, "Say every fault of the file and its keys, and end",
     NULL},
    POPT_TABLEEND};

const struct command cmd_run = {.name = "run",
                                .usage = "[-c FILE] [--check]",
                                .about = "Serve the tunnels of a configuration file.",
                                .own = own,
                                .run = run};
