/*
 * The seed's sections 1 and 4, sentence by sentence (the seed is the specification that this project
 * began from): two equal parties, their states, which part of the secret each uses, and whole frames
 * one after the other. Through the public API; docs/protocol.md §1 and §2 go on from it.
 */
#include "channel/ends.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { MUCH = 4 << 20 };

static uint8_t data[MUCH], had[MUCH];

/** Initiated ends; the application's data is a pattern. */
static void
begin(struct ends *ends, enum ends_wire wire)
{
    duet_config *config = ends_config();
    ends_open_with(ends, config, wire);
    ends_handshake(ends);
    ends_fill(data, sizeof data, 3);
    memset(had, 0, sizeof had);
}

/** Send n bytes by one channel and receive them by the other. */
static void
pass(duet_channel *from, duet_channel *to, size_t n)
{
    size_t sent, got;
    assert_int_equal(duet_channel_send(from, data, n, &sent, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(duet_channel_recv(to, had, n, &got, n, ENDS_PATIENCE), DUET_OK);
    assert_int_equal(got, n);
    assert_memory_equal(had, data, n);
}

/* 1: "two parties communicating via a socket with no distinction between them": whatever one of them
 * can do, the other can, in any order. */
static void
parties_are_equal(void **state)
{
    struct ends ends;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(&ends, ENDS_TCP);
        pass(i == 0 ? ends.top : ends.bottom, i == 0 ? ends.bottom : ends.top, 1000);
        pass(ends.bottom, ends.top, 2000);
        pass(ends.bottom, ends.top, 10);
        pass(ends.top, ends.bottom, 3000);
        ends_close(&ends);
    }
}

/* 1: "Each party can be involed in sending and receiving simultanuously": both have more to send than
 * the wire holds, and neither waits for the other to finish. */
static void
both_ways_at_once(void **state)
{
    struct ends ends;
    duet_exchange_io top = {.data = data, .size = MUCH, .buffer = had, .room = MUCH};
    static uint8_t other[MUCH];
    duet_exchange_io bottom = {.data = data, .size = MUCH, .buffer = other, .room = MUCH};
    int result[2] = {DUET_AGAIN, DUET_AGAIN};

    (void)state;
    begin(&ends, ENDS_DIRECT);
    while (result[0] != DUET_OK || result[1] != DUET_OK) {
        if (result[0] != DUET_OK)
            result[0] = duet_channel_exchange(ends.top, &top, 0);
        if (result[1] != DUET_OK)
            result[1] = duet_channel_exchange(ends.bottom, &bottom, 0);
        assert_true(result[0] == DUET_OK || result[0] == DUET_AGAIN);
        assert_true(result[1] == DUET_OK || result[1] == DUET_AGAIN);
    }
    assert_memory_equal(had, data, MUCH);
    assert_memory_equal(other, data, MUCH);
    ends_close(&ends);
}

/* 1: "A party that is sending is in a SEND state", "in a RECV state when in the process of receiving a
 * frame, or in a WAIT stage". 2: "there can be monitoring of the socket for 'wants to write'". */
static void
states_are_reported(void **state)
{
    struct ends ends;
    struct pollfd one = {.events = POLLOUT};
    size_t n, at = 0;
    const unsigned busy = DUET_STATE_SEND | DUET_STATE_RECV;

    (void)state;
    begin(&ends, ENDS_APART);
    assert_int_equal(duet_channel_state(ends.top) & busy, 0); /* WAIT */
    assert_int_equal(duet_channel_state(ends.bottom) & busy, 0);
    do {
        assert_true(at < MUCH);
        assert_int_equal(duet_channel_recv(ends.bottom, had, 10, &n, 1, 0), DUET_AGAIN);
        if (duet_channel_send(ends.top, data + at, 65536, &n, 0) == DUET_AGAIN)
            break;
        at += n;
    } while (!(duet_channel_state(ends.top) & DUET_STATE_SEND));
    assert_true(duet_channel_state(ends.top) & DUET_STATE_SEND);
    assert_true(duet_channel_state(ends.top) & DUET_WANT_WRITE);
    one.fd = ends.top_fd;
    assert_int_equal(poll(&one, 1, 0), 0); /* that is what it waits for */
    ends_carry(ends.top_far, ends.bottom_far, 30);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 16384, &n, 1, 0), DUET_AGAIN);
    assert_true(duet_channel_state(ends.bottom) & DUET_STATE_RECV);
    ends_close(&ends);
}

