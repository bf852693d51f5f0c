/*
 * The way to a peer through a proxy: SOCKS5 (RFC 1928, 1929) or HTTP's CONNECT (RFC 9110 §9.3.6).
 * The proxy resolves the peer's name. The dialogue never waits by itself; the tunnel drives it from
 * its loop, a command by route_dial().
 */
#ifndef DUET_TOOL_PROXY_ROUTE_H
#define DUET_TOOL_PROXY_ROUTE_H

#include "dial.h"

#include <stddef.h>

enum route_kind { ROUTE_DIRECT, ROUTE_SOCKS5, ROUTE_HTTP };

enum { ROUTE_WORD = 256 }; /* bytes of a name or a password, with its NUL */

/** A proxy. All zero: none. */
struct proxy_route {
    enum route_kind kind;
    char address[300]; /* host:port of the proxy */
    char user[ROUTE_WORD], password[ROUTE_WORD];
};

/** What is wrong with socks5://HOST:PORT or http://HOST:PORT, as a sentence; NULL: nothing. */
const char *route_fault(const char *url);

/** Read a proxy's URL (NULL: there is none) and the file with its credentials (NULL: none): a line
 * with the name, and one with the password. Returns an exit code, its message printed. */
int route_load(struct proxy_route *route, const char *url, const char *credentials);

/** Wipe the credentials. */
void route_wipe(struct proxy_route *route);

/** A dialogue with a proxy. */
struct route_dialogue;

/** Begin one, to reach a peer, "host:port". Returns NULL without memory, or where the peer's
 * address is none for a proxy. */
struct route_dialogue *route_begin(const struct proxy_route *route, const char *peer);
void route_free(struct route_dialogue *dialogue); /**< wipes; NULL is fine */

enum route_result { ROUTE_DONE, ROUTE_READS, ROUTE_WRITES, ROUTE_FAILED };

/** Go on as far as the descriptor allows, which takes and gives no byte that is not the dialogue's.
 * ROUTE_READS and ROUTE_WRITES: what it waits for. */
enum route_result route_step(struct route_dialogue *dialogue, int fd);

/** Why it failed: a sentence, valid until route_free(). */
const char *route_reason(const struct route_dialogue *dialogue);

/** Dial a peer, waiting for timeout_ms at most in each step: directly where url is NULL. Returns an
 * exit code, its message printed; dialled as dial_address() leaves it. */
int route_dial(struct dialled *dialled, const char *url, const char *credentials, const char *peer,
               int timeout_ms);

#endif
