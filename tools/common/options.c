/*
 * The command line (see options.h): popt's tables are made of option_table, what popt hands back is
 * stored by option_values.c, and what goes wrong is reported with a hint.
 *
 * It does not know what the values are for.
 */
#include "options.h"

#include "log.h"
#include "passphrase.h"
#include "suggest.h"

#include <popt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_FIRST = 1000 }; /* popt's number of the table's first row; those below are letters */
enum { GIVEN_MOST = 1024 };

static const char *const subcommands[] = {"keygen", "pipe", "send", "recv",    "ping", "client",
                                          "server", "run",  "ctl",  "version", "probe"};
static const char *const headings[HEADINGS] = {
    "Options:", "Keys:", "Connection:", "Service:", "Output:"};

static const struct poptOption common_rows[] = {
    {"verbose", 'v', POPT_ARG_NONE, NULL, 'v', "Print more: who the peer is, and the receipts",
     NULL},
    {"quiet", 'q', POPT_ARG_NONE, NULL, 'q', "Print errors only", NULL},
    {"help", '?', POPT_ARG_NONE, NULL, 'h', "Print this help", NULL},
    {NULL, 'h', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, NULL, 'h', NULL, NULL},
    POPT_TABLEEND};

static struct options options;
static struct strlist values;
static const struct option *given[GIVEN_MOST];

int
options_given(size_t number, const struct option **option, const char **value)
{
    if (number >= values.count)
        return 0;
    *option = given[number];
    *value = values.at[number];
    return 1;
}

/* ---- Tables for popt ---- */

/** Make popt's row of one of ours. The help text ends with the default. */
static struct poptOption
make_row(const struct option *option)
{
    static char texts[OPTIONS_MOST][160];
    char *text = texts[option - option_table];

    if (option->about != NULL)
        snprintf(text, sizeof texts[0], "%s%s%s", option->about,
                 option->standard != NULL ? "; default " : "",
                 option->standard != NULL ? option->standard : "");
    unsigned kind = option->kind == OPTION_FLAG ? POPT_ARG_NONE : POPT_ARG_STRING;
    return (struct poptOption){.longName = option->name,
                               .shortName = option->letter,
                               .argInfo =
                                   option->about != NULL ? kind : kind | POPT_ARGFLAG_DOC_HIDDEN,
                               .val = ROW_FIRST + (int)(option - option_table),
                               .descrip = text,
                               .argDescrip = option->argument};
}

/** popt's tables want pointers that are not const, but does not change what they point to. */
static struct poptOption
include_table(const struct poptOption *rows, const char *title)
{
    union {
        const struct poptOption *from;
        void *to;
    } table = {rows};
    struct poptOption option = {NULL, 0, POPT_ARG_INCLUDE_TABLE, table.to, 0, title, NULL};
    return option;
}

/** Fill in the table of a subcommand: a table for each heading that has rows of it. */
static void
make_tables(struct poptOption out[HEADINGS + 2], unsigned user)
{
    static struct poptOption rows[OPTIONS_MOST + HEADINGS];
    size_t used = 0, tables = 0;

    memset(rows, 0, sizeof rows); /* a zero row ends a table */
    for (unsigned heading = 0; heading < HEADINGS; heading++) {
        size_t first = used;
        for (size_t i = 0; i < option_count; i++)
            if (option_table[i].heading == heading && (option_table[i].users & user) != 0)
                rows[used++] = make_row(&option_table[i]);
        if (used > first) {
            out[tables++] = include_table(&rows[first], headings[heading]);
            used++;
        }
    }
    out[tables++] = include_table(common_rows, "Common:");
    out[tables] = (struct poptOption)POPT_TABLEEND;
}

/* ---- What is given ---- */

