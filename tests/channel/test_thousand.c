/*
 * A server of 1,000 sessions in one edge-triggered epoll, and its clients in the same loop: each
 * client sends bytes that the server echoes, over TCP on loopback, and both close.
 */
#include "channel/ends.h"
#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __linux__
#include <sys/epoll.h>

enum {
    SESSIONS = 1000,
    BYTES = 100000,
    PIECE = 30000,
    SPARE_DESCRIPTORS = 64,
    EVENTS = 256,
    HANGS_MS = 60000
};

static uint8_t pattern[BYTES];

struct node {
    duet_channel *channel;
    int fd, is_server;
    size_t sent, got;      /* bytes */
    uint8_t piece[PIECE];  /* of the server: what is to be echoed */
    size_t piece_size, at; /* bytes of it; those that are sent */
    int closed, ended;
};

static struct node *nodes; /* a client and its server side by side */
static duet_config *config;
static duet_replay *replay;

static int
is_done(const struct node *node)
{
    return node->closed && node->ended && !(duet_channel_state(node->channel) & DUET_WANT_WRITE);
}

/** Send what there is, then close. Returns 1 when the wire would block. */
static int
send_all(struct node *node)
{
    const uint8_t *data = node->is_server ? node->piece : pattern;
    size_t *at = node->is_server ? &node->at : &node->sent;
    size_t size = node->is_server ? node->piece_size : BYTES, n;
    int result = DUET_OK;

    if (*at < size) {
        result = duet_channel_send(node->channel, data + *at, size - *at, &n, 0);
        *at += n;
    } else if (!node->closed && (!node->is_server || node->ended)) {
        result = duet_channel_close(node->channel, 0);
        node->closed = result == DUET_OK;
    } else if (duet_channel_state(node->channel) & DUET_WANT_WRITE) {
        result = duet_channel_flush(node->channel, 0);
    }
    assert_true(result == DUET_OK || result == DUET_AGAIN);
    return result == DUET_AGAIN;
}

/** Receive once. The server takes no more than it can echo. */
static void
receive(struct node *node)
{
    size_t n;

    if (node->ended)
        return;
    int result = duet_channel_recv(node->channel, node->piece, PIECE, &n, 1, 0);
    assert_true(node->got + n <= BYTES);
    assert_memory_equal(node->piece, pattern + node->got, n);
    node->got += n;
    node->piece_size = n;
    node->at = 0;
    node->ended = result == DUET_CLOSED;
    assert_true(node->ended || result == DUET_OK || result == DUET_AGAIN);
}

/** An event has come: go on until only another one can help. */
static void
serve(struct node *node)
{
    const unsigned now = DUET_STATE_AGAIN_NOW | DUET_STATE_HAS_DATA;

    do {
        int blocked = send_all(node);
        if (node->is_server && blocked && node->at < node->piece_size)
            return; /* there is no room for more to echo until the wire takes this */
        receive(node);
        if (node->ended || (node->is_server && node->at < node->piece_size))
            send_all(node);
    } while (!node->ended && (duet_channel_state(node->channel) & now));
    if (node->ended && !node->closed)
        send_all(node);
}

static void
open_all(int epoll)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        struct node *two = &nodes[2 * i];
        ends_sockets(ENDS_TCP, &two[0].fd, &two[1].fd);
        two[1].is_server = 1;
        for (int k = 0; k < 2; k++) {
            struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                        .data.ptr = &two[k]};
            assert_int_equal(duet_channel_open(&two[k].channel, config, k == 0 ? NULL : replay,
                                               k == 0 ? DUET_TOP : DUET_BOTTOM, two[k].fd,
                                               two[k].fd),
                             DUET_OK);
            assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, two[k].fd, &event), 0);
        }
    }
}

static void
a_thousand_sessions(void **state)
{
    struct epoll_event events[EVENTS];
    size_t left = 2 * (size_t)SESSIONS;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)state;
    ends_fill(pattern, BYTES, 77);
    config = ends_config();
    replay = duet_replay_new(4 * (size_t)SESSIONS);
    nodes = calloc(left, sizeof *nodes);
    assert_true(replay != NULL && nodes != NULL && epoll >= 0);
    open_all(epoll);
    while (left > 0) {
        int count = epoll_wait(epoll, events, EVENTS, HANGS_MS);
        assert_true(count > 0); /* else it stalled */
        for (int i = 0; i < count; i++) {
            struct node *node = events[i].data.ptr;
            int done = is_done(node);
            if (!done)
                serve(node);
            left -= !done && is_done(node);
        }
    }
    for (size_t i = 0; i < 2 * (size_t)SESSIONS; i++) {
        assert_int_equal(nodes[i].got, BYTES);
        duet_channel_free(nodes[i].channel);
        close(nodes[i].fd);
    }
    close(epoll);
    free(nodes);
    duet_replay_free(replay);
    duet_config_free(config);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_thousand_sessions)};
    const rlim_t needed = 2 * SESSIONS + SPARE_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < needed)
        return 77;
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
    return 77; /* there is no epoll */
}

#endif