/* 1: "the implementation should not be multi-threaded (one process sending data while the other one is
 * receiving over the same socket)": a second process is refused, and the first goes on. */
static void
one_process_has_the_socket(void **state)
{
    struct ends ends;
    size_t n;
    pid_t child;
    int status;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int refused = duet_channel_send(ends.top, data, 10, &n, 0) == DUET_E_FORKED && n == 0 &&
                      duet_channel_recv(ends.top, had, 10, &n, 1, 0) == DUET_E_FORKED && n == 0;
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pass(ends.top, ends.bottom, 1000);
    pass(ends.bottom, ends.top, 1000);
    ends_close(&ends);
}

/** The first frame that a party of a preset session sends under a secret. */
static void
first_frame(uint8_t frame[64], const uint8_t secret[64], enum duet_role role)
{
    static const uint8_t salt[16];
    duet_config *config = duet_config_new();
    duet_session *session;

    assert_int_equal(duet_config_add_secret(config, secret, 64), DUET_OK);
    assert_int_equal(duet_session_new_preset(&session, config, role, salt, sizeof salt), DUET_OK);
    duet_config_free(config);
    assert_int_equal(duet_session_send(session, frame, 0, data, 40), DUET_OK);
    duet_session_free(session);
}

/* 1: "which part of the shared secret each party will use (the 'top' or 'bottom' of the shared secret
 * block)". */
static void
each_uses_its_half(void **state)
{
    uint8_t secret[64], changed[64], frame[64], other[64];

    (void)state;
    ends_fill(secret, sizeof secret, 5);
    for (size_t i = 0; i < sizeof secret; i++) {
        memcpy(changed, secret, sizeof changed);
        changed[i] ^= 1;
        first_frame(frame, secret, DUET_TOP);
        first_frame(other, changed, DUET_TOP);
        assert_int_equal(memcmp(frame, other, 64) != 0, i < 32);
        first_frame(frame, secret, DUET_BOTTOM);
        first_frame(other, changed, DUET_BOTTOM);
        assert_int_equal(memcmp(frame, other, 64) != 0, i >= 32);
    }
}

/* 1: "each party encrypts using a separate part of the shared secret, nonce, and AES-CTR counter
 * sequence": with equal halves too, no keystream is used by both. */
static void
keystreams_are_apart(void **state)
{
    uint8_t secret[64], top[64], bottom[64];

    (void)state;
    ends_fill(secret, 32, 5);
    memcpy(secret + 32, secret, 32);
    first_frame(top, secret, DUET_TOP);
    first_frame(bottom, secret, DUET_BOTTOM);
    for (size_t i = 0; i + 16 <= 64; i += 16)
        assert_memory_not_equal(top + i, bottom + i, 16);
}

/* 1: "One distinction is made between parties, determined by the higher level protocol": not by who
 * connected, and not by who speaks first. */
static void
application_gives_the_roles(void **state)
{
    struct ends ends;
    duet_config *config = ends_config();
    int one, other;

    (void)state;
    ends_fill(data, sizeof data, 3);
    memset(&ends, 0, sizeof ends);
    ends_sockets(ENDS_TCP, &one, &other);
    ends.replay = duet_replay_new(8);
    assert_int_equal(duet_channel_open(&ends.top, config, NULL, DUET_TOP, other, other),
                     DUET_OK); /* the end that accepted */
    assert_int_equal(duet_channel_open(&ends.bottom, config, ends.replay, DUET_BOTTOM, one, one),
                     DUET_OK); /* the end that connected */
    for (int i = 0; i < 10; i++) {
        (void)!duet_channel_handshake(ends.top, 10);
        (void)!duet_channel_handshake(ends.bottom, 10);
    }
    pass(ends.bottom, ends.top, 100);
    duet_channel_free(ends.top);
    duet_channel_free(ends.bottom);
    duet_replay_free(ends.replay);
    duet_config_free(config);
    close(one);
    close(other);
}

