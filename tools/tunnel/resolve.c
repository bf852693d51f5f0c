/*
 * Resolving a name off the loop (see resolve.h). Addresses in digits need no lookup: connect.c
 * reads these by itself.
 */
#include "resolve.h"

#include <stdlib.h>

struct lookup {
    uv_getaddrinfo_t request;
    lookup_done *done; /* NULL: cancelled */
    void *context;
};

static void
lookup_finished(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = request->data;

    if (lookup->done != NULL)
        lookup->done(lookup->context, status, status == 0 ? list : NULL);
    else
        uv_freeaddrinfo(list);
    free(lookup);
}

int
lookup_start(struct lookup **lookup, uv_loop_t *loop, const char *host, const char *port,
             lookup_done *done, void *context)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct lookup *l = calloc(1, sizeof *l);

    if (l == NULL)
        return UV_ENOMEM;
    l->request.data = l;
    l->done = done;
    l->context = context;
    int result = uv_getaddrinfo(loop, &l->request, lookup_finished, host, port, &hints);
    if (result == 0)
        *lookup = l;
    else
        free(l);
    return result;
}

void
lookup_cancel(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    lookup->done = NULL;
    (void)uv_cancel((uv_req_t *)&lookup->request); /* lookup_finished() releases it */
}
