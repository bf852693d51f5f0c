/*
 * The answer to a request for a target: to the program at a client's plain side, or to the client
 * at a server (see socks_request.h).
 *
 * A refusal is the last that is written there. The descriptor is left to linger.c then: closed at
 * once, it could be reset, and the answer lost.
 */
#include "connection.h"

#include "socks.h"

#include <sys/socket.h>

enum { LINGER_MS = 2000 };

/** Send the client its answer. Returns 0, or -1. */
static int
answer_client(struct connection *c, enum socks_reply reply)
{
    const uint8_t answer[SOCKS_ANSWER] = {1, (uint8_t)reply};
    size_t sent;

    if (c->channel == NULL || c->socks->is_answered)
        return -1;
    c->socks->is_answered = 1;
    int result =
        duet_channel_send_message(c->channel, TUNNEL_CODE_ANSWER, answer, sizeof answer, &sent, 0);
    return result == DUET_OK ? 0 : -1;
}

int
socks_answer_done(struct connection *c)
{
    int result = c->dials_plain ? answer_client(c, SOCKS_DONE)
                                : socks_opening_answer(c->socks, c->plain->fd, SOCKS_DONE);

    c->socks->is_served = result == 0;
    return result;
}

/** Write nothing more to one side, and leave it to linger.c. */
static void
leave_side(struct connection *c, struct endpoint **side)
{
    int fd = endpoint_detach(*side);

    *side = NULL;
    (void)shutdown(fd, SHUT_WR);
    linger_start(c->service, fd, LINGER_MS);
}

void
socks_answer_end(struct connection *c)
{
    int result = DUET_OK;

    if (c->socks == NULL || c->socks->is_served)
        return;
    c->socks->is_served = 1;
    if (!c->dials_plain && c->plain != NULL) {
        (void)socks_opening_answer(c->socks, c->plain->fd, (enum socks_reply)c->socks->reply);
        leave_side(c, &c->plain);
    } else if (c->dials_plain && c->duet != NULL &&
               answer_client(c, (enum socks_reply)c->socks->reply) == 0) {
        result = duet_channel_close(c->channel, 0);
        leave_side(c, &c->duet);
    }
    (void)result; /* the connection ends in any case */
}
