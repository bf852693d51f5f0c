/*
 * Connections whose target a client's program asks for by SOCKS5: the states SOCKS, ASKING and
 * ASKED of connection.h. What is asked and answered is in socks_request.h.
 */
#ifndef DUET_TUNNEL_SOCKS_H
#define DUET_TUNNEL_SOCKS_H

struct connection;

/* ---- socks.c: a client's program asks for its target ---- */

/** An accepted plain connection: read what its program asks for. May end the connection. */
void socks_open(struct connection *connection);

/** A client's peer has authenticated: ask it for the target, if there was a request, then begin the
 * stream. May end the connection. */
void socks_begin(struct connection *connection);

/** A server's peer has authenticated: dial the target, once it was asked for where clients ask. May
 * end the connection. */
void socks_serve(struct connection *connection);

/** A server's target is reached: answer, if it was asked for, and begin the stream. May end the
 * connection. */
void socks_connected(struct connection *connection);

/** Events and timers of ASKING and ASKED. Each may end the connection. */
void socks_event(struct connection *connection);
void socks_timeout(struct connection *connection);

/* ---- socks_answer.c ---- */

/** Answer OK to the one that asked. Returns 0, or -1: it is gone. */
int socks_answer_done(struct connection *connection);

/** It ends: tell the one that asked, if it waits for an answer still, and leave that side to
 * linger.c, so that the answer is read. */
void socks_answer_end(struct connection *connection);

#endif
