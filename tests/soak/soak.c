/*
 * Mixed traffic between two sessions for as long as is asked: soak [SECONDS], 10 by default.
 *
 * Frames of all sizes and codes, both ways, turning every few of them; messages in parts, PAD,
 * PING, ROTATE, refreshes that cross now and then; SEQ goes through its wrap in every session, of
 * which there is one after the other. Every byte is compared, every receipt, and memory may not
 * grow.
 */
#include "session/session.h"
#include "support/heap.h"
#include "support/pair.h"

#include "os/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    LIFE = 40000,         /* rounds of a session */
    BEFORE_WRAP = 1000,   /* frames of each direction before SEQ is 0 */
    LARGEST = 9000,       /* bytes of a frame */
    REFRESH_EVERY = 5000, /* rounds */
    PING_EVERY = 700,
    ROTATE_EVERY = 300
};

static struct pair pair;
static uint64_t frames, bytes, turns, refreshes, wraps, lives;

static uint64_t
draw(void)
{
    static uint64_t state = 0x2545F4914F6CDD1Du;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state >> 11;
}

static void
draw_bytes(void *memory, size_t size)
{
    assert_int_equal(duet__os_random(memory, size), 0);
}

/** Blocks that are allocated now, libcrypto's included. */
static size_t
blocks(void)
{
    return heap_ours.live + heap_libcrypto.live;
}

/** Let both directions of a fresh session come to SEQ's wrap soon. */
static void
near_wrap(void)
{
    for (int i = 0; i < 2; i++) {
        struct duet_session *from = pair.end[i].session, *to = pair.end[1 - i].session;
        from->tx.seq = to->rx.seq = UINT32_MAX - BEFORE_WRAP;
    }
}

static void
carry(int i)
{
    struct pair_end *to = &pair.end[1 - i];

    assert_int_equal(pair_flush(&pair.end[i]), DUET_OK);
    assert_int_equal(pair_carry(&pair.end[i], to), DUET_OK);
}

/** One frame from one end, and every byte of it at the other. */
static void
one_frame(int i)
{
    struct pair_end *from = &pair.end[i], *to = &pair.end[1 - i];
    uint64_t kind = draw() % 16;
    size_t n = kind == 0 ? 0 : draw() % (kind < 8 ? 200 : LARGEST);
    uint32_t code = kind < 6 ? 0 : kind < 10 ? DUET_CODE_MORE : 77;

    if (from->session->tx_message && code == 0)
        code = 78; /* a message goes on: this ends it */
    if (!from->session->tx_message && kind == 15) {
        uint8_t pad[300];
        assert_int_equal(duet_session_send(from->session, pad, DUET_CODE_PAD, NULL, 200), DUET_OK);
        memcpy(from->wire + from->wire_size, pad, 200 + DUET_FRAME_OVERHEAD);
        from->wire_size += 200 + DUET_FRAME_OVERHEAD;
    }
    to->got_size = 0;
    assert_int_equal(pair_send(from, code, n), DUET_OK);
    carry(i);
    assert_int_equal(to->got_size, n);
    for (size_t k = 0; k < n; k++)
        if (to->got[k] != pair_byte(k))
            fail_msg("byte %zu of a frame is another one", k);
    frames++;
    bytes += n;
}

static void
ask_some(unsigned round)
{
    uint8_t random[DUET_FRESH_SIZE];

    for (int i = 0; i < 2; i++) {
        duet_session *session = pair.end[i].session;
        draw_bytes(random, sizeof random);
        if (round % PING_EVERY == 0)
            assert_int_equal(duet_session_ping(session, random), DUET_OK);
        if ((round + (unsigned)i * 7) % ROTATE_EVERY == 0)
            assert_int_equal(duet_session_rekey(session), DUET_OK);
        /* both at once each other time */
        if (round % REFRESH_EVERY == 0 && (i == 0 || round % (2 * REFRESH_EVERY) == 0) &&
            duet_session_refresh(session, random) == DUET_OK)
            refreshes++;
    }
}

static void
close_life(void)
{
    uint8_t receipts[2][DUET_RECEIPT_SIZE];

    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int i = 0; i < 2; i++) {
        duet_info info = pair_info(&pair.end[i]);
        turns += info.tx_epoch;
        wraps += pair.end[i].session->tx.seq < UINT32_MAX / 2;
        if (pair.end[i].session->tx_message) {
            assert_int_equal(pair_send(&pair.end[i], 5, 0), DUET_OK);
            carry(i);
        }
        assert_int_equal(duet_session_close(pair.end[i].session), DUET_OK);
    }
    assert_int_equal(pair_settle(&pair), DUET_OK);
    for (int role = 0; role < 2; role++) {
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                duet_session_receipt(pair.end[i].session, receipts[i], (enum duet_role)role),
                DUET_OK);
        assert_memory_equal(receipts[0], receipts[1], DUET_RECEIPT_SIZE);
    }
    lives++;
}

/** One session from its opening to its receipts; ends early when time is up. */
static void
live(uint64_t until_ms)
{
    assert_int_equal(pair_sessions(&pair), DUET_OK);
    pair_handshake(&pair);
    near_wrap();
    for (unsigned round = 1; round <= LIFE; round++) {
        if (round % 1000 == 0 && round > BEFORE_WRAP && duet__os_now_ms() > until_ms)
            break;
        ask_some(round);
        one_frame(0);
        one_frame(1);
    }
    close_life();
}

int
main(int argc, char **argv)
{
    unsigned long seconds = argc > 1 ? strtoul(argv[1], NULL, 10) : 10;
    uint64_t until_ms = duet__os_now_ms() + seconds * 1000;
    size_t before = 0;

    if (heap_count_libcrypto() != 0)
        return 1;
    pair_draw = draw_bytes;
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL,
                                            .rotate_frames = 2,
                                            .rotate_blocks = 10});
    do {
        live(until_ms);
        if (lives == 1)
            before = blocks(); /* libcrypto keeps what the first session made it look up */
    } while (duet__os_now_ms() < until_ms);
    size_t after = blocks();
    printf("%llu sessions, %llu frames, %llu bytes, %llu rotations, %llu refreshes, %llu wraps of "
           "SEQ; equal receipts; %zu allocated blocks after the first session, %zu in the "
           "end\n",
           (unsigned long long)lives, (unsigned long long)frames, (unsigned long long)bytes,
           (unsigned long long)turns, (unsigned long long)refreshes, (unsigned long long)wraps,
           before, after);
    pair_close(&pair);
    return after > before || wraps != 2 * lives ? 1 : 0;
}
