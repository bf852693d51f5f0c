/*
 * Secrets as undefined memory under valgrind: a branch or an index that depends on one is an error
 * that it tells. For the portable kernel; libcrypto's output counts as defined where a value is
 * meant to be seen, such as what goes on the wire (docs/protocol.md §1, §3).
 *
 * Run by itself, without valgrind, it only checks that the calls work.
 */
#include "base/equal.h"
#include "secret/base64.h"
#include "session/session.h"

#include "shake/noise.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

static void
need(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void
hide(void *memory, size_t size)
{
    (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
}

static void
show(void *memory, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
}

/** Derivations, sealing and rotation under a secret that nobody may look at. */
static void
sealing(void)
{
    static const uint8_t salt[16] = {1};
    static uint8_t secret[1024], payload[5000], wire[6000];
    duet_config *config = duet_config_new();
    duet_session *session;
    size_t put;

    need(config != NULL, "a configuration");
    hide(secret, sizeof secret);
    hide(payload, sizeof payload);
    need(duet_config_add_secret(config, secret, sizeof secret) == DUET_OK, "a secret");
    need(duet_session_new_preset(&session, config, DUET_TOP, salt, sizeof salt) == DUET_OK,
         "a session");
    show(session->tx.block, sizeof session->tx.block); /* a nonce: libcrypto counts with branches */
    for (size_t n = 0; n < sizeof payload; n += 617)
        need(duet_session_send(session, wire, payload, n, 0) == DUET_OK, "a frame");
    need(duet_session_ask(session, DUET_ASK_ROTATE, NULL) == DUET_OK, "to rotate");
    need(duet_session_flush(session, wire, sizeof wire, &put) == DUET_OK && put == 24, "ROTATE");
    show(session->tx.block, sizeof session->tx.block);
    need(duet_session_ask(session, DUET_ASK_CLOSE, NULL) == DUET_OK, "to close");
    need(duet_session_flush(session, wire, sizeof wire, &put) == DUET_OK && put == 24, "CLOSE");
    duet_session_free(session);
    duet_config_free(config);
}

/** What MACs and ids are compared with: no branch until the answer is there. */
static void
comparing(void)
{
    uint8_t a[32], b[32];

    memset(a, 1, sizeof a);
    memset(b, 1, sizeof b);
    hide(a, sizeof a);
    int answer = duet__equal(a, b, sizeof a);
    show(&answer, sizeof answer);
    need(answer == 1 || answer == 0, "an answer");
}

/** Base64 of keys: only whether it is valid may be seen. */
static void
base64(void)
{
    uint8_t key[DUET_KEY_SIZE], back[DUET_KEY_SIZE];
    char text[DUET__BASE64_SIZE(DUET_KEY_SIZE)];
    size_t put;

    memset(key, 0x5a, sizeof key);
    hide(key, sizeof key);
    duet__base64_encode(text, key, sizeof key);
    show(text + sizeof text - 2, 2); /* whether there is padding shows by the size alone */
    int bad = duet__base64_decode(back, sizeof back, &put, text, sizeof text);
    show(&bad, sizeof bad);
    need(put == sizeof back, "the key's size");
}

/** The symmetric part of a Noise message: keys, hash and psk. */
static void
noise(void)
{
    static struct duet__noise state;
    static const struct duet__octets nothing = {NULL, 0};
    uint8_t message[200];
    struct duet__writer to = duet__writer(message, sizeof message);

    memset(state.e, 7, sizeof state.e);
    memset(state.psk, 9, sizeof state.psk);
    hide(state.psk, sizeof state.psk);
    need(duet__noise_begin(&state, DUET__NOISE_NNPSK0, 1, nothing) == DUET_OK, "Noise");
    need(duet__noise_write(&state, &to, nothing) == DUET_OK, "m1");
}

int
main(void)
{
    need(duet_init() == DUET_OK, "libcrypto");
    need(strcmp(duet_kernel_name(), "portable") == 0, "the portable kernel; set DUET_KERNEL");
    sealing();
    comparing();
    base64();
    noise();
    puts(RUNNING_ON_VALGRIND ? "no branch and no index depends on a secret"
                             : "not under valgrind: only tried");
    return 0;
}
