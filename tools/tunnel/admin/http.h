/*
 * HTTP for monitoring: /metrics, /healthz and /readyz on addresses of their own, which never mix
 * with those of tunnels. A small HTTP/1.1 server: GET and HEAD, one request for each connection,
 * few at a time, and with little time.
 */
#ifndef DUET_TUNNEL_HTTP_H
#define DUET_TUNNEL_HTTP_H

#include "view.h"

struct http;

/** Accept where the view's settings say, and nowhere else; connections go on. *http: NULL at first.
 * Returns an exit code, the cause logged: there is no memory. */
int http_renew(struct http **http, struct admin_view *view);

/** Accept nothing more; connections go on. NULL is fine. */
void http_drain(struct http *http);

/** Stop; the loop releases it. NULL is fine. */
void http_stop(struct http *http);

#endif
