/*
 * Fuzzes a session against a peer that holds the secret and sends anything: either role, any
 * pattern, and a script (see fuzz.h) whose frames are sealed with the peer's current keys.
 *
 * Only what was sealed as an application frame is ever returned as one, byte for byte; a dead
 * session returns the same from every call; nothing is written beyond its buffer.
 */
#include "fuzz.h"
#include "session/session.h"

#include <duet/names.h>
#include <string.h>

enum { WIRE = 140000 }; /* bytes: more than a script of the longest instruction makes */

/** What an instruction does; op % OPS. */
enum op {
    OP_FRAME,    /* the peer seals the payload under the code of arg */
    OP_HONEST,   /* the peer sends what is pending, as it should */
    OP_HELLO,    /* the peer's HELLO, the payload written over its message from byte arg on */
    OP_ASK,      /* our application asks for something */
    OP_THEY_ASK, /* the peer's does */
    OP_NOISE,    /* bytes that nobody sealed */
    OP_SPEAK,    /* our application sends a frame */
    OP_END,      /* the stream ends */
    OPS
};

static duet_session *ours, *theirs;
static const struct instruction *expected; /* the application's frame that may come; NULL: none */
static int dead;                           /* what ended our session; 0: nothing */

/* ---- Set-up ---- */

static duet_config *
configure(uint8_t seed, unsigned patterns)
{
    static const uint8_t secret[64] = {2};
    duet_config *config = duet_config_new();
    duet_key *identity = NULL;
    uint8_t key[DUET_KEY_SIZE];

    memset(key, seed, sizeof key);
    need(config != NULL &&
         duet_key_new(&identity, DUET_KIND_IDENTITY, key, DUET_KEY_SIZE, 0) == DUET_OK);
    need(duet__config_add_secret(config, secret, sizeof secret, 0) == DUET_OK);
    if (patterns != 0) { /* else for preset sessions, which have neither */
        need(duet_config_set(config, DUET_SET_PATTERNS, patterns) == DUET_OK);
        need(duet_config_add(config, identity) == DUET_OK);
    }
    duet_key_free(identity);
    config->profile.rotate_frames = 2;
    config->profile.rotate_blocks = 6;
    config->profile.hello_least = config->profile.hello_most = 400;
    config->max_payload = 70000;
    return config;
}

/** setup: the pattern in two bits (3: preset), our role, whether we speak first. */
static void
begin(uint8_t setup)
{
    static duet_config *configs[4][2];
    static const uint8_t salt[16] = {1};
    unsigned pattern = setup & 3;
    enum duet_role role = setup & 4 ? DUET_BOTTOM : DUET_TOP;
    enum duet_role other = setup & 4 ? DUET_TOP : DUET_BOTTOM;
    uint8_t random[DUET_RANDOM_SIZE];

    for (unsigned i = 0; configs[3][1] == NULL && i < 8; i++)
        configs[i / 2][i % 2] = configure((uint8_t)(1 + i % 2), i < 6 ? 1u << i / 2 : 0);
    duet_config *const *both = configs[pattern];
    both[0]->speak_first = pattern < 3 && (setup & 8) != 0;
    memset(random, 7, sizeof random);
    if (pattern == 3) {
        need(duet_session_new_preset(&ours, both[0], role, salt, sizeof salt) == DUET_OK);
        need(duet_session_new_preset(&theirs, both[1], other, salt, sizeof salt) == DUET_OK);
    } else {
        need(duet_session_new(&ours, both[0], role, random, 0) == DUET_OK);
        memset(random, 9, sizeof random);
        need(duet_session_new(&theirs, both[1], other, random, 0) == DUET_OK);
    }
    expected = NULL;
    dead = 0;
}

/* ---- Our end ---- */

static int
answer(duet_session *session, enum duet_event event)
{
    static const uint8_t random[DUET_FRESH_SIZE] = {3};

    if (event == DUET_EVENT_NONCE)
        return duet_session_accept(session, 0);
    if (event == DUET_EVENT_RANDOM)
        return duet_session_refresh(session, random);
    return DUET_OK;
}

/** Our session is dead: it says so to whatever is asked of it. */
static void
stay_dead(int result)
{
    uint8_t bytes[DUET_FRAME_OVERHEAD + 1];
    struct duet_step step = {.in = bytes, .in_size = 1, .out = bytes, .out_size = 1};
    duet_info info;
    size_t put;

    need(dead == 0 || dead == result);
    dead = result;
    duet_session_info(ours, &info);
    need(duet_session_recv(ours, &step) == result && step.used == 0 && step.put == 0);
    need(duet_session_flush(ours, bytes, sizeof bytes, &put) == result && put == 0);
    need(duet_session_send(ours, bytes, 0, bytes, 0) == result);
    need(duet_session_end(ours) == result);
    need(!info.may_send && info.pending == 0 && duet_session_detail(ours)[0] != 0);
}

/** A frame was delivered: it is the one that was sealed, and it comes once. */
static void
check_frame(const struct duet_step *step, const uint8_t *payload)
{
    need(expected != NULL && step->length == expected->size);
    need(expected->size == 0 || memcmp(payload, expected->payload, expected->size) == 0);
    expected = NULL;
}

