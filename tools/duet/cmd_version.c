/*
 * duet version: what this is, and what it runs on.
 */
#include "commands.h"
#include "log.h"

#include <duet/duet.h>
#include <stdio.h>
#include <string.h>

static int
version_run(struct options *o)
{
    if (strcmp(duet_kernel_name(), "none") == 0)
        return log_error(EXIT_FAILED, "libcrypto has no AES-256-CTR or AES-256-GCM");
    if (o->json)
        printf("{\"version\": \"%s\", \"protocol\": 1, \"kernel\": \"%s\"}\n", duet_version(),
               duet_kernel_name());
    else
        printf("duet %s (protocol 1, kernel %s)\n", duet_version(), duet_kernel_name());
    return finish_output(EXIT_DONE);
}

const struct command cmd_version = {
    .name = "version",
    .user = FOR_VERSION,
    .usage = "[--json]",
    .about = "Print the versions of duet and its protocol, and the CPU kernel in use.",
    .run = version_run,
};
