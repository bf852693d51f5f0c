/*
 * Own initiation: one message each way, TOP first.
 *
 *   message = nonce(32) ‖ masked length(2) ‖ ephemeral key(32) ‖ padding(0 to 255) ‖ tag(32)
 *
 * All of it looks random. length counts what follows it. The tag is a MAC under the long-term
 * secret over all messages so far, so BOTTOM answers nobody who does not hold it; the session's
 * secret is derived from it, from X25519 and from both messages whole.
 */
#include "proprietary.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    NONCE = 32,
    HEAD = NONCE + 2,
    KEY = 32,
    TAG = 32,
    PADDING_MOST = 255,
    MESSAGE_MOST = HEAD + KEY + PADDING_MOST + TAG
};

struct message {
    uint8_t bytes[MESSAGE_MOST];
    size_t size;
};

struct state {
    enum duet_role role;
    unsigned turn;
    uint8_t nonce[NONCE];
    uint8_t private_key[KEY];
    uint8_t pad[1 + PADDING_MOST]; /* how much, and what */
    struct message sent[2];        /* [DUET_TOP], [DUET_BOTTOM] */
};

/* ---- X25519 of libcrypto ---- */

static int
public_of(const uint8_t private_key[KEY], uint8_t public_key[KEY])
{
    size_t size = KEY;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, KEY);
    int right = key != NULL && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1;

    EVP_PKEY_free(key);
    return right ? DUET_OK : DUET_E_CRYPTO;
}

/** A result of zeros, which a hostile key gives, is a failure of libcrypto's call. */
static int
agree(const uint8_t private_key[KEY], const uint8_t peer_key[KEY], uint8_t shared[KEY])
{
    size_t size = KEY;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, KEY);
    EVP_PKEY *theirs = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, peer_key, KEY);
    EVP_PKEY_CTX *ctx = mine != NULL ? EVP_PKEY_CTX_new(mine, NULL) : NULL;
    int right = theirs != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
                EVP_PKEY_derive(ctx, shared, &size) == 1;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(theirs);
    EVP_PKEY_free(mine);
    return right ? DUET_OK : DUET_E_UNAUTHENTICATED;
}

/* ---- Messages ---- */

static int
derive_mask(const struct px_secret *secret, const uint8_t *nonce, uint8_t mask[2])
{
    return px_derive(mask, 2, (struct px_bytes){secret->bytes, PX_SECRET}, "px mask",
                     (struct px_bytes){nonce, NONCE});
}

/** The tag of a role's message: over TOP's and, for BOTTOM's, over both. */
static int
derive_tag(const struct px_secret *secret, const struct state *state, enum duet_role role,
           uint8_t tag[TAG])
{
    uint8_t text[2 * MESSAGE_MOST];
    size_t used = 0;

    for (int r = DUET_TOP; r <= (int)role; r++) {
        const struct message *message = &state->sent[r];
        size_t n = r == (int)role ? message->size - TAG : message->size;
        memcpy(text + used, message->bytes, n);
        used += n;
    }
    return px_derive(tag, TAG, (struct px_bytes){secret->bytes, PX_SECRET},
                     role == DUET_TOP ? "px tag top" : "px tag bottom",
                     (struct px_bytes){text, used});
}

static int
write_message(const struct px_secret *secret, struct state *state, duet_handshake_turn *turn)
{
    struct message *message = &state->sent[state->role];
    uint8_t *at = message->bytes + HEAD;
    size_t padding = state->pad[0];
    size_t length = KEY + padding + TAG;
    uint8_t mask[2];

    int result = derive_mask(secret, state->nonce, mask);
    memcpy(message->bytes, state->nonce, NONCE);
    message->bytes[NONCE] = (uint8_t)(length >> 8 ^ mask[0]);
    message->bytes[NONCE + 1] = (uint8_t)(length ^ mask[1]);
    if (result == DUET_OK)
        result = public_of(state->private_key, at);
    memcpy(at + KEY, state->pad + 1, padding);
    message->size = HEAD + length;
    if (result == DUET_OK)
        result = derive_tag(secret, state, state->role, at + KEY + padding);
    memcpy(turn->out, message->bytes, message->size);
    turn->put = message->size;
    return result;
}

/** The head is here: the rest's length is within its bounds, whatever arrived. */
static int
read_head(const struct px_secret *secret, struct message *message, duet_handshake_turn *turn)
{
    uint8_t mask[2];
    int result = derive_mask(secret, turn->in, mask);

    memcpy(message->bytes, turn->in, HEAD);
    size_t length = (size_t)(turn->in[NONCE] ^ mask[0]) << 8 | (turn->in[NONCE + 1] ^ mask[1]);
    if (result == DUET_OK && (length < KEY + TAG || length > KEY + PADDING_MOST + TAG))
        result = DUET_E_UNAUTHENTICATED;
    message->size = HEAD + length;
    turn->need = length;
    return result;
}

