/*
 * What the HTTP for monitoring answers: the metrics, that the process is alive, and whether the
 * service is ready.
 */
#ifndef DUET_TUNNEL_HTTP_ANSWER_H
#define DUET_TUNNEL_HTTP_ANSWER_H

#include "http_request.h"
#include "view.h"

#include <stdio.h>

/** Make the answer to a request that was read with this status. Returns it, to be freed, and its
 * size; NULL: no memory. */
char *http_answer(const struct admin_view *view, const struct http_request *request,
                  enum http_status status, size_t *size);

/** Print a line for each reason why the service is not ready. Returns how many. */
unsigned http_put_unready(FILE *out, const struct admin_view *view);

#endif
