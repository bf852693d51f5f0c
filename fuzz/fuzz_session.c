/*
 * A peer that holds the secret and says anything: the input is a list of frames, which are sealed
 * and given to an open session in pieces. Whatever it says, the session stays in bounds and keeps
 * its word.
 */
#include <duet/duet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static duet_session *ours, *theirs;

static void
start(void)
{
    static duet_config *config;
    static const uint8_t salt[16] = {1}, secret[64] = {2};

    if (config == NULL) {
        config = duet_config_new();
        if (config == NULL || duet_config_add_secret(config, secret, sizeof secret) != DUET_OK)
            abort();
    }
    if (duet_session_new_preset(&ours, config, DUET_TOP, salt, sizeof salt) != DUET_OK ||
        duet_session_new_preset(&theirs, config, DUET_BOTTOM, salt, sizeof salt) != DUET_OK)
        abort();
}

/** Give our session what the other one sealed. Returns DUET_OK while it lives. */
static int
give(const uint8_t *wire, size_t size, size_t piece)
{
    static const uint8_t random[DUET_FRESH_SIZE] = {3};
    static uint8_t out[70000];

    for (size_t at = 0; at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        struct duet_step step = {.in = wire + at, .in_size = n, .out = out, .out_size = sizeof out};
        int result = duet_session_recv(ours, &step);
        if (result != DUET_OK)
            return result;
        at += step.used;
        if (step.event == DUET_EVENT_RANDOM &&
            (result = duet_session_ask(ours, DUET_ASK_ANSWER, random)) != DUET_OK)
            return result;
    }
    return DUET_OK;
}

/** One instruction: what is asked of either side, or a frame of some code and length. */
static int
run(uint8_t what, const uint8_t *payload, size_t size)
{
    static uint8_t wire[70000];
    size_t put = 0;

    if (what < 8)
        duet_session_ask(what & 1 ? ours : theirs, (enum duet_request)(what / 2 + 2), wire);
    else if (duet_session_send(theirs, wire, payload, size, what < 128 ? what : DUET_CODE_MORE) ==
             DUET_OK)
        put = size + DUET_FRAME_OVERHEAD;
    int result = give(wire, put, (size_t)what + 1);
    if (result == DUET_OK && duet_session_flush(theirs, wire, sizeof wire, &put) == DUET_OK)
        result = give(wire, put, (size_t)what + 1);
    if (result == DUET_OK && what % 16 == 9 && size > 0) { /* and noise in between */
        result = give(payload, size, size);
        duet_session_end(ours);
    }
    if (duet_session_flush(ours, wire, sizeof wire, &put) == DUET_OK && put > 0) {
        struct duet_step step = {.in = wire, .in_size = put};
        duet_session_recv(theirs, &step);
    }
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start();
    while (size >= 3) {
        size_t n = (size_t)data[1] << 8 | data[2];
        n = n < size - 3 ? n : size - 3;
        if (run(data[0], data + 3, n) != DUET_OK)
            break;
        data += 3 + n;
        size -= 3 + n;
    }
    duet_session_free(ours);
    duet_session_free(theirs);
    return 0;
}
