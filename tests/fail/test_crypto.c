/*
 * The n-th call of libcrypto's fails, for every n: the session whose call it was is dead and holds
 * no key, says so from then on, and nothing wrong was sealed or reported before; the next session is well.
 *
 * libcrypto's functions are taken over by the linker (--wrap), and the kernel is the portable one,
 * which has its AES from there. Left alone are EVP_PKEY_derive (an all-zero result) and
 * EVP_CipherFinal_ex (a wrong tag), as they fail where the peer is at fault, too; EVP_CipherInit_ex2,
 * which also clears a lent context; and what makes the things that are lent.
 */
#include "support/pair.h"

#include "session/many.h"
#include "session/session.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SMALL = 90, LARGE = 3000 };

static long until = -1; /* calls that still succeed; negative: all */

static int
fails(void)
{
    if (until < 0)
        return 0;
    return until-- == 0;
}

#define FAILING(type, failure, name, parameters, arguments)                                        \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails() ? (failure) : __real_##name arguments;                                      \
    }

FAILING(int, 0, EVP_EncryptInit_ex2,
        (EVP_CIPHER_CTX * c, const EVP_CIPHER *t, const unsigned char *k, const unsigned char *iv,
         const OSSL_PARAM *p),
        (c, t, k, iv, p))
FAILING(int, 0, EVP_EncryptUpdate,
        (EVP_CIPHER_CTX * c, unsigned char *out, int *put, const unsigned char *in, int size),
        (c, out, put, in, size))
FAILING(int, 0, EVP_CipherUpdate,
        (EVP_CIPHER_CTX * c, unsigned char *out, int *put, const unsigned char *in, int size),
        (c, out, put, in, size))
FAILING(int, 0, EVP_CIPHER_CTX_ctrl, (EVP_CIPHER_CTX * c, int type, int arg, void *ptr),
        (c, type, arg, ptr))
FAILING(EVP_PKEY_CTX *, NULL, EVP_PKEY_CTX_new_from_pkey,
        (OSSL_LIB_CTX * l, EVP_PKEY *key, const char *q), (l, key, q))
FAILING(int, 0, EVP_PKEY_fromdata_init, (EVP_PKEY_CTX * c), (c))
FAILING(int, 0, EVP_PKEY_fromdata,
        (EVP_PKEY_CTX * c, EVP_PKEY **key, int selection, OSSL_PARAM *params),
        (c, key, selection, params))
FAILING(int, 0, EVP_PKEY_get_raw_public_key,
        (const EVP_PKEY *key, unsigned char *out, size_t *size), (key, out, size))
FAILING(int, 0, EVP_PKEY_set1_encoded_public_key,
        (EVP_PKEY * key, const unsigned char *in, size_t size), (key, in, size))
FAILING(int, 0, EVP_PKEY_derive_init, (EVP_PKEY_CTX * c), (c))
FAILING(int, 0, EVP_PKEY_derive_set_peer_ex, (EVP_PKEY_CTX * c, EVP_PKEY *peer, int validate),
        (c, peer, validate))
static struct pair pair;
static struct pair_end *const top = &pair.end[DUET_TOP];
static struct pair_end *const bottom = &pair.end[DUET_BOTTOM];

/** One frame each way by the calls for many, so that both are sealed and opened together. */
static int
exchange_two(void)
{
    static const uint8_t payload[LARGE];
    struct duet__sealing sealings[2];
    struct duet__opening openings[2];

    for (int i = 0; i < 2; i++) {
        struct pair_end *end = &pair.end[i];
        sealings[i] = (struct duet__sealing){.session = end->session, .len = LARGE};
        sealings[i].out = end->wire;
        sealings[i].payload = payload;
    }
    int result = duet__session_send_many(sealings, 2);
    for (int i = 0; i < 2 && result == DUET_OK; i++) {
        struct pair_end *to = &pair.end[!i];
        result = pair_feed(to, pair.end[i].wire, DUET_HEADER_SIZE, 0);
        openings[i] = (struct duet__opening){.session = to->session};
        openings[i].step.in = pair.end[i].wire + DUET_HEADER_SIZE;
        openings[i].step.in_size = LARGE + DUET_MAC_SIZE;
        openings[i].step.out = to->got + to->got_size;
        openings[i].step.out_size = LARGE;
    }
    if (result == DUET_OK)
        result = duet__session_recv_many(openings, 2);
    for (int i = 0; i < 2 && result == DUET_OK; i++) {
        assert_int_equal(openings[i].step.event, DUET_EVENT_FRAME);
        assert_memory_equal(openings[i].step.out, payload, LARGE);
    }
    return result;
}

