/*
 * Receiving from TCP by looking first: the same bytes as by exact reads whatever the segments and
 * the sizes, and a poll() that tells the truth and does not spin while a frame is not whole (the
 * seed's section 3; docs/protocol.md §1 "A receiver").
 */
#include "channel/ends.h"
#include "support/between.h"
#include "support/heap.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BYTES = 1 << 20, OVER = (int)DUET_FRAME_OVERHEAD };

static uint8_t sent[BYTES], had[BYTES];

static uint32_t dice;

static size_t
draw(size_t most)
{
    dice = dice * 1664525u + 1013904223u;
    return (dice >> 8) % most;
}

static int
low_water(int fd)
{
    int value = 0;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &size), 0);
    return value;
}

static int
wait_readable(int fd, int ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, ms) > 0;
}

/* ---- Any sizes, any segments ---- */

/** Send one frame of a drawn size. Returns its bytes; 0: nothing goes now, or an empty frame. */
static size_t
send_some(duet_channel *channel, const uint8_t *data, size_t left)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 500, 1000, 8191, 8192, 16384, 40000};
    size_t size = sizes[draw(sizeof sizes / sizeof *sizes)];
    size_t n;

    size = size < left ? size : left;
    int result = duet_channel_send_frame(channel, 0, data, size, &n, 0);
    assert_true(result == DUET_OK || result == DUET_AGAIN);
    while (n < size) { /* a frame begun is ended before another */
        size_t more;
        result = duet_channel_send_frame(channel, 0, data + n, size - n, &more, 100);
        assert_true(result == DUET_OK || result == DUET_SLOW);
        n += more;
    }
    return n;
}

/** Bytes of a drawn mix of frames come over a wire in drawn segments into drawn buffers. */
static void
mix(enum ends_wire wire, uint32_t seed)
{
    struct ends ends;
    size_t out = 0, in = 0, got;
    unsigned idle = 0; /* calls in a row that poll() asked for and that took nothing */

    dice = seed;
    ends_open_with(&ends, ends_config(), wire);
    ends_handshake(&ends);
    for (int i = 0; in < BYTES && i < 1000000; i++) {
        if (out < BYTES && ends_waiting(ends.top_far) < 20000)
            out += send_some(ends.top, sent + out, BYTES - out);
        size_t grain = draw(2) ? draw(50) : draw(40000);
        ends_carry(ends.top_far, ends.bottom_far, grain);
        size_t size = draw(3) ? 40000 : draw(3000);
        size = size < BYTES - in ? size : BYTES - in;
        int result = duet_channel_recv(ends.bottom, had + in, size, &got, size > 0, 0);
        if (result == DUET_E_ROOM)
            continue;
        assert_true(result == DUET_OK || result == DUET_AGAIN);
        /* TCP may bring more right behind the call, but not each time. */
        idle = result == DUET_AGAIN && got == 0 && ends_readable(ends.bottom_fd) ? idle + 1 : 0;
        assert_true(idle < 20);
        in += got;
    }
    assert_int_equal(in, BYTES);
    assert_memory_equal(had, sent, BYTES);
    ends_close(&ends);
}

static void
any_sizes_and_segments(void **state)
{
    (void)state;
    ends_fill(sent, sizeof sent, 1);
    for (uint32_t seed = 1; seed <= 6; seed++)
        mix(ENDS_TCP_APART, seed);
    mix(ENDS_APART, 1); /* the same by exact reads */
}

/* ---- A frame that is not whole ---- */

/** Ends with a frame of n bytes on its way to the test. */
static void
on_its_way(struct ends *ends, size_t n)
{
    size_t accepted;
    ends_open_with(ends, ends_config(), ENDS_TCP_APART);
    ends_handshake(ends);
    ends_fill(sent, sizeof sent, 2);
    memset(had, 0xEE, sizeof had);
    assert_int_equal(duet_channel_send_frame(ends->top, 0, sent, n, &accepted, 0), DUET_OK);
}

static void
waits_in_the_kernel(void **state)
{
    struct ends ends;
    size_t got;
    const size_t size = 5000, part = 3000;

    (void)state;
    on_its_way(&ends, size);
    heap_restart();
    ends_carry(ends.top_far, ends.bottom_far, part);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(got, 0);
    assert_true(ends_all(had, size, 0xEE));
    assert_int_equal(ends_waiting(ends.bottom_fd), part - DUET_HEADER_SIZE);
    assert_int_equal(low_water(ends.bottom_fd), size + DUET_MAC_SIZE);
    assert_false(ends_readable(ends.bottom_fd));
    assert_int_equal(duet_channel_state(ends.bottom), DUET_STATE_RECV | DUET_WANT_READ);
    assert_int_equal(duet_channel_next_frame(ends.bottom), size);
    assert_int_equal(heap_ours.calls, 0);
    assert_int_equal(heap_libcrypto.calls, 0);
    /* Called for nothing, it still waits there. */
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(ends_waiting(ends.bottom_fd), part - DUET_HEADER_SIZE);
    ends_carry_all(&ends);
    assert_true(wait_readable(ends.bottom_fd, ENDS_PATIENCE));
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_OK);
    assert_int_equal(got, size);
    assert_memory_equal(had, sent, size);
    assert_int_equal(low_water(ends.bottom_fd), 1);
    assert_false(ends_readable(ends.bottom_fd));
    ends_close(&ends);
}

