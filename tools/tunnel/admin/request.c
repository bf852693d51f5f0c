/*
 * Requests (see request.h). What they do is in answer.c.
 */
#include "request.h"

#include "values.h"

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

int
request_parse(struct request *request, const char *line, size_t size, const char **why)
{
    const char *space = memchr(line, ' ', size);
    size_t word = space != NULL ? (size_t)(space - line) : size;
    char number[REQUEST_MOST + 1];

    *request = (struct request){REQUESTS, 0};
    *why = "the request is too long";
    if (size > REQUEST_MOST)
        return -1;
    for (unsigned i = 0; i < REQUESTS; i++)
        if (strlen(rows[i].word) == word && memcmp(line, rows[i].word, word) == 0) /* public */
            request->kind = (enum request_kind)i;
    *why = "there is no such request";
    if (request->kind == REQUESTS)
        return -1;
    *why = "kill takes a connection's number, the others take nothing";
    if ((*rows[request->kind].argument != 0) != (space != NULL))
        return -1;
    if (space == NULL)
        return 0;
    memcpy(number, space + 1, size - word - 1);
    number[size - word - 1] = 0;
    if (strlen(number) != size - word - 1)
        return -1;
    return parse_number(&request->id, number, 0, INT64_MAX);
}
