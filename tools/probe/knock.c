/*
 * The connections of a probe (see knock.h): one loop of poll(2), no thread.
 *
 * The time of a connection counts from the begin of its connect, before which the listener cannot
 * begin to count; that of a live session from the changed frame, that of a client from the answer.
 */
#include "knock.h"

#include "dial.h"
#include "interrupt.h"
#include "os/os.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 16384, EXTRA = 16 };
enum { QUIET_US = 300000 }; /* after a client's first bytes */

struct knock *
knock_place(struct knocks *knocks)
{
    for (unsigned i = 0; i < KNOCKS_MOST && knocks->busy < knocks->most; i++)
        if (knocks->all[i].state == KNOCK_FREE)
            return &knocks->all[i];
    return NULL;
}

void
knock_begin(struct knocks *knocks, struct knock *knock, int fd, enum knock_state state)
{
    *knock = (struct knock){.state = state,
                            .fd = fd,
                            .try = &knocks->probe->tries[knocks->next++],
                            .since_us = duet__os_now_us()};
    knocks->busy++;
}

static void
knock_done(struct knocks *knocks, struct knock *knock, enum probe_end end)
{
    knock->try->end = end;
    knock->try->took_us = duet__os_now_us() - knock->since_us;
    live_free(knock->live);
    free(knock->bytes);
    close(knock->fd);
    *knock = (struct knock){.state = KNOCK_FREE, .fd = -1};
    knocks->busy--;
}

static int
is_live(const struct knocks *knocks, const struct knock *knock)
{
    return knocks->probe->kinds[knock->try->kind].group == PROBE_LIVE;
}