/* 4: "A sender has to have completed sending or receiving a full frame before they can begin sending a
 * new frame." While one frame is under way no other is begun; then all goes on. */
static void
frames_do_not_mix(void **state)
{
    struct ends ends;
    size_t sent, n, got = 0, more = 0;
    int result;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    assert_int_equal(duet_channel_send_frame(ends.top, 5, data, 1 << 20, &sent, 0), DUET_AGAIN);
    assert_true(sent < 1 << 20);
    assert_int_equal(duet_channel_send(ends.top, data, 10, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_send_message(ends.top, 6, data, 10, &n, 0), DUET_E_MISUSE);
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_E_MISUSE);
    do { /* the receiver too: the frame goes on where it was, whatever is asked meanwhile */
        uint32_t code;
        if (sent < 1 << 20) {
            result = duet_channel_send_frame(ends.top, 5, data + sent, (1 << 20) - sent, &n, 0);
            assert_true(result == DUET_OK || result == DUET_AGAIN);
            sent += n;
        }
        result = duet_channel_recv_message(ends.bottom, &code, had + got, sizeof had, &more, 0);
        got += more;
        assert_true(result == DUET_OK || result == DUET_AGAIN);
    } while (result != DUET_OK);
    assert_int_equal(got, 1 << 20);
    assert_memory_equal(had, data, got);
    pass(ends.top, ends.bottom, 100);
    ends_close(&ends);
}

/* 4: "The same holds true for the receiver": a frame of which a part has come is finished first, and is
 * never given in part. */
static void
receiver_finishes_its_frame(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    begin(&ends, ENDS_APART);
    assert_int_equal(duet_channel_send(ends.top, data, 100, &n, 0), DUET_OK);
    assert_int_equal(duet_channel_send(ends.top, data + 100, 100, &n, 0), DUET_OK);
    for (int i = 1; i < 124; i++) {
        assert_int_equal(ends_carry(ends.top_far, ends.bottom_far, 1), 1);
        assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &n, 1, 0), DUET_AGAIN);
        assert_int_equal(n, 0);
    }
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 200, &n, 200, 0), DUET_OK);
    assert_int_equal(n, 200);
    assert_memory_equal(had, data, 200);
    ends_close(&ends);
}

/* 4: "The higher level operations decide how to handle errors": they are returned, again and again, and
 * nothing else happens; a new channel is the application's decision. */
static void
application_handles_errors(void **state)
{
    struct ends ends;
    size_t n;

    (void)state;
    begin(&ends, ENDS_DIRECT);
    shutdown(ends.top_fd, SHUT_RDWR);
    for (int i = 0; i < 3; i++)
        assert_int_equal(duet_channel_recv(ends.bottom, had, 10, &n, 1, 0), DUET_E_TRUNCATED);
    assert_int_equal(strcmp(duet_channel_detail(ends.bottom), "") == 0, 0);
    ends_close(&ends);
    begin(&ends, ENDS_DIRECT);
    pass(ends.top, ends.bottom, 100);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parties_are_equal),           cmocka_unit_test(both_ways_at_once),
        cmocka_unit_test(states_are_reported),         cmocka_unit_test(one_process_has_the_socket),
        cmocka_unit_test(each_uses_its_half),          cmocka_unit_test(keystreams_are_apart),
        cmocka_unit_test(application_gives_the_roles), cmocka_unit_test(frames_do_not_mix),
        cmocka_unit_test(receiver_finishes_its_frame), cmocka_unit_test(application_handles_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