/** How often poll() wakes a program that receives a frame which comes in `steps` pieces. */
static unsigned
wakeups(size_t size, size_t steps)
{
    struct ends ends;
    size_t got = 0, wire = size + OVER;
    unsigned woken = 0;

    on_its_way(&ends, size);
    for (size_t carried = 0; got == 0;) {
        if (carried < wire)
            carried += ends_carry(ends.top_far, ends.bottom_far, (wire + steps - 1) / steps);
        /* TCP itself holds small segments back for a while: only the last are waited for. */
        while (got == 0 && wait_readable(ends.bottom_fd, carried < wire ? 0 : ENDS_PATIENCE)) {
            int result = duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0);
            assert_true(result == DUET_AGAIN || (result == DUET_OK && got == size));
            woken++;
        }
        assert_true(got > 0 || carried < wire);
    }
    assert_int_equal(got, size);
    assert_memory_equal(had, sent, size);
    ends_close(&ends);
    return woken;
}

static void
poll_does_not_spin(void **state)
{
    (void)state;
    /* The header, and the rest; the mark holds poll() back in between. */
    assert_between(wakeups(5000, 200), 1, 3);
    assert_between(wakeups(30000, 200), 1, 3);
    assert_between(wakeups(64, 88), 1, 17); /* a byte at a time: each of the header's */
}

static void
the_mark_does_not_outlive_the_channel(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    on_its_way(&ends, 5000);
    ends_carry(ends.top_far, ends.bottom_far, 3000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_true(low_water(ends.bottom_fd) > 1);
    duet_channel_free(ends.bottom);
    ends.bottom = NULL;
    assert_int_equal(low_water(ends.bottom_fd), 1);
    ends_close(&ends);
}

/** The stream ends at each byte of a frame: the receiver reports it soon and does not spin. */
static void
cut_at_each_byte(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < 200 + OVER; cut++) {
        struct ends ends;
        size_t got;
        int result = DUET_AGAIN;

        on_its_way(&ends, 200);
        ends_carry(ends.top_far, ends.bottom_far, cut);
        if (cut % 2)
            assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_AGAIN);
        shutdown(ends.bottom_far, SHUT_WR);
        for (int i = 0; i < 5 && result == DUET_AGAIN; i++) {
            assert_true(wait_readable(ends.bottom_fd, ENDS_PATIENCE));
            result = duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0);
            assert_int_equal(got, 0);
        }
        assert_int_equal(result, DUET_E_TRUNCATED);
        assert_true(ends_all(had + 200, 800, 0xEE));
        ends_close(&ends);
    }
}

/** More than the kernel surely holds is set aside, so that it can all come. */
static void
more_than_the_kernel_holds(void **state)
{
    struct ends ends;
    int size = 4096;
    size_t got;

    (void)state;
    on_its_way(&ends, 30000);
    assert_int_equal(setsockopt(ends.bottom_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    ends_carry(ends.top_far, ends.bottom_far, 2000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(low_water(ends.bottom_fd), 1);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_false(ends_readable(ends.bottom_fd));
    int result = DUET_AGAIN;
    for (int i = 0; i < 1000 && result == DUET_AGAIN; i++) {
        ends_carry(ends.top_far, ends.bottom_far, 1500);
        result = duet_channel_recv(ends.bottom, had + 100, BYTES - 100, &got, 1, 0);
    }
    assert_int_equal(result, DUET_OK);
    assert_int_equal(got, 30000);
    assert_memory_equal(had + 100, sent, got);
    ends_close(&ends);
}

/** A call that waits takes the frame in pieces, and sets it aside when its time is over. */
static void
a_deadline_within_a_frame(void **state)
{
    struct ends ends;
    size_t got;

    (void)state;
    on_its_way(&ends, 5000);
    ends_carry(ends.top_far, ends.bottom_far, 3000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 20), DUET_SLOW);
    assert_int_equal(got, 0);
    assert_int_equal(ends_waiting(ends.bottom_fd), 0);
    assert_true(ends_all(had, 3000 - DUET_HEADER_SIZE, 0));
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had + 9000, 5000, &got, 1, ENDS_PATIENCE),
                     DUET_OK);
    assert_memory_equal(had + 9000, sent, 5000);
    ends_close(&ends);
}

/** A polled call leaves a mark; a call that waits must get by it. */
static void
polled_then_waiting_for(size_t size)
{
    struct ends ends;
    size_t got;

    on_its_way(&ends, size);
    ends_carry(ends.top_far, ends.bottom_far, 3000);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 0), DUET_AGAIN);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, 20), DUET_SLOW);
    assert_int_equal(low_water(ends.bottom_fd), 1);
    ends_carry_all(&ends);
    assert_int_equal(duet_channel_recv(ends.bottom, had, BYTES, &got, 1, -1), DUET_OK);
    assert_int_equal(got, size);
    assert_memory_equal(had, sent, size);
    ends_close(&ends);
}

