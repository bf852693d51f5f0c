/*
 * A list of texts that grows (see strlist.h).
 */
#include "strlist.h"

#include <stdlib.h>
#include <string.h>

int
strlist_add(struct strlist *words, const char *text)
{
    char **at = realloc(words->at, (words->count + 1) * sizeof *at);

    if (at == NULL)
        return -1;
    words->at = at;
    at[words->count] = strdup(text);
    if (at[words->count] == NULL)
        return -1;
    words->count++;
    return 0;
}

void
strlist_free(struct strlist *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->at[i]);
    free(words->at);
    words->at = NULL;
    words->count = 0;
}
