/*
 * duet explain: an error of the library's or an exit code, with its cause and cure.
 */
#include "commands.h"
#include "log.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct exit_line {
    const char *name;
    int number;
    const char *sentence, *cure;
} exit_lines[] = {
#define LINE(name, number, sentence, cure) {"EXIT_" #name, number, sentence, cure},
    EXITS(LINE)
#undef LINE
};

static const int results[] = {
#define NUMBER(name, number, kind, sentence, cure) number,
    DUET_RESULTS(NUMBER)
#undef NUMBER
};

/** 1 when the word names this, with or without DUET_, E_ or EXIT_, in any case. */
static int
word_names(const char *word, const char *name)
{
    static const char *const prefixes[] = {"", "DUET_", "DUET_E_", "EXIT_"};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        size_t size = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], size) == 0 && strcasecmp(word, name + size) == 0)
            return 1;
    }
    return 0;
}

static int
is_number(const char *word, int number)
{
    char *end;
    long value = strtol(word, &end, 10);
    return *word != 0 && *end == 0 && value == number;
}

static int
explain_word(const char *word)
{
    int found = 0;

    if (strcasecmp(word, "DUET_E_STRANGER") == 0) /* its name in 0.1.0 */
        word = "DUET_E_UNAUTHENTICATED";
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        const duet_result_info *info = duet_explain(results[i]);
        if (!word_names(word, info->name) && !(results[i] != 0 && is_number(word, results[i])))
            continue;
        printf("%s (%d): %s\n  %s\n", info->name, info->number, info->sentence, info->cure);
        found = 1;
    }
    for (size_t i = 0; i < sizeof exit_lines / sizeof *exit_lines; i++) {
        const struct exit_line *line = &exit_lines[i];
        if (!is_number(word, line->number) && !word_names(word, line->name))
            continue;
        printf("exit code %d: %s\n  %s\n", line->number, line->sentence, line->cure);
        found = 1;
    }
    return found ? EXIT_DONE
                 : log_error(EXIT_USAGE, "%s: no such error; duet explain lists them all",
                             printable(word));
}

static void
list_all(void)
{
    puts("Exit codes of the command:");
    for (size_t i = 0; i < sizeof exit_lines / sizeof *exit_lines; i++)
        printf("  %2d  %s\n", exit_lines[i].number, exit_lines[i].sentence);
    puts("\nResults of the library:");
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        const duet_result_info *info = duet_explain(results[i]);
        printf("  %3d  %-18s %s\n", info->number, info->name, info->sentence);
    }
}

static int
explain_run(struct options *o)
{
    int code = EXIT_DONE;

    if (o->operand_count == 0)
        list_all();
    else
        code = explain_word(o->operands[0]);
    return finish_output(code);
}

const struct command cmd_explain = {
    .name = "explain",
    .usage = "[NAME-OR-NUMBER]",
    .about = "Explain an error or an exit code: its cause and cure.",
    .most = 1,
    .numbers = 1,
    .run = explain_run,
};
