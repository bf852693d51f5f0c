/*
 * Requests (see request.h).
 */
#include "request.h"

#include "values.h"

#include <string.h>

static const char *const names[REQUESTS] = {"status", "sessions", "reload", "drain",
                                            "kill",   "metrics",  "health"};

const char *
request_name(enum request_kind kind)
{
    return names[kind];
}

int
request_parse(struct request *request, const char *line, size_t size, const char **why)
{
    char text[REQUEST_MOST + 1];

    *request = (struct request){REQUESTS, 0};
    *why = "the request is too long";
    if (size > REQUEST_MOST)
        return -1;
    memcpy(text, line, size);
    text[size] = 0;
    char *number = strchr(text, ' ');
    if (number != NULL)
        *number++ = 0;
    for (unsigned i = 0; i < REQUESTS; i++)
        if (strlen(text) + (number != NULL ? strlen(number) + 1 : 0) == size &&
            strcmp(text, names[i]) == 0)
            request->kind = (enum request_kind)i;
    *why = "there is no such request";
    if (request->kind == REQUESTS)
        return -1;
    *why = "kill takes a connection's number, the others take nothing";
    if ((request->kind == REQUEST_KILL) != (number != NULL))
        return -1;
    return number == NULL ? 0 : parse_number(&request->id, number, 0, INT64_MAX);
}
