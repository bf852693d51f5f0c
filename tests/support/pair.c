/*
 * Two sessions over memory (see pair.h).
 */
#include "support/pair.h"

#include "crypto/x25519.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void (*pair_hide)(void *memory, size_t size);
void (*pair_show)(const void *memory, size_t size);
void (*pair_draw)(void *memory, size_t size);

static void
hide(void *memory, size_t size)
{
    if (pair_hide != NULL)
        pair_hide(memory, size);
}

uint8_t
pair_byte(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

duet_info
pair_info(const struct pair_end *end)
{
    duet_info info;
    duet_session_info(end->session, &info);
    return info;
}

static void
configure(struct pair_end *end, const struct pair_options *options, uint8_t seed)
{
    static struct duet__profile profile;
    uint8_t secret[64];
    struct duet__identity identity;

    memset(&profile, 0, sizeof profile);
    profile.hello_least = profile.hello_most = options->hello_size;
    profile.rotate_frames = options->rotate_frames != 0 ? options->rotate_frames : 16;
    profile.rotate_blocks = options->rotate_blocks != 0 ? options->rotate_blocks : 22;
    memset(secret, 0x5a, sizeof secret);
    if (options->secret != NULL)
        memcpy(secret, options->secret, sizeof secret);
    hide(secret, sizeof secret);
    end->config = duet_config_new();
    assert_non_null(end->config);
    assert_int_equal(duet__config_add_secret(end->config, secret, sizeof secret, 0), DUET_OK);
    assert_int_equal(duet__config_set_profile(end->config, &profile), DUET_OK);
    assert_int_equal(duet_config_set(end->config, DUET_SET_PATTERNS, 1u << options->pattern),
                     DUET_OK);
    assert_int_equal(
        duet_config_set(end->config, DUET_SET_SPEAK_FIRST, (uint64_t)options->speak_first),
        DUET_OK);
    assert_int_equal(duet_config_set(end->config, DUET_SET_DIALECT, (uint64_t)options->dialect),
                     DUET_OK);
    if (options->no_hybrid)
        assert_int_equal(duet_config_set(end->config, DUET_SET_HYBRID, DUET_HYBRID_OFF), DUET_OK);
    if (options->pattern != DUET_PATTERN_IDENTITY)
        return;
    memset(identity.private_key, seed, sizeof identity.private_key);
    hide(identity.private_key, sizeof identity.private_key);
    assert_int_equal(duet__x25519_public(identity.public_key, identity.private_key), DUET_OK);
    assert_int_equal(duet__config_set_identity(end->config, &identity), DUET_OK);
}

int
pair_sessions(struct pair *pair)
{
    int result = DUET_OK;

    for (int i = 0; i < 2 && result == DUET_OK; i++) {
        struct pair_end *end = &pair->end[i];
        duet_config *config = end->config;
        uint8_t random[DUET_RANDOM_SIZE];

        duet_session_free(end->session);
        memset(end, 0, sizeof *end);
        end->config = config;
        memset(random, 0x11 + i, sizeof random);
        if (pair_draw != NULL)
            pair_draw(random, sizeof random);
        hide(random + DUET_NONCE_SIZE, DUET_KEY_SIZE);      /* the ephemeral key */
        if (duet__config_hybrid(config) != DUET_HYBRID_OFF) /* what ML-KEM draws */
            for (size_t at = DUET_RANDOM_SIZE - 64; at < DUET_RANDOM_SIZE; at += DUET_KEY_SIZE)
                hide(random + at, DUET_KEY_SIZE);
        result = duet_session_new(&end->session, config, (enum duet_role)i, random, 0);
    }
    return result;
}

void
pair_open(struct pair *pair, const struct pair_options *options)
{
    memset(pair, 0, sizeof *pair);
    configure(&pair->end[DUET_TOP], options, 0x21);
    configure(&pair->end[DUET_BOTTOM], options, 0x42);
    assert_int_equal(pair_sessions(pair), DUET_OK);
}

void
pair_thaw(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        duet_session_free(pair->end[i].session);
        pair->end[i].session = NULL;
        pair->end[i].config->frozen = 0;
    }
}

