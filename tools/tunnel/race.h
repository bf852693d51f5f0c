/*
 * The addresses of one target, raced as RFC 8305 says: in the order of dial_order(), each 250 ms
 * after the one before, or at once when that has failed. The first that answers is used.
 *
 * connect.c chooses the target and has the timer; see struct dial in connection.h.
 */
#ifndef DUET_TUNNEL_RACE_H
#define DUET_TUNNEL_RACE_H

#include <netdb.h>
#include <stdint.h>

struct connection;
struct dial;

enum racer_state {
    RACER_READY,  /* to be tried */
    RACER_TRYING, /* its connect(2) is under way */
    RACER_FAILED
};

/** One address. */
struct racer {
    struct sockaddr_storage at;
    socklen_t size;
    enum racer_state state;
    struct endpoint *endpoint; /* TRYING: its own */
};

/** What racing came to. */
enum race_result { RACE_FAILED, RACE_WAITS, RACE_WON };

/** The addresses of a target, those that failed lately last. Returns 0, or -1: no memory. */
int race_prepare(struct connection *connection, const struct addrinfo *list);

/** The same for a single address. */
int race_prepare_one(struct connection *connection, const struct sockaddr *at, socklen_t size);

/** Begin the next address. RACE_WAITS: some are under way; RACE_WON: the connection has its
 * endpoint; RACE_FAILED: no address is left, and dial->cause says why. */
enum race_result race_step(struct connection *connection);

/** Look at those under way after an event, and go on as race_step() does. */
enum race_result race_look(struct connection *connection);

/** Milliseconds until the next address is to begin, of those that are left; -1: there is none. */
int race_next_ms(const struct connection *connection, uint64_t left_ms);

/** Give up all that are under way or left: they did not answer. */
void race_give_up(struct connection *connection);

/** What was won is of no use: its address is not tried again. */
void race_lost(struct connection *connection);

/** Release the addresses, and close what is under way. */
void race_free(struct connection *connection);

#endif
