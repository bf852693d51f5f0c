/*
 * duet client: a plain listener whose connections go through channels to a duet server.
 */
#include "commands.h"
#include "log.h"
#include "service.h"

static int
run(struct options *o)
{
    struct settings *settings;

    (void)o;
    int code = settings_from_options(&settings, TUNNEL_CLIENT);
    return code == EXIT_DONE ? service_run(settings) : code;
}

const struct command cmd_client = {
    .name = "client",
    .user = FOR_CLIENT,
    .usage = "-k FILE --listen ADDRESS --target PEER",
    .about = "Plain connections in, channels to a duet server out.",
    .run = run,
};