/** Send what is left, then FIN where the kind has it. */
static void
knock_send(struct knocks *knocks, struct knock *knock)
{
    struct probe_try *try = knock->try;

    while (knock->sent < try->length) {
        ssize_t n =
            send(knock->fd, knock->bytes + knock->sent, try->length - knock->sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            try->length = (uint32_t)knock->sent; /* reading says how it ended */
        if (n <= 0)
            return;
        knock->sent += (size_t)n;
    }
    if (knocks->probe->kinds[try->kind].fin)
        (void)shutdown(knock->fd, SHUT_WR);
}

/** The connection is there, or a client has spoken: send, and watch from now on. */
static void
knock_open(struct knocks *knocks, struct knock *knock)
{
    knock->bytes = probe_opening(knocks->probe, knock->try);
    if (knock->bytes == NULL) {
        knock_done(knocks, knock, PROBE_FAILED);
        return;
    }
    if (knock->state != KNOCK_CONNECTING)
        knock->since_us = duet__os_now_us();
    knock->state = KNOCK_WATCHING;
    knock_send(knocks, knock);
}

static void
knock_shake(struct knocks *knocks, struct knock *knock)
{
    int result = live_step(knock->live);
    size_t size = 0;

    if (result == DUET_AGAIN)
        return;
    if (result == DUET_OK)
        knock->bytes =
            live_bend(knock->live, knocks->probe->kinds[knock->try->kind].argument, &size);
    if (knock->bytes == NULL) {
        knock_done(knocks, knock, PROBE_FAILED);
        return;
    }
    knock->try->length = (uint32_t)size;
    knock->since_us = duet__os_now_us();
    knock->state = KNOCK_WATCHING;
    knock_send(knocks, knock);
}

static void
knock_connected(struct knocks *knocks, struct knock *knock)
{
    knock->try->connect_us = duet__os_now_us() - knock->since_us;
    if (dial_error(knock->fd) != 0) {
        knock_done(knocks, knock, PROBE_FAILED);
    } else if (is_live(knocks, knock)) {
        knock->live = live_new(knocks->probe->config, knock->fd);
        knock->state = KNOCK_SHAKING;
        if (knock->live == NULL)
            knock_done(knocks, knock, PROBE_FAILED);
        else
            knock_shake(knocks, knock); /* TOP speaks first */
    } else {
        knock_open(knocks, knock);
    }
}

/** Read what came. Returns 1 when it ended, and how. */
static int
knock_read(struct knock *knock, enum probe_end *end)
{
    uint8_t buffer[READ_SIZE];
    struct probe_try *try = knock->try;
    ssize_t n;

    while ((n = recv(knock->fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
        if (knock->state != KNOCK_WATCHING) { /* what a client opens with is no answer */
            knock->state = KNOCK_HEARD;
            knock->since_us = duet__os_now_us();
            continue;
        }
        if (try->back < PROBE_FIRST)
            memcpy(try->first + try->back, buffer,
                   (size_t)n < PROBE_FIRST - try->back ? (size_t)n : PROBE_FIRST - try->back);
        try->back += try->back < UINT32_MAX / 2 ? (uint32_t)n : 0;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    *end = n == 0 ? PROBE_FIN : PROBE_RST;
    return 1;
}

static void
knock_step(struct knocks *knocks, struct knock *knock, short events)
{
    enum probe_end end = PROBE_FAILED;

    if (knock->state == KNOCK_CONNECTING) {
        knock_connected(knocks, knock);
    } else if (knock->state == KNOCK_SHAKING) {
        knock_shake(knocks, knock);
    } else {
        if ((events & POLLOUT) != 0)
            knock_send(knocks, knock);
        if ((events & ~POLLOUT) == 0)
            return;
        if (knock_read(knock, &end))
            knock_done(knocks, knock, knock->state == KNOCK_WATCHING ? end : PROBE_FAILED);
    }
}

/** What is due by the clock. */
static void
knock_time(struct knocks *knocks, struct knock *knock, uint64_t now_us)
{
    uint64_t age_us = now_us > knock->since_us ? now_us - knock->since_us : 0;

    if (knock->state == KNOCK_HEARD && age_us >= QUIET_US)
        knock_open(knocks, knock);
    else if (knock->state != KNOCK_FREE && age_us >= (uint64_t)knocks->probe->timeout_ms * 1000)
        knock_done(knocks, knock, knock->state == KNOCK_WATCHING ? PROBE_OPEN : PROBE_FAILED);
}

static short
wanted(const struct knock *knock)
{
    if (knock->state == KNOCK_CONNECTING)
        return POLLOUT;
    if (knock->state == KNOCK_WATCHING && knock->sent < knock->try->length)
        return POLLIN | POLLOUT;
    return POLLIN;
}

void
knock_round(struct knocks *knocks, const int *listeners, unsigned count, int wait_ms)
{
    struct pollfd fds[KNOCKS_MOST + EXTRA];
    unsigned n = KNOCKS_MOST;

    for (unsigned i = 0; i < KNOCKS_MOST; i++)
        fds[i] = (struct pollfd){.fd = knocks->all[i].state != KNOCK_FREE ? knocks->all[i].fd : -1,
                                 .events = wanted(&knocks->all[i])};
    fds[n++] = (struct pollfd){.fd = interrupt_fd(), .events = POLLIN};
    for (unsigned i = 0; i < count && i < EXTRA - 1; i++)
        fds[n++] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
    int ready = poll(fds, n, wait_ms);
    uint64_t now_us = duet__os_now_us();
    for (unsigned i = 0; i < KNOCKS_MOST; i++) {
        struct knock *knock = &knocks->all[i];
        if (knock->state != KNOCK_FREE && ready > 0 && fds[i].revents != 0)
            knock_step(knocks, knock, fds[i].revents);
        knock_time(knocks, knock, now_us);
    }
}

void
knock_end_all(struct knocks *knocks)
{
    for (unsigned i = 0; i < KNOCKS_MOST; i++)
        if (knocks->all[i].state != KNOCK_FREE)
            knock_done(knocks, &knocks->all[i], PROBE_FAILED);
}
