/*
 * What the control socket answers: one text for one request.
 *
 * An answer begins with the line "ok", or "error CODE REASON" with an exit code. After "ok" comes a
 * JSON object a line for status and sessions, Prometheus' text for metrics, a word for health,
 * and nothing for the others.
 */
#ifndef DUET_TUNNEL_ANSWER_H
#define DUET_TUNNEL_ANSWER_H

#include "request.h"
#include "view.h"

#include <stddef.h>

/** Do what a line asks for. Returns the answer, to be freed, and its size; NULL: no memory. */
char *answer(struct admin_view *view, const char *line, size_t line_size, size_t *size);

#endif
