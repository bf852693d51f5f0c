/*
 * duet: a private, authenticated channel between two peers that share a secret, as a command.
 *
 * Finds the subcommand and hands over. Before that: no core dumps, no SIGPIPE, no socket that takes
 * the place of a standard stream, and no UTF-8 to a terminal that would take it for control
 * characters.
 */
#include "commands.h"
#include "log.h"
#include "os/environment.h"
#include "os/os.h"
#include "program.h"
#include "stdio_check.h"
#include "suggest.h"

#include <duet/duet.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &cmd_keygen, &cmd_key, &cmd_pipe, &cmd_send,  &cmd_recv,    &cmd_client,  &cmd_server,
    &cmd_run,    &cmd_ctl, &cmd_ping, &cmd_probe, &cmd_explain, &cmd_version,
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int
print_help(void)
{
    puts("duet: a private, authenticated channel between two peers that share a secret\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  duet %-8s %s\n", commands[i]->name, commands[i]->about);
    puts("\nduet SUBCOMMAND --help prints its options. The manual is duet(1).");
    return finish_output(EXIT_DONE);
}

static int
is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "-?") == 0 ||
           strcmp(word, "help") == 0;
}

static int
no_such_subcommand(const char *word)
{
    struct suggestion guess = {.word = word, .size = strlen(word)};

    if (word[0] == '-')
        return log_error(EXIT_USAGE,
                         "%s: unknown option, as options follow a subcommand; see duet --help",
                         printable_word(word));
    if (strcmp(word, "bench") == 0)
        return log_error(
            EXIT_USAGE,
            "bench is now the program duet-bench, which cmake builds with -DDUET_BENCH=ON");
    for (size_t i = 0; i < COMMANDS; i++)
        suggest_try(&guess, commands[i]->name);
    return log_error(EXIT_USAGE, "%s: no such subcommand%s; see duet --help", printable_word(word),
                     suggest_text(&guess, ""));
}

/** A DUET_KERNEL that is not in use is an error: what was measured or audited would be another. */
static int
check_kernel(void)
{
    const char *wanted = duet__os_environment("DUET_KERNEL");
    const char *used = wanted != NULL ? duet_kernel_name() : "";

    if (wanted == NULL || strcmp(wanted, used) == 0)
        return EXIT_DONE;
    return log_error(EXIT_USAGE,
                     "DUET_KERNEL=%s: there is no such kernel, or this processor cannot run it; "
                     "unset it to choose the fastest",
                     printable(wanted));
}

int
main(int argc, const char **argv)
{
    stdio_fill();
    program_started(argv);
    setlocale(LC_CTYPE, "");
    log_ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* write() reports a file that may not grow */
    if (duet__os_no_dumps() != 0)
        log_warning("core dumps could not be turned off");
    if (argc < 2)
        return log_error(EXIT_USAGE, "no subcommand; see duet --help");
    if (is_help(argv[1])) {
        if (argc == 2)
            return print_help();
        argv[1] = argv[2]; /* duet help SUBCOMMAND */
        argv[2] = "--help";
        argc = 3;
    }
    if (check_kernel() != EXIT_DONE)
        return EXIT_USAGE;
    if (strcmp(argv[1], "--version") == 0)
        argv[1] = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            return options_run(commands[i], argc - 1, argv + 1);
    return no_such_subcommand(argv[1]);
}
