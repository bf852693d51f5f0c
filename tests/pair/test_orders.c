/*
 * Random orders of all that two parties can ask for at any time: frames, messages, ROTATE, PING,
 * REFRESH and CLOSE, with the wire cut anywhere and a refresh's randomness brought late. However they
 * cross, no frame is out of place, and in the end both parties hold the same
 * (docs/protocol.md §1, §3, §5).
 */
#include "support/pair.h"

#include <duet/names.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RUNS = 1000, TURNS = 120 };

static const struct pair_options small = {
    .pattern = DUET_PATTERN_EPHEMERAL, .rotate_frames = 2, .rotate_blocks = 4};
static struct pair pair;
static uint64_t state; /* of the draws */
static int asked[2];   /* 1: EVENT_RANDOM awaits its answer */
static int message[2]; /* 1: a message goes on */
static size_t closes;  /* how many times in 1000 CLOSE is asked for */

static unsigned
draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static void
bring_random(unsigned who)
{
    uint8_t random[DUET_FRESH_SIZE];

    memset(random, (int)draw(255) + 1, sizeof random);
    assert_int_equal(duet_session_refresh(pair.end[who].session, random), DUET_OK);
    asked[who] = 0;
}

/** Take up to n bytes of the other's wire, one event at a time. */
static void
take(unsigned who, size_t n)
{
    struct pair_end *end = &pair.end[who], *other = &pair.end[!who];
    size_t used = 0;
    int result = DUET_OK;

    n = n < other->wire_size ? n : other->wire_size;
    while (used < n && !asked[who] && result == DUET_OK) {
        struct duet_step step = {other->wire + used, n - used, end->got, sizeof end->got, .put = 0};
        result = duet_session_recv(end->session, &step);
        used += step.used;
        asked[who] = step.event == DUET_EVENT_RANDOM;
    }
    if (result != DUET_OK)
        fail_msg("%u: %s: %s", who, duet_explain(result)->name, duet_session_detail(end->session));
    other->wire_size -= used;
    memmove(other->wire, other->wire + used, other->wire_size);
}

/** Something that may be refused now, and changes nothing then. */
static void
ask(unsigned who)
{
    static const enum duet_request requests[] = {DUET_ASK_ROTATE, DUET_ASK_PING, DUET_ASK_REFRESH,
                                                 DUET_ASK_REFRESH};
    uint8_t bytes[DUET_FRESH_SIZE];
    enum duet_request request =
        draw(1000) < closes ? DUET_ASK_CLOSE : requests[draw(sizeof requests / sizeof *requests)];

    memset(bytes, (int)draw(255) + 1, sizeof bytes);
    int result = duet_session_ask(pair.end[who].session, request, bytes);
    assert_true(result == DUET_OK || result == DUET_E_MISUSE);
    if (request == DUET_ASK_REFRESH && asked[who]) { /* it is the answer to the peer's */
        assert_int_equal(result, DUET_OK);
        asked[who] = 0;
    }
}

static void
say(unsigned who)
{
    uint32_t code = draw(4) == 0 ? DUET_CODE_MORE : draw(3);

    if (pair.end[who].wire_size < PAIR_WIRE / 2 &&
        pair_send(&pair.end[who], code, draw(300)) == DUET_OK)
        message[who] = code == DUET_CODE_MORE;
}

static void
turn(void)
{
    unsigned who = draw(2);

    switch (draw(6)) {
    case 0:
        ask(who);
        return;
    case 1:
        say(who);
        return;
    case 2:
        if (asked[who])
            bring_random(who);
        return;
    case 3:
        assert_int_equal(pair_flush(&pair.end[who]), DUET_OK);
        return;
    default:
        take(who, draw(4) == 0 ? draw(40) : PAIR_WIRE);
    }
}

/** Both end what they began, and close. */
static void
end_all(void)
{
    for (unsigned i = 0; i < 2; i++) {
        if (message[i])
            assert_int_equal(pair_send(&pair.end[i], 1, 3), DUET_OK);
        int result = duet_session_close(pair.end[i].session);
        assert_true(result == DUET_OK || pair_info(&pair.end[i]).tx_closed);
    }
    for (unsigned i = 0; i < 20; i++) {
        if (asked[i % 2])
            bring_random(i % 2);
        assert_int_equal(pair_flush(&pair.end[i % 2]), DUET_OK);
        take(!(i % 2), PAIR_WIRE);
    }
}

/** What both say of the direction that one sends in, and of themselves. */
static void
check(unsigned who)
{
    duet_info mine = pair_info(&pair.end[who]), other = pair_info(&pair.end[!who]);
    uint8_t sent[DUET_RECEIPT_SIZE], received[DUET_RECEIPT_SIZE];

    assert_true(mine.tx_closed && mine.rx_closed);
    assert_int_equal(mine.pending, 0);
    assert_int_equal(mine.tx_epoch, other.rx_epoch);
    assert_int_equal(mine.tx_bytes, other.rx_bytes);
    assert_int_equal(mine.tx_frames, other.rx_frames);
    assert_false(mine.refreshing);
    assert_int_equal(duet_session_receipt(pair.end[who].session, sent, (enum duet_role)who),
                     DUET_OK);
    assert_int_equal(duet_session_receipt(pair.end[!who].session, received, (enum duet_role)who),
                     DUET_OK);
    assert_memory_equal(sent, received, sizeof sent);
}

static void
any_order(void **unused)
{
    (void)unused;
    for (unsigned run = 0; run < RUNS; run++) {
        state = run;
        closes = run % 3 == 0 ? 0 : 60 * (run % 3);
        memset(asked, 0, sizeof asked);
        memset(message, 0, sizeof message);
        pair_ready(&pair, &small);
        for (unsigned i = 0; i < TURNS; i++)
            turn();
        end_all();
        check(DUET_TOP);
        check(DUET_BOTTOM);
        pair_close(&pair);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
