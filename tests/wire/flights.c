/*
 * Sessions as a listener on the wire sees them (see flights.h).
 */
#include "wire/flights.h"

#include "os/os.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { ZEROS = 300, LARGE = 60000 };

static void
draw(void *memory, size_t size)
{
    assert_int_equal(duet__os_random(memory, size), 0);
}

/** Put zeros on an end's wire, the plaintext that shows most. */
static void
send_zeros(struct pair_end *end, size_t n)
{
    uint8_t *frame = end->wire + end->wire_size;

    memset(frame + DUET_HEADER_SIZE, 0, n);
    assert_int_equal(duet_session_send(end->session, frame, 0, frame + DUET_HEADER_SIZE, n),
                     DUET_OK);
    end->wire_size += n + DUET_FRAME_OVERHEAD;
}

/** Report what lies on both wires, and carry it, until both are empty. */
static void
carry(struct pair *pair, flights_seen seen, void *context)
{
    int silent = 0;

    for (int i = 0; silent < 2; i = 1 - i) {
        struct pair_end *from = &pair->end[i];
        assert_int_equal(pair_flush(from), DUET_OK);
        silent = from->wire_size == 0 ? silent + 1 : 0;
        if (from->wire_size > 0)
            seen(context, (enum duet_role)i, from->wire, from->wire_size);
        assert_int_equal(pair_carry(from, &pair->end[1 - i]), DUET_OK);
    }
}

static struct pair *
pair_of(enum duet_pattern pattern)
{
    static struct pair pairs[3];
    struct pair *pair = &pairs[pattern];

    pair_draw = draw;
    if (pair->end[0].config == NULL)
        pair_open(pair, &(struct pair_options){.pattern = pattern});
    assert_int_equal(pair_sessions(pair), DUET_OK);
    return pair;
}

void
flights_session(enum duet_pattern pattern, flights_seen seen, void *context)
{
    struct pair *pair = pair_of(pattern);

    carry(pair, seen, context);
    for (int i = 0; i < 2; i++) {
        send_zeros(&pair->end[i], ZEROS);
        assert_int_equal(duet_session_close(pair->end[i].session), DUET_OK);
    }
    carry(pair, seen, context);
}

void
flights_stream(size_t size, flights_seen seen, void *context)
{
    struct pair *pair = pair_of(DUET_PATTERN_EPHEMERAL);
    struct pair_end *top = &pair->end[DUET_TOP], *bottom = &pair->end[DUET_BOTTOM];

    carry(pair, seen, context);
    for (size_t sent = 0; sent < size; sent += LARGE) {
        send_zeros(top, LARGE);
        seen(context, DUET_TOP, top->wire, top->wire_size);
        assert_int_equal(pair_carry(top, bottom), DUET_OK);
        bottom->got_size = 0;
    }
}
