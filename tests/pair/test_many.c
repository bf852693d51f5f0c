/*
 * Several sessions by one call: what duet__session_send_many() and duet__session_recv_many() do is,
 * byte for byte and result for result, what the single calls do on twins of the sessions
 * (docs/protocol.md §1).
 */
#include "session/many.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SESSIONS = 3, JOBS = 9, MOST = 5000, ROOM = MOST + (int)DUET_FRAME_OVERHEAD };

static duet_config *config;
static uint8_t payload[JOBS][MOST];
static uint8_t wire[2][JOBS][ROOM], out[2][JOBS][ROOM];
static uint32_t drawn = 11;

static uint32_t
draw(uint32_t below)
{
    drawn = drawn * 1664525u + 1013904223u;
    return (drawn >> 8) % below;
}

/** Sessions of one role, each under a salt of its own; [0] goes singly, [1] by many. */
struct side {
    duet_session *session[2][SESSIONS];
};

static void
open_side(struct side *side, enum duet_role role)
{
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < SESSIONS; k++) {
            const uint8_t salt[16] = {(uint8_t)k};
            assert_int_equal(
                duet_session_new_preset(&side->session[i][k], config, role, salt, sizeof salt),
                DUET_OK);
        }
}

static void
close_side(struct side *side)
{
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < SESSIONS; k++)
            duet_session_free(side->session[i][k]);
}

/** What job j is for, the same for both. */
struct plan {
    size_t session, len;
    uint32_t code;
};

static void
draw_plan(struct plan *plan)
{
    static const size_t lengths[] = {0, 16, 127, 128, 129, 176, 1000, MOST};

    plan->session = draw(SESSIONS);
    plan->len = lengths[draw(8)];
    plan->code = draw(20) == 0 ? DUET_CODE_APP_MAX + 3 : draw(100);
}

static int
send_singly(const struct side *tx, const struct plan *plan, int *results)
{
    int first = DUET_OK;
    for (size_t j = 0; j < JOBS; j++) {
        results[j] = duet_session_send(tx->session[0][plan[j].session], wire[0][j], plan[j].code,
                                       payload[j], plan[j].len);
        first = first == DUET_OK ? results[j] : first;
    }
    return first;
}

/** Seal by both ways; where a frame came out, 1 in `made`. */
static void
send_both(const struct side *tx, const struct plan *plan, int *made)
{
    struct duet__sealing jobs[JOBS];
    int results[JOBS];

    memset(wire, 0, sizeof wire);
    for (size_t j = 0; j < JOBS; j++) {
        const uint8_t *from = payload[j];
        if (j % 2 == 0) { /* in place */
            from = wire[1][j] + DUET_HEADER_SIZE;
            memcpy(wire[1][j] + DUET_HEADER_SIZE, payload[j], plan[j].len);
        }
        jobs[j] = (struct duet__sealing){.session = tx->session[1][plan[j].session],
                                         .out = wire[1][j],
                                         .payload = from,
                                         .len = plan[j].len,
                                         .code = plan[j].code};
    }
    int first = send_singly(tx, plan, results);
    assert_int_equal(duet__session_send_many(jobs, JOBS), first);
    for (size_t j = 0; j < JOBS; j++) {
        made[j] = results[j] == DUET_OK;
        assert_int_equal(jobs[j].result, results[j]);
        if (made[j])
            assert_memory_equal(wire[1][j], wire[0][j], plan[j].len + DUET_FRAME_OVERHEAD);
    }
}

static void
assert_same_step(const duet_step *a, const duet_step *b)
{
    assert_int_equal(a->used, b->used);
    assert_int_equal(a->put, b->put);
    assert_int_equal(a->event, b->event);
    assert_int_equal(a->need, b->need);
    if (a->event == DUET_EVENT_BEGIN || a->event == DUET_EVENT_FRAME) {
        assert_int_equal(a->code, b->code);
        assert_int_equal(a->length, b->length);
    }
}

/** The steps of n jobs by both ways, then on to what they did not use. */
static void
step_both(const struct side *rx, const size_t *sessions, duet_step step[2][JOBS], size_t n)
{
    struct duet__opening jobs[JOBS];
    int first = DUET_OK;

    for (size_t j = 0; j < n; j++) {
        jobs[j].session = rx->session[1][sessions[j]];
        jobs[j].step = step[1][j];
    }
    int many = duet__session_recv_many(jobs, n);
    for (size_t j = 0; j < n; j++) {
        int result = duet_session_recv(rx->session[0][sessions[j]], &step[0][j]);
        first = first == DUET_OK ? result : first;
        assert_int_equal(jobs[j].result, result);
        assert_same_step(&step[0][j], &jobs[j].step);
        step[1][j] = jobs[j].step;
        for (size_t i = 0; i < 2; i++) {
            step[i][j].in += step[i][j].used;
            step[i][j].in_size -= step[i][j].used;
            step[i][j].out += step[i][j].put;
            step[i][j].out_size -= step[i][j].put;
        }
    }
    assert_int_equal(many, first);
}

