/*
 * What a listener makes of its first octets: any at all, and any message within a HELLO that the
 * secret sealed.
 */
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static duet_config *
config(void)
{
    static duet_config *made;
    static const uint8_t secret[64] = {2};
    static const duet_identity identity = {{9}, {9}};

    if (made != NULL)
        return made;
    made = duet_config_new();
    if (made == NULL || duet_config_add_secret(made, secret, sizeof secret) != DUET_OK)
        abort();
    duet_config_set_identity(made, &identity);
    duet_config_set(made, DUET_SET_PATTERNS, 7);
    return made;
}

static void
take(const uint8_t *wire, size_t size)
{
    static const uint8_t random[DUET_RANDOM_SIZE] = {1};
    static uint8_t out[70000];
    duet_session *bottom;
    size_t at = 0, put;

    if (duet_session_new(&bottom, config(), DUET_BOTTOM, random, 0) != DUET_OK)
        abort();
    while (at < size) {
        struct duet_step step = {.in = wire + at, .in_size = size - at, .out = out, .out_size = 64};
        if (duet_session_recv(bottom, &step) != DUET_OK)
            break;
        at += step.used;
        if (step.event == DUET_EVENT_NONCE &&
            duet_session_ask(bottom, DUET_ASK_FRESH, NULL) != DUET_OK)
            break;
        if (step.event == DUET_EVENT_READY)
            abort(); /* nobody has proven anything */
    }
    duet_session_flush(bottom, out, sizeof out, &put);
    duet_session_free(bottom);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t wire[40000];
    static const uint8_t nonce[WIRE_NONCE] = {5};
    struct duet__dir top;
    size_t put;

    take(data, size);
    if (size > WIRE_HELLO_MOST)
        return 0;
    struct duet__dir_start with = {
        config()->realms[0].half[DUET_TOP], config()->label, "hello", {nonce, sizeof nonce}};
    duet__dir_start(&top, &with);
    memcpy(wire, nonce, sizeof nonce);
    uint8_t *frame = wire + sizeof nonce;
    duet__dir_seal_begin(&top, frame, WIRE_HELLO, (uint32_t)size);
    duet__dir_seal_piece(&top, frame + DUET_HEADER_SIZE, &put, data, size);
    take(wire, sizeof nonce + DUET_FRAME_OVERHEAD + size);
    return 0;
}
