/*
 * What the control socket answers: one text for one request.
 *
 * An answer begins with the line "ok", or "error CODE REASON" with an exit code; what follows "ok"
 * is a JSON object on each line for status and sessions, Prometheus' text for metrics, a word for
 * health, and nothing for the rest.
 */
#ifndef DUET_TUNNEL_ANSWER_H
#define DUET_TUNNEL_ANSWER_H

#include "request.h"
#include "service.h"

#include <stddef.h>

/** Do what is asked, and make the answer. text: out, to be freed; NULL: no memory. */
void answer(struct service *service, const struct request *request, char **text, size_t *size);

#endif
