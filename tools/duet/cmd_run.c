/*
 * duet run: many tunnels from a configuration file; with --check only what is wrong with it.
 */
#include "commands.h"
#include "log.h"
#include "service.h"

static int
run(struct options *o)
{
    struct settings *settings;

    int code = settings_load(&settings, o->config);
    if (code != EXIT_DONE)
        return code;
    if (!o->check)
        return service_run(settings);
    log_verbose("%s: %zu tunnel%s, no errors", printable(o->config), settings->tunnel_count,
                settings->tunnel_count == 1 ? "" : "s");
    settings_free(settings);
    return EXIT_DONE;
}

const struct command cmd_run = {.name = "run",
                                .user = FOR_RUN,
                                .usage = "[-c FILE] [--check]",
                                .about = "Serve the tunnels of a configuration file.",
                                .run = run};
