/*
 * Options by popt (see options.h): one table for each group, joined for each subcommand.
 */
#include "options.h"

#include "log.h"
#include "suggest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDSHAKE_MS = 10000, HANDSHAKE_MOST_MS = 29999, CONNECT_MS = 10000 };
enum { DRAIN_LEAST_MS = 30000, DRAIN_MOST_MS = 90000, CONNECTIONS = 256 };

struct options options;

enum { KEY = 1 }; /* what popt hands back */

static const struct poptOption keys_group[] = {
    {"key", 'k', POPT_ARG_STRING, NULL, KEY,
     "The shared secret's file; a listener takes several, or a folder of them", "FILE"},
    {"identity", 'i', POPT_ARG_STRING, &options.files.identity, 0, "This end's identity", "FILE"},
    {"peers", 0, POPT_ARG_STRING, &options.files.peers, 0, "The identities that are trusted",
     "FILE"},
    {"pattern", 0, POPT_ARG_STRING, &options.files.pattern, 0,
     "Default ephemeral, with -i identity", "secret|ephemeral|identity"},
    {"profile", 0, POPT_ARG_STRING, &options.files.profile, 0, "What the wire looks like", "FILE"},
    POPT_TABLEEND};

static const struct poptOption link_group[] = {
    {"listen", 'l', POPT_ARG_NONE, &options.listen, 0, "Listen, and take the first true peer",
     NULL},
    {"exec", 0, POPT_ARG_STRING, &options.exec, 0, "Speak with a command's standard streams",
     "CMD"},
    {"stdio", 0, POPT_ARG_NONE, &options.stdio, 0, "Speak on descriptors 0 and 1", NULL},
    {"top", 0, POPT_ARG_NONE, &options.top, 0, "Be TOP, who speaks first", NULL},
    {"bottom", 0, POPT_ARG_NONE, &options.bottom, 0, "Be BOTTOM", NULL},
    {"timeout", 0, POPT_ARG_STRING, &options.timeout, 0,
     "To connect (default 10), or to wait for a peer (default: for ever)", "SECONDS"},
    {"handshake-timeout", 0, POPT_ARG_STRING, &options.handshake_timeout, 0,
     "For a peer to prove itself; default 10, less than 30", "SECONDS"},
    {"idle-timeout", 0, POPT_ARG_STRING, &options.idle_timeout, 0,
     "Give up when nothing moves for so long; default: never", "SECONDS"},
    {"drain-timeout", 0, POPT_ARG_STRING, &options.drain_timeout, 0,
     "How long strangers are listened to, drawn once; default 30-90", "MIN-MAX"},
    {"max-connections", 0, POPT_ARG_STRING, &options.max_connections, 0,
     "Connections that a listener holds at a time; default 256", "N"},
    POPT_TABLEEND};

static const struct poptOption progress_group[] = {{"progress", 0, POPT_ARG_STRING,
                                                    &options.progress, 0, "How progress is shown",
                                                    "auto|plain|json|none"},
                                                   POPT_TABLEEND};

static const struct poptOption json_group[] = {
    {"json", 0, POPT_ARG_NONE, &options.json, 0, "Tell the outcome as JSON", NULL}, POPT_TABLEEND};

static const struct poptOption common_group[] = {
    {"verbose", 'v', POPT_ARG_NONE, NULL, 'v', "Say more", NULL},
    {"quiet", 'q', POPT_ARG_NONE, &options.quiet, 0, "Say errors only", NULL},
    {"help", '?', POPT_ARG_NONE, NULL, 'h', "Show this help", NULL},
    {NULL, 'h', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, NULL, 'h', NULL, NULL},
    POPT_TABLEEND};

int
parse_number(uint64_t *number, const char *text, uint64_t least, uint64_t most)
{
    *number = 0;
    if (*text == 0)
        return -1;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || *number > most / 10)
            return -1;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return *number >= least && *number <= most ? 0 : -1;
}

int
parse_seconds(int *ms, const char *text)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 6e4}, {"h", 36e5}};
    char *end;

    if (*text < '0' || *text > '9')
        return -1;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        double milliseconds = number * units[i].ms;
        if (!(milliseconds >= 0 && milliseconds <= 1e9))
            return -1;
        *ms = (int)(milliseconds + 0.5);
        return 0;
    }
    return -1;
}