/** Store an option that popt handed back; a flag's argument is NULL. Returns an exit code. */
static int
store_option(const struct command *command, int number, const char *argument)
{
    const struct option *option = &option_table[number - ROW_FIRST];
    const char *value = argument != NULL ? argument : "yes";
    char why[OPTION_WHY];

    if (values.count == GIVEN_MOST)
        return log_error(EXIT_USAGE, "--%s: too many options; use duet run -c FILE", option->name);
    given[values.count] = option;
    if (strlist_add(&values, value) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    if ((command->user & FOR_TUNNEL) != 0) /* tunnels are made of them later, and all at once */
        return EXIT_DONE;
    if (option_set(option, IN_COMMAND, &options, "", value, why) != 0)
        return log_error(EXIT_USAGE, "--%s %s: %s", option->name, printable_word(value), why);
    return EXIT_DONE;
}

/** What an option that this subcommand does not have is called here, or where it belongs. Returns
 * " (...)", or "". */
static const char *
find_elsewhere(const struct command *command, const char *word, size_t size)
{
    static char text[160];
    const char *joint = " (an option of duet ";
    unsigned users = 0;

    text[0] = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        int same = size == 1 ? word[0] == o->letter
                             : strlen(o->name) == size && strncmp(word, o->name, size) == 0;
        if (same && size > 1 && (o->users & command->user) != 0)
            return ""; /* it has the name; the dashes are wrong */
        users |= same ? o->users : 0;
        for (size_t j = 0; j < option_count && same && size == 1; j++)
            if (strcmp(option_table[j].name, o->name) == 0 &&
                (option_table[j].users & command->user) != 0) {
                snprintf(text, sizeof text, " (here it is --%s%s%s)", o->name,
                         option_table[j].argument != NULL ? " " : "",
                         option_table[j].argument != NULL ? option_table[j].argument : "");
                return text;
            }
    }
    for (size_t i = 0; i < sizeof subcommands / sizeof *subcommands; i++) {
        if ((users >> i & 1) == 0)
            continue;
        size_t end = strlen(text);
        snprintf(text + end, sizeof text - end, "%s%s", joint, subcommands[i]);
        joint = ", ";
    }
    size_t used = strlen(text);
    if (used > 0)
        snprintf(text + used, sizeof text - used, ")");
    return text;
}

static int
report_bad_option(poptContext context, const struct command *command, int error)
{
    const char *option = poptBadOption(context, POPT_BADOPTION_NOALIAS);
    const char *word = option + strspn(option, "-"), *hint = "";
    struct suggestion guess = {.word = word, .size = strcspn(word, "=")};

    if (error == POPT_ERROR_BADOPT)
        hint = find_elsewhere(command, word, guess.size);
    if (error == POPT_ERROR_BADOPT && *hint == 0 && guess.size > 1) { /* -x is near to all */
        for (size_t i = 0; i < option_count; i++)
            if ((option_table[i].users & command->user) != 0 && option_table[i].about != NULL)
                suggest_try(&guess, option_table[i].name);
        for (const struct poptOption *row = common_rows; row->longName != NULL; row++)
            suggest_try(&guess, row->longName);
        hint = suggest_text(&guess, "--");
    }
    return log_error(EXIT_USAGE, "%s: %s: %s%s; see duet %s --help", command->name,
                     printable_word(option), poptStrerror(error), hint, command->name);
}

static int
count_operands(const struct command *command)
{
    size_t n = 0;

    while (options.operands != NULL && options.operands[n] != NULL)
        n++;
    options.operand_count = n;
    if (n > command->most)
        return log_error(EXIT_USAGE, "%s: %s: unexpected argument; usage: duet %s %s",
                         command->name, printable_word(options.operands[command->most]),
                         command->name, command->usage);
    if (n < command->least)
        return log_error(EXIT_USAGE, "%s: missing argument; usage: duet %s %s", command->name,
                         command->name, command->usage);
    return EXIT_DONE;
}

static int
print_help(poptContext context, const struct command *command)
{
    printf("%s\n\n", command->about);
    poptPrintHelp(context, stdout, 0);
    if (command->notes != NULL)
        printf("\n%s", command->notes);
    return finish_output(EXIT_DONE);
}

/** Read all options. Returns an exit code, or -1 when the command may run. */
static int
read_options(poptContext context, const struct command *command)
{
    int got, code = EXIT_DONE;

    while (code == EXIT_DONE && (got = poptGetNextOpt(context)) != -1) {
        if (got < -1)
            return report_bad_option(context, command, got);
        if (got == 'h')
            return print_help(context, command);
        if (got == 'q')
            log_level = -1;
        else if (got == 'v')
            log_level += log_level >= 0;
        if (got < ROW_FIRST)
            continue;
        char *argument = poptGetOptArg(context);
        code = store_option(command, got, argument);
        free(argument);
    }
    options.operands = poptGetArgs(context);
    if (code == EXIT_DONE)
        code = count_operands(command);
    return code == EXIT_DONE ? -1 : code;
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
    struct poptOption table[HEADINGS + 2];
    const char **arguments = prepare_arguments(command, &argc, argv);

    if (arguments == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    option_free(IN_COMMAND, &options); /* a program may run several */
    strlist_free(&values);
    memset(&options, 0, sizeof options);
    option_defaults(IN_COMMAND, &options);
    make_tables(table, command->user);
    poptContext context = poptGetContext("duet", argc, arguments, table, 0);
    if (context == NULL) {
        free(arguments);
        return log_error(EXIT_LIMIT, "no memory");
    }
    poptSetOtherOptionHelp(context, command->usage);
    int code = read_options(context, command);
    if (code < 0 && options.passphrase_fd != NULL)
        passphrase_from((int)strtol(options.passphrase_fd, NULL, 10));
    if (code < 0)
        code = command->run(&options);
    poptFreeContext(context);
    free(arguments);
    return code;
}