static void
polled_then_waiting(void **state)
{
    (void)state;
    polled_then_waiting_for(5000);
    polled_then_waiting_for(9000); /* a large frame, which is read in pieces */
}

/* ---- Frames of another code, and of the library ---- */

static void
another_code(void **state)
{
    struct ends ends;
    uint32_t code;
    size_t got;

    (void)state;
    ends_open_with(&ends, ends_config(), ENDS_TCP_APART);
    ends_handshake(&ends);
    ends_fill(sent, sizeof sent, 3);
    assert_int_equal(duet_channel_send(ends.top, sent, 100, &got, 0), DUET_OK);
    assert_int_equal(duet_channel_send_message(ends.top, 5, sent + 100, 200, &got, 0), DUET_OK);
    ends_carry(ends.top_far, ends.bottom_far, 100 + OVER + 50);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_OK);
    assert_int_equal(got, 100);
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_AGAIN);
    assert_false(ends_readable(ends.bottom_fd));
    /* Called for nothing, it takes what is there; the rest wakes who polls all the same. */
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_AGAIN);
    ends_carry_all(&ends);
    assert_true(wait_readable(ends.bottom_fd, ENDS_PATIENCE));
    assert_int_equal(duet_channel_recv(ends.bottom, had, 1000, &got, 1, 0), DUET_E_CODE);
    assert_int_equal(duet_channel_recv_message(ends.bottom, &code, had, 1000, &got, 0), DUET_OK);
    assert_int_equal(code, 5);
    assert_int_equal(got, 200);
    assert_memory_equal(had, sent + 100, 200);
    ends_close(&ends);
}

static void
library_frames_between(void **state)
{
    struct ends ends;
    const uint8_t echo[] = "12345678";
    size_t got, total = 0;

    (void)state;
    ends_open_with(&ends, ends_config(), ENDS_TCP);
    ends_handshake(&ends);
    ends_fill(sent, sizeof sent, 4);
    for (size_t i = 0; i < 100; i++) {
        duet_session *session = duet_channel_session(ends.top);
        assert_int_equal(duet_session_ping(session, echo), DUET_OK);
        assert_int_equal(duet_session_rekey(session), DUET_OK);
        assert_int_equal(duet_channel_send(ends.top, sent + 10 * i, 10, &got, 0), DUET_OK);
    }
    assert_int_equal(duet_channel_close(ends.top, 0), DUET_OK);
    for (int result = DUET_OK; result != DUET_CLOSED; total += got) {
        result = duet_channel_recv(ends.bottom, had + total, 1000 - total + 1, &got, 1, 0);
        assert_true(result == DUET_OK || result == DUET_CLOSED);
    }
    assert_int_equal(total, 1000);
    assert_memory_equal(had, sent, 1000);
    ends_close(&ends);
}

/* ---- Calls that wait ---- */

enum { BOTH = 64 << 20 };

/** One end of an exchange of BOTH bytes each way, in calls of `piece`. Returns 0 when what came is
 * what the peer sent. */
static int
exchange(duet_channel *channel, size_t piece)
{
    for (size_t done = 0; done < BOTH; done += piece) {
        duet_exchange_io io = {sent, piece, 0, had, piece, 0};
        memset(had, 0, piece);
        if (duet_channel_exchange(channel, &io, -1) != DUET_OK || memcmp(had, sent, piece) != 0)
            return 1;
    }
    return 0;
}

static void
much_both_ways(void **state)
{
    struct ends ends;
    int status;

    (void)state;
    ends_fill(sent, sizeof sent, 5);
    ends_open_with(&ends, ends_config(), ENDS_TCP);
    duet_channel_free(ends.bottom); /* the other process makes its own */
    ends.bottom = NULL;
    pid_t child = fork();
    if (child == 0) {
        duet_channel *bottom;
        if (duet_channel_open(&bottom, ends.config, ends.replay, DUET_BOTTOM, ends.bottom_fd,
                              ends.bottom_fd) != DUET_OK)
            _exit(2);
        _exit(exchange(bottom, BYTES));
    }
    assert_int_equal(exchange(ends.top, BYTES), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ends_close(&ends);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_sizes_and_segments),
        cmocka_unit_test(waits_in_the_kernel),
        cmocka_unit_test(poll_does_not_spin),
        cmocka_unit_test(the_mark_does_not_outlive_the_channel),
        cmocka_unit_test(cut_at_each_byte),
        cmocka_unit_test(more_than_the_kernel_holds),
        cmocka_unit_test(a_deadline_within_a_frame),
        cmocka_unit_test(polled_then_waiting),
        cmocka_unit_test(another_code),
        cmocka_unit_test(library_frames_between),
        cmocka_unit_test(much_both_ways),
    };
    if (heap_count_libcrypto() != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