static int
read_time(int *ms, const char *text, const char *name, int least)
{
    if (text == NULL)
        return EXIT_DONE;
    if (parse_seconds(ms, text) != 0 || *ms < least)
        return log_error(EXIT_USAGE, "--%s %s: not a number of seconds, such as 10 or 0.5", name,
                         printable_word(text));
    return EXIT_DONE;
}

static int
read_drain(void)
{
    char copy[64];
    int least, most;

    if (options.drain_timeout == NULL)
        return EXIT_DONE;
    snprintf(copy, sizeof copy, "%s", options.drain_timeout);
    char *dash = strchr(copy, '-');
    if (dash != NULL)
        *dash = 0;
    if (dash == NULL || parse_seconds(&least, copy) != 0 || parse_seconds(&most, dash + 1) != 0 ||
        least > most)
        return log_error(EXIT_USAGE, "--drain-timeout %s: not two numbers of seconds such as 30-90",
                         printable_word(options.drain_timeout));
    options.drain_least_ms = (uint32_t)least;
    options.drain_most_ms = (uint32_t)most;
    return EXIT_DONE;
}

static int
read_numbers(void)
{
    uint64_t connections = CONNECTIONS;

    options.timeout_ms = options.listen ? -1 : CONNECT_MS;
    options.handshake_ms = HANDSHAKE_MS;
    options.idle_ms = -1;
    options.drain_least_ms = DRAIN_LEAST_MS;
    options.drain_most_ms = DRAIN_MOST_MS;
    int code = read_time(&options.timeout_ms, options.timeout, "timeout", 1);
    if (code == EXIT_DONE)
        code = read_time(&options.handshake_ms, options.handshake_timeout, "handshake-timeout", 1);
    if (code == EXIT_DONE)
        code = read_time(&options.idle_ms, options.idle_timeout, "idle-timeout", 1);
    if (code == EXIT_DONE)
        code = read_drain();
    if (code != EXIT_DONE)
        return code;
    if (options.handshake_ms > HANDSHAKE_MOST_MS)
        return log_error(EXIT_USAGE,
                         "--handshake-timeout %s: it must be less than 30 seconds, as "
                         "listeners are silent towards strangers for longer",
                         options.handshake_timeout);
    if (options.max_connections != NULL &&
        parse_number(&connections, options.max_connections, 1, 100000) != 0)
        return log_error(EXIT_USAGE, "--max-connections %s: not a number from 1 to 100000",
                         printable_word(options.max_connections));
    options.connections = (unsigned)connections;
    return EXIT_DONE;
}

/** Take an option that popt handed back. Returns an exit code. */
static int
take(poptContext context, const struct command *command, int number)
{
    char *argument = poptGetOptArg(context);
    int code = EXIT_DONE;

    if (number == 'v')
        log_level++;
    else if (number != KEY)
        code = command->take(number, argument);
    else if (strlist_add(&options.files.keys, argument) != 0)
        code = log_error(EXIT_LIMIT, "no memory");
    free(argument);
    return code;
}

static int
show_help(poptContext context, const struct command *command)
{
    printf("%s\n\n", command->about);
    poptPrintHelp(context, stdout, 0);
    return finish_output(EXIT_DONE);
}