/** Frames of both sizes from one end to the other, and what came of them. */
static int
talk(struct pair_end *from, struct pair_end *to)
{
    static const size_t sizes[3] = {0, SMALL, LARGE};
    size_t had = to->got_size;
    int result = DUET_OK;

    for (size_t i = 0; i < 3 && result == DUET_OK; i++)
        result = pair_send(from, 7, sizes[i]);
    if (result == DUET_OK)
        result = pair_carry(from, to);
    size_t more = to->got_size - had;
    assert_true(more == 0 || more == SMALL || more == SMALL + LARGE);
    for (size_t i = 0; i < more; i++)
        assert_int_equal(to->got[had + i], pair_byte(i < SMALL ? i : i - SMALL));
    return result;
}

/** A whole session. Returns the first failure. */
static int
play(void)
{
    static const uint8_t draw[DUET_FRESH_SIZE] = {3};

    int result = pair_sessions(&pair);
    if (result == DUET_OK)
        result = pair_settle(&pair);
    if (result == DUET_OK)
        result = talk(top, bottom);
    if (result == DUET_OK)
        result = exchange_two();
    if (result == DUET_OK)
        result = duet_session_refresh(bottom->session, draw);
    if (result == DUET_OK)
        result = pair_settle(&pair);
    if (result == DUET_OK)
        result = talk(bottom, top);
    if (result == DUET_OK)
        result = duet_session_close(top->session);
    return result == DUET_OK ? pair_settle(&pair) : result;
}

/** A dead session says the same to every call, and both its directions are wiped. */
static int
is_dead(const struct pair_end *end, int result)
{
    static const struct duet__cipher nothing;
    uint8_t frame[DUET_FRAME_OVERHEAD + 1] = {0};
    struct duet_step step = {.in = frame, .in_size = 1, .out = frame, .out_size = 1};
    size_t put;

    if (end->session == NULL || end->session->error == DUET_OK)
        return 0;
    assert_int_equal(end->session->error, result);
    assert_int_equal(duet_session_send(end->session, frame, 0, frame, 0), result);
    assert_int_equal(duet_session_recv(end->session, &step), result);
    assert_int_equal(duet_session_flush(end->session, frame, sizeof frame, &put), result);
    assert_int_equal(put, 0);
    assert_null(end->session->handshake);
    assert_null(end->session->refresh);
    const struct duet__cipher *dirs[2] = {&end->session->tx, &end->session->rx};
    for (int i = 0; i < 2; i++) {
        struct duet__cipher dir = *dirs[i];
        assert_int_equal(dir.state, DUET__CIPHER_DEAD);
        dir.state = nothing.state;
        dir.error = nothing.error;
        assert_memory_equal(&dir, &nothing, sizeof dir);
    }
    return 1;
}

/** Returns 1 when there was no n-th call. */
static int
fails_at(long n, enum duet_pattern pattern)
{
    pair_open(&pair, &(struct pair_options){.pattern = pattern, .rotate_frames = 2});
    until = n;
    int result = play();
    int unused = until >= 0;
    until = -1;
    if (unused) {
        assert_int_equal(result, DUET_OK);
    } else {
        assert_int_equal(result, DUET_E_CRYPTO);
        int dead = is_dead(top, result) + is_dead(bottom, result);
        assert_true(dead > 0 || top->session == NULL || bottom->session == NULL);
    }
    assert_int_equal(play(), DUET_OK);
    pair_close(&pair);
    return unused;
}

static void
every_call(void **state)
{
    static const long least[3] = {40, 60, 80};

    (void)state;
    for (int pattern = 0; pattern < 3; pattern++) {
        long n = 0;
        while (!fails_at(n, (enum duet_pattern)pattern))
            n++;
        assert_true(n >= least[pattern]);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_call)};

    if (setenv("DUET_KERNEL", "portable", 1) != 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
