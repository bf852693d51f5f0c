/*
 * Fuzzes the first bytes of a connection for either role, and any payload within a HELLO sealed
 * with the secret, after a prelude. The peer is never authenticated, so that no session becomes
 * ready and no data is returned.
 */
#include "fuzz.h"
#include "session/session.h"

#include <string.h>

static const uint8_t secret[2][64] = {{1}, {2}}; /* the second opens the HELLO */

static duet_config *
config(unsigned prelude)
{
    static duet_config *made[2];
    static const struct duet__identity identity = {{9}, {9}};
    static struct duet__profile profile;

    if (made[prelude] != NULL)
        return made[prelude];
    duet__profile_init(&profile);
    profile.prelude_size[DUET_TOP] = profile.prelude_size[DUET_BOTTOM] = (size_t)3 * prelude;
    made[prelude] = duet_config_new();
    need(made[prelude] != NULL);
    for (unsigned i = 0; i < 2; i++)
        need(duet__config_add_secret(made[prelude], secret[i], sizeof secret[i], 0) == DUET_OK);
    need(duet__config_set_profile(made[prelude], &profile) == DUET_OK);
    need(duet__config_set_identity(made[prelude], &identity) == DUET_OK);
    need(duet_config_set(made[prelude], DUET_SET_PATTERNS, 7) == DUET_OK);
    return made[prelude];
}

/** Feed the wire to a new session. */
static void
take(const duet_config *with, enum duet_role role, const uint8_t *wire, size_t size)
{
    static const uint8_t random[DUET_RANDOM_SIZE] = {1};
    static uint8_t out[70000];
    duet_session *session;
    int result = DUET_OK;
    size_t at = 0, put;

    need(duet_session_new(&session, with, role, random, 0) == DUET_OK);
    if (role == DUET_TOP)
        need(duet_session_flush(session, out, sizeof out, &put) == DUET_OK);
    while (at < size && result == DUET_OK) {
        struct duet_step step = {.in = wire + at, .in_size = size - at, .out = out, .out_size = 64};
        result = duet_session_recv(session, &step);
        at += step.used;
        if (step.event == DUET_EVENT_NONCE)
            result = duet_session_accept(session, 0);
        need(step.event == DUET_EVENT_NONE || step.event == DUET_EVENT_NONCE ||
             step.event == DUET_EVENT_LIBRARY);
    }
    need(result == DUET_OK || result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED);
    result = duet_session_flush(session, out, sizeof out, &put);
    need(result == DUET_OK || put == 0); /* silence */
    duet_session_free(session);
}

/** Seal a payload as TOP's first HELLO, and give it to a listener. */
static void
take_sealed(const duet_config *with, const uint8_t *payload, size_t size)
{
    static uint8_t wire[40000];
    static const uint8_t nonce[WIRE_NONCE] = {5};
    struct duet__cipher top;
    size_t put, at = with->profile.prelude_size[DUET_TOP];

    struct duet__cipher_start start = {.schedule = {NULL, with->label},
                                       .sender = DUET_TOP,
                                       .key = &with->psks[1].half[DUET_TOP],
                                       .use = "hello",
                                       .salt = {nonce, sizeof nonce}};
    (void)!duet__cipher_start(&top, &start);
    memcpy(wire, with->profile.prelude[DUET_TOP], at);
    memcpy(wire + at, nonce, sizeof nonce);
    at += sizeof nonce;
    duet__cipher_seal_begin(&top, wire + at, WIRE_HELLO, (uint32_t)size);
    duet__cipher_seal_piece(&top, wire + at + DUET_HEADER_SIZE, &put, payload, size);
    take(with, DUET_BOTTOM, wire, at + DUET_FRAME_OVERHEAD + size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t setup = input_byte(&in);
    const duet_config *with = config(setup & 1);

    if (setup & 2)
        take(with, setup & 4 ? DUET_TOP : DUET_BOTTOM, in.at, in.left);
    else if (in.left <= WIRE_HELLO_MOST)
        take_sealed(with, in.at, in.left);
    return 0;
}
