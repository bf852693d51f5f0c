/*
 * Fuzzes the calls for many sessions against the single ones: of three pairs of sessions there are
 * twins, one of which uses duet__session_send_many() and duet__session_recv_many(), the other the
 * single calls, through the same script of frames, splits, changed bytes, rekeys and closes.
 *
 * Twins return the same at every step, byte for byte; a frame that is returned is the one that was
 * sealed, and none is returned after a changed byte of its own wire.
 */
#include "fuzz.h"
#include "session/many.h"
#include "session/session.h"

#include <duet/names.h>
#include <string.h>

enum {
    SESSIONS = 3,
    JOBS = 12,         /* of one call */
    MOST = 5000,       /* bytes of a frame's payload */
    WIRE = 1 << 17,    /* bytes that one session may seal */
    FRAMES = 256,      /* that it may seal */
    OUT = MOST + 1000, /* bytes of room for a payload */
};

/** What an instruction does; op % OPS. Its payload is a list of (session, size). */
enum op {
    OP_SEND, /* each a frame under the code of arg; sizes from 0xff00 on: a code that may not be */
    OP_RECV, /* each takes so many bytes at most; arg 1: deciphered where they lie */
    OP_ASK,  /* each asks what arg says and flushes it */
    OP_DAMAGE, /* each has the byte so far ahead changed by arg */
    OPS
};

struct frame {
    uint32_t code;
    const uint8_t *data;
    size_t size, end; /* bytes; the end is an offset of the wire's */
};

/** One session with its peer; [0] of each goes singly, [1] by the calls for many. */
static struct pair {
    duet_session *tx[2], *rx[2];
    uint8_t wire[2][WIRE], out[2][OUT];
    size_t written, taken, put; /* bytes of the wire, of the payload under way */
    size_t damage;              /* where the first changed byte lies; SIZE_MAX: nowhere */
    struct frame frames[FRAMES];
    size_t sealed, delivered; /* frames */
} pairs[SESSIONS];

static uint8_t source[2 * MOST];

/* ---- Set-up ---- */

static duet_config *
configure(void)
{
    static const uint8_t secret[64] = {5};
    duet_config *config = duet_config_new();

    need(config != NULL);
    need(duet__config_add_secret(config, secret, sizeof secret, 0) == DUET_OK);
    config->profile.rotate_frames = 2;
    config->profile.rotate_blocks = 8;
    for (size_t i = 0; i < sizeof source; i++)
        source[i] = (uint8_t)(i * 167 + i / 251);
    return config;
}

static void
begin(void)
{
    static duet_config *config;

    if (config == NULL)
        config = configure();
    for (unsigned k = 0; k < SESSIONS; k++) {
        struct pair *pair = &pairs[k];
        const uint8_t salt[16] = {(uint8_t)k};
        for (unsigned i = 0; i < 2; i++) {
            need(duet_session_new_preset(&pair->tx[i], config, DUET_TOP, salt, 16) == DUET_OK);
            need(duet_session_new_preset(&pair->rx[i], config, DUET_BOTTOM, salt, 16) == DUET_OK);
        }
        pair->written = pair->taken = pair->put = pair->sealed = pair->delivered = 0;
        pair->damage = SIZE_MAX;
    }
}

/** The next (session, size) of an instruction. */
static struct pair *
next_job(struct input *in, size_t *size)
{
    struct pair *pair = &pairs[input_byte(in) % SESSIONS];

    *size = (size_t)input_byte(in) << 8;
    *size |= input_byte(in);
    return pair;
}

/* ---- Sending ---- */

/** Plan a job whose frame lies `ahead` behind what is on the wire. Returns 0 without room. */
static int
plan_frame(struct pair *pair, struct duet__sealing *job, uint32_t code, size_t size, size_t ahead)
{
    size_t at = pair->written + ahead;

    if (size >= 0xff00)
        code = WIRE_PING;
    size %= MOST + 1;
    if (at + size + DUET_FRAME_OVERHEAD > WIRE || pair->sealed + JOBS > FRAMES)
        return 0;
    job->session = pair->tx[1];
    job->out = pair->wire[1] + at;
    job->payload = source + at % MOST;
    job->len = size;
    job->code = code;
    return 1;
}