/** Give our session bytes in pieces. Returns 0 once it is dead. */
static int
give(const uint8_t *wire, size_t size, size_t piece)
{
    static uint8_t out[WIRE];
    size_t have = 0;

    for (size_t at = 0; at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        struct duet_step step = {
            .in = wire + at, .in_size = n, .out = out + have, .out_size = sizeof out - have};
        int result = duet_session_recv(ours, &step);
        need(step.used <= n && step.put <= step.out_size);
        at += step.used;
        have += step.put;
        if (result == DUET_OK && step.event == DUET_EVENT_FRAME)
            check_frame(&step, out);
        if (step.event == DUET_EVENT_FRAME)
            have = 0;
        if (result == DUET_OK)
            result = answer(ours, step.event);
        if (result == DUET_CLOSED || result == DUET_E_MISUSE) /* closed, or not our turn */
            return 1;
        if (result != DUET_OK) {
            stay_dead(result);
            return 0;
        }
    }
    return 1;
}

/* ---- The peer's end ---- */

/** Carry our pending frames to the peer, which reads them as far as it still understands us. */
static void
carry_back(void)
{
    static uint8_t wire[WIRE], out[WIRE];
    size_t size, at = 0;

    if (duet_session_flush(ours, wire, sizeof wire, &size) != DUET_OK)
        return;
    while (at < size) {
        struct duet_step step = {
            .in = wire + at, .in_size = size - at, .out = out, .out_size = sizeof out};
        if (duet_session_recv(theirs, &step) != DUET_OK || answer(theirs, step.event) != DUET_OK)
            return;
        at += step.used;
    }
}

static size_t
seal(uint8_t *wire, uint32_t code, const uint8_t *payload, size_t size)
{
    struct duet__cipher *tx = &theirs->tx;
    size_t put;

    if (tx->state != DUET__CIPHER_IDLE || theirs->error != DUET_OK)
        return 0;
    need(duet__cipher_seal_begin(tx, wire, code, (uint32_t)size) == DUET_OK);
    need(duet__cipher_seal_piece(tx, wire + DUET_HEADER_SIZE, &put, payload, size) == DUET_OK);
    return DUET_FRAME_OVERHEAD + size;
}

/** Any frame; the peer's keys go on as ours should. */
static size_t
frame(const struct instruction *i, uint8_t *wire)
{
    static const struct duet__bytes nothing = {NULL, 0};
    uint32_t code = i->arg < 16 ? WIRE_RESERVED + i->arg : i->arg - 16u;
    size_t size = seal(wire, code, i->payload, i->size);

    if (size == 0)
        return 0;
    if (code <= DUET_CODE_APP_MAX || code == WIRE_MORE)
        expected = i;
    if (code == WIRE_ROTATE)
        duet__session_rotate(theirs, &theirs->tx, nothing);
    else if (code != WIRE_CLOSE && code != WIRE_HELLO)
        duet__session_rotate_if_due(theirs, &theirs->tx);
    return size;
}

/** The peer's pending HELLO, with changes inside. */
static size_t
hello(const struct instruction *i, uint8_t *wire)
{
    static uint8_t payload[WIRE_HELLO_MOST];
    int flight = theirs->tx_phase == DUET__TX_FLIGHT;
    size_t at = 0;

    if (theirs->error != DUET_OK || !(flight || theirs->tx_phase == DUET__TX_THIRD))
        return 0;
    const struct duet__handshake *handshake = &theirs->handshake->messages;
    size_t size = handshake->message_size, end = i->arg + i->size;
    if (end > sizeof payload)
        return 0;
    memset(payload, 0, sizeof payload);
    memcpy(payload, handshake->message, size);
    memcpy(payload + i->arg, i->payload, i->size);
    if (flight) {
        memcpy(wire, handshake->nonces + (theirs->role == DUET_TOP ? 0 : WIRE_NONCE), WIRE_NONCE);
        at = WIRE_NONCE;
    }
    size = seal(wire + at, WIRE_HELLO, payload, end > size ? end : size);
    if (size > 0)
        duet__session_hello_sent(theirs);
    return size > 0 ? at + size : 0;
}

/* ---- The script ---- */

static void
ask(duet_session *session, uint8_t what)
{
    static const uint8_t bytes[DUET_FRESH_SIZE] = {4};
    enum duet_request request = (enum duet_request)(DUET_ASK_CLOSE + what % 4);

    need(duet_explain(duet_session_ask(session, request, bytes)) != NULL);
}

static void
speak(const struct instruction *i)
{
    static uint8_t wire[WIRE];

    need(duet_explain(duet_session_send(ours, wire, i->arg, i->payload, i->size)) != NULL);
}

/** Returns 0 once our session is dead. */
static int
run(const struct instruction *i)
{
    static uint8_t wire[WIRE];
    size_t size = 0, piece = i->arg % 3 == 0 ? 1 + i->arg / 3u : sizeof wire;

    switch ((enum op)(i->op % OPS)) {
    case OP_FRAME:
        size = frame(i, wire);
        break;
    case OP_HELLO:
        size = hello(i, wire);
        break;
    case OP_HONEST:
        if (duet_session_flush(theirs, wire, sizeof wire, &size) != DUET_OK)
            size = 0;
        break;
    case OP_ASK:
        ask(ours, i->arg);
        break;
    case OP_THEY_ASK:
        ask(theirs, i->arg);
        break;
    case OP_SPEAK:
        speak(i);
        break;
    case OP_NOISE:
        return i->size == 0 || give(i->payload, i->size, piece);
    default:
        return duet_session_end(ours) == DUET_CLOSED;
    }
    if (size > 0 && !give(wire, size, piece))
        return 0;
    expected = NULL;
    carry_back();
    return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct instruction i;

    begin(input_byte(&in));
    for (uint8_t flights = input_byte(&in); flights > 0 && flights < 8; flights--) {
        static const struct instruction honest = {.op = OP_HONEST, .arg = 1};
        carry_back();
        need(run(&honest));
    }
    while (input_instruction(&in, &i) && run(&i))
        ;
    duet_session_free(ours);
    duet_session_free(theirs);
    return 0;
}