/** Try all names of a table and of those that it includes. */
static void
guess_option(struct suggestion *guess, const struct poptOption *table)
{
    for (; table->longName != NULL || table->shortName != 0 || table->arg != NULL; table++) {
        if ((table->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE)
            guess_option(guess, table->arg);
        else if (table->longName != NULL)
            suggest_try(guess, table->longName);
    }
}

static int
bad_option(poptContext context, const struct command *command, const struct poptOption *table,
           int error)
{
    const char *option = poptBadOption(context, POPT_BADOPTION_NOALIAS);
    struct suggestion guess = {.word = option};

    if (error == POPT_ERROR_BADOPT && strlen(option) > 2) { /* -l alone is near to all */
        guess.word = option + strspn(option, "-");
        guess.size = strcspn(guess.word, "=");
        guess_option(&guess, table);
    }
    return log_error(EXIT_USAGE, "%s: %s: %s%s; see duet %s --help", command->name,
                     printable_word(option), poptStrerror(error), suggest_text(&guess, "--"),
                     command->name);
}

static int
count_operands(const struct command *command)
{
    size_t n = 0;

    while (options.operands != NULL && options.operands[n] != NULL)
        n++;
    options.operand_count = n;
    if (n > command->most)
        return log_error(EXIT_USAGE, "%s: %s: one operand too many; it is duet %s %s",
                         command->name, printable_word(options.operands[command->most]),
                         command->name, command->usage);
    if (n < command->least)
        return log_error(EXIT_USAGE, "%s: too few operands; it is duet %s %s", command->name,
                         command->name, command->usage);
    return EXIT_DONE;
}

/** Read all options. Returns an exit code, or -1 when the command may run. */
static int
read_options(poptContext context, const struct command *command, const struct poptOption *table)
{
    int got, code;

    while ((got = poptGetNextOpt(context)) > 0) {
        if (got == 'h')
            return show_help(context, command);
        if ((code = take(context, command, got)) != EXIT_DONE)
            return code;
    }
    if (got < -1)
        return bad_option(context, command, table, got);
    if (options.quiet)
        log_level = -1;
    options.operands = poptGetArgs(context);
    code = count_operands(command);
    if (code == EXIT_DONE)
        code = read_numbers();
    return code == EXIT_DONE ? -1 : code;
}

/** popt's tables want pointers that are not const, and change nothing behind them. */
static struct poptOption
include(const struct poptOption *group, const char *title)
{
    union {
        const struct poptOption *from;
        void *to;
    } table = {group};
    struct poptOption option = {NULL, 0, POPT_ARG_INCLUDE_TABLE, table.to, 0, title, NULL};
    return option;
}

/** Popt takes a negative number for an option, unless "--" comes before it. Returns the arguments,
 * to be released; NULL: no memory. */
static const char **
prepare_arguments(const struct command *command, int *argc, const char **argv)
{
    static char name[32];
    const char **copy = calloc((size_t)*argc + 2, sizeof *copy);
    int n = 1, ended = 0; /* ended: options are, by "--" */

    if (copy == NULL)
        return NULL;
    snprintf(name, sizeof name, "duet %s", command->name);
    copy[0] = name; /* for the help */
    for (int i = 1; i < *argc; i++) {
        ended |= strcmp(argv[i], "--") == 0;
        if (command->numbers && !ended && argv[i][0] == '-' && argv[i][1] >= '0' &&
            argv[i][1] <= '9') {
            copy[n++] = "--";
            ended = 1;
        }
        copy[n++] = argv[i];
    }
    *argc = n;
    return copy;
}

int
options_run(const struct command *command, int argc, const char **argv)
{
    struct poptOption table[8];
    const char **arguments = prepare_arguments(command, &argc, argv);
    size_t n = 0;

    if (arguments == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    if (command->own != NULL)
        table[n++] = include(command->own, "Options:");
    if (command->more != NULL)
        table[n++] = include(command->more(), "Tunnel:");
    if (command->groups & OPTIONS_KEYS)
        table[n++] = include(keys_group, "Keys:");
    if (command->groups & OPTIONS_LINK)
        table[n++] = include(link_group, "Connection:");
    if (command->groups & OPTIONS_PROGRESS)
        table[n++] = include(progress_group, "Progress:");
    if (command->groups & OPTIONS_JSON)
        table[n++] = include(json_group, "Output:");
    table[n++] = include(common_group, "Common:");
    table[n] = (struct poptOption)POPT_TABLEEND;

    poptContext context = poptGetContext("duet", argc, arguments, table, 0);
    if (context == NULL) {
        free(arguments);
        return log_error(EXIT_LIMIT, "no memory");
    }
    poptSetOtherOptionHelp(context, command->usage);
    int code = read_options(context, command, table);
    if (code < 0)
        code = command->run(&options);
    poptFreeContext(context);
    free(arguments);
    return code;
}