/** The same job by the single call, which has to say and to give the same. */
static void
compare_sealed(struct pair *pair, const struct duet__sealing *job, size_t offset)
{
    uint8_t *out = pair->wire[0] + offset;
    size_t size = job->len + DUET_FRAME_OVERHEAD;

    int result = duet_session_send(pair->tx[0], out, job->code, job->payload, job->len);
    need(job->result == result);
    if (result != DUET_OK)
        return;
    need(memcmp(out, job->out, size) == 0);
    pair->frames[pair->sealed++] = (struct frame){job->code, job->payload, job->len, offset + size};
    pair->written = offset + size;
}

/** Of a session whose frame may not be nothing else is sealed by that call: no gap on its wire. */
static void
send_frames(struct input *in, uint32_t code)
{
    struct duet__sealing jobs[JOBS];
    struct pair *of[JOBS];
    size_t ahead[SESSIONS] = {0}, offset[JOBS], count = 0;
    int first = DUET_OK;

    while (in->left >= 3 && count < JOBS) {
        size_t size;
        struct pair *pair = next_job(in, &size);
        size_t *gone = &ahead[pair - pairs];
        duet_info info;
        duet_session_info(pair->tx[1], &info);
        if (*gone == SIZE_MAX || !plan_frame(pair, &jobs[count], code, size, *gone))
            continue;
        offset[count] = pair->written + *gone;
        *gone += jobs[count].len + DUET_FRAME_OVERHEAD;
        if (jobs[count].code > DUET_CODE_APP_MAX || !info.may_send)
            *gone = SIZE_MAX;
        of[count++] = pair;
    }
    int result = duet__session_send_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        compare_sealed(of[i], &jobs[i], offset[i]);
        first = first == DUET_OK ? jobs[i].result : first;
    }
    need(result == first);
}

/** Both twins ask, and flush what that makes pending. */
static void
ask(struct pair *pair, unsigned what)
{
    static const enum duet_request requests[3] = {DUET_ASK_ROTATE, DUET_ASK_PING, DUET_ASK_CLOSE};
    static const uint8_t bytes[DUET_FRESH_SIZE] = {6};
    size_t put[2], room = WIRE - pair->written;

    int one = duet_session_ask(pair->tx[0], requests[what % 3], bytes);
    need(one == duet_session_ask(pair->tx[1], requests[what % 3], bytes));
    one = duet_session_flush(pair->tx[0], pair->wire[0] + pair->written, room, &put[0]);
    need(one == duet_session_flush(pair->tx[1], pair->wire[1] + pair->written, room, &put[1]));
    need(put[0] == put[1]);
    need(memcmp(pair->wire[0] + pair->written, pair->wire[1] + pair->written, put[0]) == 0);
    pair->written += put[0];
}

/* ---- Receiving ---- */

/** Plan a step `ahead` behind what was taken: other jobs of this call have these bytes. */
static duet_step
plan_step(struct pair *pair, unsigned twin, size_t size, size_t ahead, int in_place)
{
    uint8_t *at = pair->wire[twin] + pair->taken + ahead;
    size_t left = pair->written - pair->taken - ahead, put = pair->put + ahead;
    duet_step step = {.in = at, .in_size = size < left ? size : left};

    step.out = pair->out[twin] + (put < OUT ? put : OUT);
    step.out_size = put < OUT ? OUT - put : 0;
    if (in_place && pair->rx[twin]->rx.state == DUET__CIPHER_IN_FRAME) {
        step.out = at;
        step.out_size = step.in_size;
    }
    return step;
}

static void
check_frame(struct pair *pair, const duet_step *step)
{
    const struct frame *frame = &pair->frames[pair->delivered];

    need(pair->delivered < pair->sealed && frame->code == step->code &&
         frame->size == step->length);
    need(pair->put == frame->size && frame->end == pair->taken && frame->end <= pair->damage);
    need(frame->size == 0 || memcmp(pair->out[0], frame->data, frame->size) == 0);
    pair->delivered++;
}

