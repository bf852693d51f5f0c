/*
 * Requests (see request.h). What they do is in answer.c.
 */
#include "request.h"

#include "values.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_ROW(name, word, argument, for_one) {word, argument, for_one},
static const struct {
    const char *word, *argument;
    int is_for_one;
} rows[REQUESTS] = {REQUEST_ROWS(REQUEST_ROW)};

const char *
request_name(enum request_kind kind)
{
    return rows[kind].word;
}

const char *
request_argument(enum request_kind kind)
{
    return rows[kind].argument;
}

int
request_is_for_one(enum request_kind kind)
{
    return rows[kind].is_for_one;
}

/** Read which connections are meant: a number, or what they have in common. Returns 0, or -1. */
static int
parse_which(struct kill_request *kill, const char *text)
{
    static const struct {
        const char *word;
        enum kill_by by;
    } words[] = {{"tunnel=", KILL_TUNNEL}, {"secret=", KILL_SECRET}, {"identity=", KILL_IDENTITY}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t size = strlen(words[i].word);
        if (strncmp(text, words[i].word, size) != 0)
            continue;
        kill->by = words[i].by;
        memcpy(kill->value, text + size, strlen(text + size) + 1);
        return kill->value[0] != 0 ? 0 : -1;
    }
    kill->by = KILL_ID;
    return parse_number(&kill->id, text, 0, INT64_MAX);
}

int
request_parse(struct request *request, const char *line, size_t size, const char **why)
{
    const char *space = memchr(line, ' ', size);
    size_t word = space != NULL ? (size_t)(space - line) : size;
    char which[REQUEST_MOST + 1];

    memset(request, 0, sizeof *request);
    request->kind = REQUESTS;
    *why = "the request is too long";
    if (size > REQUEST_MOST)
        return -1;
    for (unsigned i = 0; i < REQUESTS; i++)
        if (strlen(rows[i].word) == word && memcmp(line, rows[i].word, word) == 0) /* public */
            request->kind = (enum request_kind)i;
    *why = "there is no such request";
    if (request->kind == REQUESTS)
        return -1;
    *why = "kill takes a connection's number, or tunnel=, secret= or identity=, the others take "
           "nothing";
    if ((*rows[request->kind].argument != 0) != (space != NULL))
        return -1;
    if (space == NULL)
        return 0;
    memcpy(which, space + 1, size - word - 1);
    which[size - word - 1] = 0;
    return strlen(which) == size - word - 1 ? parse_which(&request->kill, which) : -1;
}

void
request_which(char out[REQUEST_MOST + 1], const struct kill_request *kill)
{
    static const char *const words[] = {
        [KILL_TUNNEL] = "tunnel=", [KILL_SECRET] = "secret=", [KILL_IDENTITY] = "identity="};

    if (kill->by == KILL_ID)
        snprintf(out, REQUEST_MOST + 1, "%llu", (unsigned long long)kill->id);
    else
        snprintf(out, REQUEST_MOST + 1, "%s%.*s", words[kill->by], REQUEST_MOST - 16, kill->value);
}

void
request_folder(char out[REQUEST_PATH], const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;

    if (slash == NULL)
        snprintf(out, REQUEST_PATH, ".");
    else if (size == 0)
        snprintf(out, REQUEST_PATH, "/");
    else
        snprintf(out, REQUEST_PATH, "%.*s", (int)size, path);
}
