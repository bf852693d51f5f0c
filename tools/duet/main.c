/*
 * duet: a private, authenticated channel between two peers that share a secret, as a command.
 *
 * Finds the subcommand and hands over. Before that: no core dumps, no SIGPIPE, and no socket that
 * takes the place of a standard stream.
 */
#include "commands.h"
#include "os/os.h"
#include "say.h"

#include <duet/duet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = {
    &cmd_keygen, &cmd_key, &cmd_pipe, &cmd_send,  &cmd_recv,    &cmd_client,  &cmd_server,
    &cmd_run,    &cmd_ctl, &cmd_ping, &cmd_bench, &cmd_explain, &cmd_version,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

/** A standard stream that is closed gets a descriptor on which every use fails, as it should. */
static void
fill_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

static int
help(void)
{
    puts("duet: a private, authenticated channel between two peers that share a secret\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  duet %-8s %s\n", commands[i]->name, commands[i]->about);
    puts("\nduet SUBCOMMAND --help tells its options; the manual is duet(1).");
    return finish_output(EXIT_DONE);
}

int
main(int argc, const char **argv)
{
    fill_standard_streams();
    signal(SIGPIPE, SIG_IGN);
    if (duet__os_no_dumps() != 0)
        warn("core dumps could not be turned off");
    if (argc < 2)
        return fail(EXIT_USAGE, "no subcommand; see duet --help");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 ||
        strcmp(argv[1], "help") == 0)
        return help();
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return options_run(commands[i], argc - 1, argv + 1);
    return fail(EXIT_USAGE, "%s: %s; see duet --help", shown(argv[1]),
                argv[1][0] == '-' ? "unknown option, as options follow a subcommand"
                                  : "no such subcommand");
}