/** Twins have done the same step. */
static void
compare_steps(struct pair *pair, const duet_step step[2], const int result[2])
{
    need(result[0] == result[1] && step[0].used == step[1].used && step[0].put == step[1].put);
    need(step[0].event == step[1].event && step[0].need == step[1].need);
    need(step[0].put <= step[0].out_size && step[0].used <= step[0].in_size);
    need(step[0].put == 0 || memcmp(step[0].out, step[1].out, step[0].put) == 0);
    need(pair->put + step[0].put <= OUT);
    for (unsigned i = 0; i < 2; i++) /* wherever payload was put, it is gathered */
        if (step[i].put > 0)
            memmove(pair->out[i] + pair->put, step[i].out, step[i].put);
    if (step[0].used > 0 && step[0].in != pair->wire[0] + pair->taken && pair->taken < pair->damage)
        pair->damage = pair->taken; /* an earlier job left bytes over: these do not follow */
    pair->taken += step[0].used;
    pair->put += step[0].put;
    if (step[0].event != DUET_EVENT_BEGIN && step[0].event != DUET_EVENT_FRAME)
        return;
    need(step[0].code == step[1].code && step[0].length == step[1].length);
    if (step[0].event == DUET_EVENT_FRAME)
        check_frame(pair, step);
    pair->put = 0;
}

/** A session that ended has seen a changed byte, or closed. */
static void
check_result(const struct pair *pair, int result)
{
    need(result == DUET_OK || result == DUET_CLOSED || pair->damage < pair->written);
}

/** Each session does a step for each job; its next job begins where the last one ended. */
static void
recv_steps(struct input *in, int in_place)
{
    struct duet__opening jobs[JOBS];
    duet_step single[JOBS];
    struct pair *of[JOBS];
    size_t ahead[SESSIONS] = {0}, count = 0;
    int first = DUET_OK;

    while (in->left >= 3 && count < JOBS) {
        size_t size;
        struct pair *pair = next_job(in, &size);
        size_t *gone = &ahead[pair - pairs];
        jobs[count] =
            (struct duet__opening){pair->rx[1], plan_step(pair, 1, size, *gone, in_place), 1};
        single[count] = plan_step(pair, 0, size, *gone, in_place);
        *gone += single[count].in_size;
        of[count++] = pair;
    }
    int many = duet__session_recv_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        const int result[2] = {duet_session_recv(of[i]->rx[0], &single[i]), jobs[i].result};
        const duet_step steps[2] = {single[i], jobs[i].step};
        compare_steps(of[i], steps, result);
        check_result(of[i], result[0]);
        first = first == DUET_OK ? result[0] : first;
    }
    need(many == first);
}

static void
damage(struct pair *pair, size_t ahead, uint8_t mask)
{
    size_t left = pair->written - pair->taken;

    if (left == 0 || mask == 0 || pair->taken + ahead % left == pair->damage)
        return; /* the same byte again might mend it */
    size_t at = pair->taken + ahead % left;
    pair->wire[0][at] ^= mask;
    pair->wire[1][at] ^= mask;
    if (at < pair->damage)
        pair->damage = at;
}

/* ---- The script ---- */

static void
run(const struct instruction *i)
{
    struct input in = {i->payload, i->size};
    size_t size;

    switch ((enum op)(i->op % OPS)) {
    case OP_SEND:
        send_frames(&in, i->arg);
        return;
    case OP_RECV:
        recv_steps(&in, i->arg & 1);
        return;
    case OP_ASK:
        while (in.left >= 3)
            ask(next_job(&in, &size), i->arg);
        return;
    default:
        while (in.left >= 3) {
            struct pair *pair = next_job(&in, &size);
            damage(pair, size, i->arg);
        }
    }
}

/** Twins have the same counts and the same receipts. */
static void
finish(const struct pair *pair)
{
    duet_info one, other;
    uint8_t receipt[2][DUET_RECEIPT_SIZE];

    duet_session_info(pair->rx[0], &one);
    duet_session_info(pair->rx[1], &other);
    need(one.rx_frames == other.rx_frames && one.rx_bytes == other.rx_bytes);
    need(one.rx_epoch == other.rx_epoch && one.rx_closed == other.rx_closed);
    int result = duet_session_receipt(pair->rx[0], receipt[0], DUET_TOP);
    need(result == duet_session_receipt(pair->rx[1], receipt[1], DUET_TOP));
    need(result != DUET_OK || memcmp(receipt[0], receipt[1], DUET_RECEIPT_SIZE) == 0);
    for (unsigned i = 0; i < 2; i++) {
        duet_session_free(pair->tx[i]);
        duet_session_free(pair->rx[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct instruction i;

    begin();
    input_byte(&in); /* a script's set-up: there is none */
    input_byte(&in);
    while (input_instruction(&in, &i))
        run(&i);
    for (unsigned k = 0; k < SESSIONS; k++)
        finish(&pairs[k]);
    return 0;
}
