/*
 * Fuzzes the reader of HTTP requests for monitoring: every status is one that it may have, a text
 * that is cut gives no answer that all of it does not, and a name is let in only where any is.
 */
#include "fuzz.h"
#include "http_request.h"

#include <string.h>

static int
is_status(enum http_status status)
{
    switch (status) {
    case HTTP_MORE:
    case HTTP_OK:
    case HTTP_BAD:
    case HTTP_FORBIDDEN:
    case HTTP_NOT_FOUND:
    case HTTP_NO_METHOD:
    case HTTP_TOO_LARGE:
    case HTTP_NO_VERSION:
        return 1;
    default:
        return 0;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request, other;
    const char *text = (const char *)data;

    if (size > HTTP_HEAD_MOST)
        size = HTTP_HEAD_MOST;
    enum http_status status = http_request_read(&request, text, size, 0);
    need(is_status(status));
    need(status != HTTP_OK || request.path < HTTP_PATHS);
    need(status != HTTP_MORE || size < HTTP_HEAD_MOST);
    need(status == HTTP_TOO_LARGE ? size == HTTP_HEAD_MOST : 1);
    enum http_status open = http_request_read(&other, text, size, 1);
    need(open == status || status == HTTP_FORBIDDEN);
    need(open != HTTP_FORBIDDEN && other.path == request.path && other.is_head == request.is_head);
    /* As it would come in two pieces: the first one is refused or wants more, unless it is whole. */
    enum http_status half = http_request_read(&other, text, size / 2, 0);
    need(half == HTTP_MORE || status == half);
    return 0;
}