void
pair_close(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        duet_session_free(pair->end[i].session);
        duet_config_free(pair->end[i].config);
    }
}

int
pair_flush(struct pair_end *end)
{
    size_t put;
    int result = duet_session_flush(end->session, end->wire + end->wire_size,
                                    PAIR_WIRE - end->wire_size, &put);
    end->wire_size += put;
    return result;
}

int
pair_send(struct pair_end *end, uint32_t code, size_t n)
{
    uint8_t *frame = end->wire + end->wire_size;

    assert_true(end->wire_size + n + DUET_FRAME_OVERHEAD <= PAIR_WIRE);
    for (size_t i = 0; i < n; i++)
        frame[DUET_HEADER_SIZE + i] = pair_byte(i);
    int result = duet_session_send(end->session, frame, code, frame + DUET_HEADER_SIZE, n);
    if (result == DUET_OK)
        end->wire_size += n + DUET_FRAME_OVERHEAD;
    return result;
}

/** Answer an event, and count what it tells. */
static int
answer(struct pair_end *end, const struct duet_step *step)
{
    uint8_t random[DUET_FRESH_SIZE];

    end->pending += step->put;
    switch (step->event) {
    case DUET_EVENT_NONCE:
        if (end->replay != NULL)
            return duet_replay_check(end->replay, end->session, 0);
        return end->nonce_known ? duet__session_refuse(end->session)
                                : duet_session_accept(end->session, 0);
    case DUET_EVENT_RANDOM:
        memset(random, 0x80 + end->fresh++, sizeof random);
        hide(random, sizeof random);
        return duet_session_refresh(end->session, random);
    case DUET_EVENT_FRAME:
        assert_int_equal(step->length, end->pending);
        end->got_size += end->pending;
        end->pending = 0;
        end->frames++;
        end->code = step->code;
        return DUET_OK;
    case DUET_EVENT_PONG:
        end->pongs++;
        return DUET_OK;
    default:
        return DUET_OK;
    }
}

int
pair_feed(struct pair_end *end, const uint8_t *bytes, size_t size, size_t piece)
{
    size_t used = 0;

    while (used < size) {
        size_t n = size - used;
        if (piece != 0 && n > piece)
            n = piece;
        struct duet_step step = {.in = bytes + used,
                                 .in_size = n,
                                 .out = end->got + end->got_size + end->pending,
                                 .out_size = PAIR_WIRE - end->got_size - end->pending};
        int result = duet_session_recv(end->session, &step);
        used += step.used;
        if (result == DUET_OK)
            result = answer(end, &step);
        if (result != DUET_OK)
            return result;
    }
    return DUET_OK;
}

int
pair_carry(struct pair_end *from, struct pair_end *to)
{
    size_t size = from->wire_size;

    if (pair_show != NULL)
        pair_show(from->wire, size);
    from->wire_size = 0;
    return pair_feed(to, from->wire, size, 0);
}

int
pair_settle(struct pair *pair)
{
    struct pair_end *top = &pair->end[DUET_TOP], *bottom = &pair->end[DUET_BOTTOM];
    int result = DUET_OK;

    do {
        result = pair_flush(top);
        if (result == DUET_OK)
            result = pair_carry(top, bottom);
        if (result == DUET_OK)
            result = pair_flush(bottom);
        if (result == DUET_OK)
            result = pair_carry(bottom, top);
    } while (result == DUET_OK && (pair_info(top).pending > 0 || pair_info(bottom).pending > 0));
    return result;
}

void
pair_handshake(struct pair *pair)
{
    assert_int_equal(pair_settle(pair), DUET_OK);
    assert_true(pair_info(&pair->end[DUET_TOP]).ready);
    assert_true(pair_info(&pair->end[DUET_BOTTOM]).ready);
}

void
pair_ready(struct pair *pair, const struct pair_options *options)
{
    pair_open(pair, options);
    pair_handshake(pair);
}
