/*
 * duet server: a listener for channels, whose connections go on to a plain target.
 */
#include "commands.h"
#include "log.h"
#include "service.h"

static int
run(struct options *o)
{
    struct settings *settings;

    (void)o;
    int code = settings_from_options(&settings, TUNNEL_SERVER);
    return code == EXIT_DONE ? service_run(settings) : code;
}

const struct command cmd_server = {
    .name = "server",
    .user = FOR_SERVER,
    .usage = "-k FILE --listen ADDRESS --target ADDRESS",
    .about = "Channels in, plain connections to a target out.",
    .run = run,
};
