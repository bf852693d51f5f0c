/*
 * The head of an HTTP request for monitoring (see http.h), read from memory: only GET and HEAD of
 * three paths are known. A body is never read, as each connection ends with its first answer.
 */
#ifndef DUET_TUNNEL_HTTP_REQUEST_H
#define DUET_TUNNEL_HTTP_REQUEST_H

#include <stddef.h>

enum { HTTP_HEAD_MOST = 8192 }; /* bytes, the empty line at the end included */

enum http_path { HTTP_METRICS, HTTP_HEALTHZ, HTTP_READYZ, HTTP_PATHS };

struct http_request {
    enum http_path path; /* HTTP_PATHS: none of those */
    int is_head;
};

/** The statuses that are answered. */
enum http_status {
    HTTP_MORE = 0, /* none yet: the head is not complete */
    HTTP_OK = 200,
    HTTP_BAD = 400,
    HTTP_FORBIDDEN = 403,
    HTTP_NOT_FOUND = 404,
    HTTP_NO_METHOD = 405,
    HTTP_LATE = 408,
    HTTP_TOO_LARGE = 431,
    HTTP_NOT_READY = 503,
    HTTP_NO_VERSION = 505
};

/** Read what has come so far. any_host 0: the Host header must name this machine by an address or
 * as localhost, so that no name of a foreign page leads a browser here (DNS rebinding). Returns
 * HTTP_OK, or how to refuse; request->is_head holds for these too. */
enum http_status http_request_read(struct http_request *request, const char *text, size_t size,
                                   int any_host);

#endif