/** Open frames of different sessions side by side: header, a part of the payload, the rest. */
static void
recv_both(const struct side *rx, const size_t *jobs, const size_t *sessions, const size_t *sizes,
          size_t n)
{
    duet_step step[2][JOBS];

    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < n; j++)
            step[i][j] = (duet_step){.in = wire[i][jobs[j]],
                                     .in_size = DUET_HEADER_SIZE,
                                     .out = out[i][jobs[j]],
                                     .out_size = ROOM};
    step_both(rx, sessions, step, n);
    for (int turn = 0; turn < 2; turn++) {
        for (size_t i = 0; i < 2; i++)
            for (size_t j = 0; j < n; j++) {
                size_t whole = sizes[j] - DUET_HEADER_SIZE;
                size_t done = (size_t)(step[i][j].in - wire[i][jobs[j]]) - DUET_HEADER_SIZE;
                step[i][j].in_size = turn == 0 ? whole * 2 / 3 : whole - done;
            }
        step_both(rx, sessions, step, n);
    }
    for (size_t j = 0; j < n; j++)
        assert_memory_equal(out[0][jobs[j]], out[1][jobs[j]], sizes[j]);
}

/** The frames that were made, in turns in which no session stands twice. */
static void
recv_all(const struct side *rx, const struct plan *plan, const int *made)
{
    int done[JOBS] = {0};

    for (int left = 1; left;) {
        size_t jobs[JOBS], sessions[JOBS], sizes[JOBS], n = 0;
        unsigned busy = 0;
        left = 0;
        for (size_t j = 0; j < JOBS; j++) {
            if (!made[j] || done[j])
                continue;
            left = 1;
            if (busy & 1u << plan[j].session)
                continue;
            busy |= 1u << plan[j].session;
            done[j] = 1;
            jobs[n] = j;
            sessions[n] = plan[j].session;
            sizes[n++] = plan[j].len + DUET_FRAME_OVERHEAD;
        }
        memset(out, 0, sizeof out);
        recv_both(rx, jobs, sessions, sizes, n);
    }
}

static void
as_the_single_calls(void **state)
{
    struct side tx, rx;

    (void)state;
    open_side(&tx, DUET_TOP);
    open_side(&rx, DUET_BOTTOM);
    for (int turn = 0; turn < 300; turn++) {
        struct plan plan[JOBS];
        int made[JOBS];
        for (size_t j = 0; j < JOBS; j++)
            draw_plan(&plan[j]);
        payload[draw(JOBS)][draw(MOST)] ^= (uint8_t)turn;
        send_both(&tx, plan, made);
        recv_all(&rx, plan, made);
    }
    close_side(&tx);
    close_side(&rx);
}

/** A forged frame ends its own session alone, and a dead session's job fails alone. */
static void
a_neighbour_is_forged(void **state)
{
    static const size_t jobs[2] = {0, 1}, sessions[2] = {0, 1},
                        sizes[2] = {1000 + DUET_FRAME_OVERHEAD, 1000 + DUET_FRAME_OVERHEAD};
    struct plan plan[JOBS] = {{0, 1000, 1}, {1, 1000, 2}};
    struct side tx, rx;
    int made[JOBS];

    (void)state;
    for (size_t bad = 0; bad < 2; bad++) {
        open_side(&tx, DUET_TOP);
        open_side(&rx, DUET_BOTTOM);
        send_both(&tx, plan, made);
        wire[0][bad][500] ^= 1;
        wire[1][bad][500] ^= 1;
        recv_both(&rx, jobs, sessions, sizes, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(duet_session_end(rx.session[i][bad]), DUET_E_FORGED);
            assert_int_equal(duet_session_send(rx.session[i][1 - bad], out[i][0], 0, payload[0], 9),
                             DUET_OK);
        }
        send_both(&rx, plan, made);
        assert_int_equal(made[bad], 0);
        assert_int_equal(made[1 - bad], 1);
        close_side(&tx);
        close_side(&rx);
    }
}

static void
none(void **state)
{
    (void)state;
    assert_int_equal(duet__session_send_many(NULL, 0), DUET_OK);
    assert_int_equal(duet__session_recv_many(NULL, 0), DUET_OK);
}

static int
set_up(void **state)
{
    static const uint8_t secret[64] = {1};

    (void)state;
    config = duet_config_new();
    return config == NULL ? -1 : duet_config_add_secret(config, secret, sizeof secret);
}

static int
tear_down(void **state)
{
    (void)state;
    duet_config_free(config);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_single_calls),
        cmocka_unit_test(a_neighbour_is_forged),
        cmocka_unit_test(none),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