/** The rest is here: verify the tag. */
static int
read_rest(const struct px_secret *secret, struct state *state, enum duet_role peer,
          duet_handshake_turn *turn)
{
    struct message *message = &state->sent[peer];
    uint8_t tag[TAG];

    memcpy(message->bytes + HEAD, turn->in, turn->in_size);
    int result = derive_tag(secret, state, peer, tag);
    if (result == DUET_OK && CRYPTO_memcmp(tag, message->bytes + message->size - TAG, TAG) != 0) {
        turn->detail = "the peer does not hold the proprietary secret";
        result = DUET_E_UNAUTHENTICATED;
    }
    duet_wipe(tag, sizeof tag);
    return result;
}

/** Both messages are there: the session's secret from long-term secret, X25519 and transcript. */
static int
complete(const struct px_secret *secret, struct state *state, duet_handshake_turn *turn)
{
    const struct message *first = &state->sent[DUET_TOP], *second = &state->sent[DUET_BOTTOM];
    const struct message *theirs = state->role == DUET_TOP ? second : first;
    uint8_t key[PX_SECRET + KEY], text[2 * MESSAGE_MOST];
    duet_agreement *agreement = turn->agreement;

    memcpy(key, secret->bytes, PX_SECRET);
    int result = agree(state->private_key, theirs->bytes + HEAD, key + PX_SECRET);
    memcpy(text, first->bytes, first->size);
    memcpy(text + first->size, second->bytes, second->size);
    agreement->secret_size = 128;
    if (result == DUET_OK)
        result =
            px_derive(agreement->secret, agreement->secret_size, (struct px_bytes){key, sizeof key},
                      "px session", (struct px_bytes){text, first->size + second->size});
    duet_wipe(key, sizeof key);
    memcpy(agreement->salt, first->bytes, NONCE); /* both parties contribute */
    memcpy(agreement->salt + NONCE, second->bytes, NONCE);
    agreement->salt_size = (size_t)2 * NONCE;
    agreement->rotate_frames[DUET_TOP] = agreement->rotate_frames[DUET_BOTTOM] = 10;
    turn->done = 1;
    return result;
}

/* ---- What the library calls ---- */

static int
begin(void *context, void *memory, const duet_handshake_input *input)
{
    struct state *state = memory;
    const struct px_bytes random = {input->random + DUET_NONCE_SIZE,
                                    input->random_size - DUET_NONCE_SIZE};
    const struct px_bytes none = {"", 0};

    (void)context;
    state->role = input->role;
    memcpy(state->nonce, input->random, NONCE);
    int result = px_derive(state->private_key, KEY, random, "px ephemeral", none);
    return result == DUET_OK ? px_derive(state->pad, sizeof state->pad, random, "px padding", none)
                             : result;
}

static int
top_turn(const struct px_secret *secret, struct state *state, duet_handshake_turn *turn)
{
    switch (state->turn++) {
    case 0:
        turn->need = HEAD;
        return write_message(secret, state, turn);
    case 1:
        return read_head(secret, &state->sent[DUET_BOTTOM], turn);
    default: {
        int result = read_rest(secret, state, DUET_BOTTOM, turn);
        return result == DUET_OK ? complete(secret, state, turn) : result;
    }
    }
}

static int
bottom_turn(const struct px_secret *secret, struct state *state, duet_handshake_turn *turn)
{
    int result = DUET_OK;

    switch (state->turn++) {
    case 0:
        turn->need = HEAD;
        return DUET_OK;
    case 1:
        return read_head(secret, &state->sent[DUET_TOP], turn);
    case 2: /* verified first, then checked against replays, then answered */
        memcpy(turn->nonce, state->sent[DUET_TOP].bytes, NONCE);
        turn->check_nonce = 1;
        return read_rest(secret, state, DUET_TOP, turn);
    default:
        result = write_message(secret, state, turn);
        return result == DUET_OK ? complete(secret, state, turn) : result;
    }
}

static int
take_turn(void *context, void *memory, duet_handshake_turn *turn)
{
    struct state *state = memory;

    return state->role == DUET_TOP ? top_turn(context, state, turn)
                                   : bottom_turn(context, state, turn);
}

duet_handshake_ops
px_handshake(struct px_secret *secret)
{
    return (duet_handshake_ops){.size = sizeof(duet_handshake_ops),
                                .context = secret,
                                .state_size = sizeof(struct state),
                                .turn_most = MESSAGE_MOST,
                                .begin = begin,
                                .turn = take_turn};
}
