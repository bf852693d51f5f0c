/*
 * duet client, duet server and duet run: a tunnel that options describe, or many from a file.
 *
 * The settings are read here; what serves them is tools/tunnel/service.c.
 */
#include "commands.h"
#include "log.h"
#include "service.h"

#define CLIENT_AND_SERVER                                                                          \
    "Example: the program speaks plaintext to the client, and the server to the service:\n"        \
    "    server$ duet server -k secret.key --listen :4000 --target 127.0.0.1:5432\n"               \
    "    client$ duet client -k secret.key --listen 127.0.0.1:5432 --target server:4000\n"         \
    "An ADDRESS is HOST:PORT, [V6]:PORT, :PORT to listen everywhere, unix:PATH or fd:N.\n"

static int
run_from_options(enum tunnel_side side)
{
    struct settings *settings;
    int code = service_prepare();

    if (code == EXIT_DONE)
        code = settings_from_options(&settings, side);
    return code == EXIT_DONE ? service_run(settings) : code;
}

static int
run_client(struct options *o)
{
    (void)o;
    return run_from_options(TUNNEL_CLIENT);
}

static int
run_server(struct options *o)
{
    (void)o;
    return run_from_options(TUNNEL_SERVER);
}

static int
run_file(struct options *o)
{
    struct settings *settings;

    int code = o->check ? EXIT_DONE : service_prepare();
    if (code == EXIT_DONE)
        code = settings_load(&settings, o->config);
    if (code != EXIT_DONE)
        return code;
    if (!o->check)
        return service_run(settings);
    code = settings_check_exposure(settings);
    if (code == EXIT_DONE)
        log_verbose("%s: %zu tunnel%s, no errors", printable(o->config), settings->tunnel_count,
                    settings->tunnel_count == 1 ? "" : "s");
    settings_free(settings);
    return code;
}

const struct command cmd_client = {
    .name = "client",
    .user = FOR_CLIENT,
    .usage = "-k FILE --listen ADDRESS --target PEER",
    .about = "Forward plaintext connections through encrypted channels to a duet server.",
    .notes = CLIENT_AND_SERVER,
    .run = run_client,
};

const struct command cmd_server = {
    .name = "server",
    .user = FOR_SERVER,
    .usage = "-k FILE --listen ADDRESS --target ADDRESS",
    .about = "Accept channels from duet clients, and forward them to a plaintext service.",
    .notes = CLIENT_AND_SERVER,
    .run = run_server,
};

const struct command cmd_run = {
    .name = "run",
    .user = FOR_RUN,
    .usage = "[-c FILE] [--check]",
    .about = "Run the tunnels of a configuration file; see duet.conf(5).",
    .notes = "Example of a configuration file:\n"
             "    [Global]\n"
             "    control = /run/duet/control\n\n"
             "    [Tunnel database]\n"
             "    side = server\n"
             "    listen = :4000\n"
             "    target = 127.0.0.1:5432\n"
             "    key = secret.key\n\n"
             "duet ctl reload reads the file and its keys again; no connection is dropped.\n",
    .run = run_file,
};
