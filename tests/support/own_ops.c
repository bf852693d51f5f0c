/*
 * A handshake and a key schedule of an application's own, for the tests (see own_ops.h).
 */
#include "support/own_ops.h"

#include "base/equal.h"
#include "crypto/hkdf.h"

#include <string.h>

struct own_state {
    enum duet_role role;
    unsigned turn;
    uint8_t nonces[64];
    uint8_t secret[64];
};

_Static_assert(sizeof(struct own_state) <= OWN_STATE, "fits");

static int
fails(struct own_context *context)
{
    return ++context->calls == context->fail;
}

static void
mac(const struct own_context *context, const char *label, const uint8_t *nonces, size_t size,
    uint8_t out[32])
{
    uint8_t text[80];

    memcpy(text, label, 3);
    memcpy(text + 3, nonces, size);
    duet__hkdf_extract(out, (struct duet__bytes){context->secret, sizeof context->secret},
                       (struct duet__bytes){text, size + 3});
}

static int
begin(void *at, void *memory, const duet_handshake_input *input)
{
    struct own_context *context = at;
    struct own_state *state = memory;

    if (fails(context))
        return context->failure;
    context->begun++;
    context->state[input->role] = memory;
    state->role = input->role;
    memcpy(state->nonces + (input->role == DUET_TOP ? 0 : 32), input->random, 32);
    return DUET_OK;
}

/** Complete the agreement, or what the fault makes of it. */
static void
agree(struct own_context *context, struct own_state *state, duet_handshake_turn *turn, int wrong)
{
    duet_agreement *agreement = turn->agreement;
    enum own_fault fault = wrong ? context->fault : OWN_RIGHT;

    mac(context, "top", state->nonces, 64, state->secret);
    mac(context, "bot", state->nonces, 64, state->secret + 32);
    memcpy(agreement->secret, state->secret, 64);
    memcpy(agreement->salt, state->nonces, 64);
    agreement->secret_size = 64;
    agreement->salt_size = 64;
    if (fault == OWN_SHORT_SECRET)
        agreement->secret_size = 62;
    if (fault == OWN_ODD_SECRET)
        agreement->secret_size = 65;
    if (fault == OWN_SHORT_SALT)
        agreement->salt_size = 15;
    if (fault == OWN_LONG_SALT)
        agreement->salt_size = 65;
    if (fault == OWN_ZERO_SECRET)
        memset(agreement->secret + 32, 0, 32);
    if (fault == OWN_ROTATES_NEVER)
        agreement->rotate_blocks[1] = 31;
    if (fault == OWN_SMALL_LIMIT)
        agreement->max_payload[!state->role] = 255;
    if (fault == OWN_LARGE_LIMIT)
        agreement->max_payload[state->role]++;
    agreement->has_peer_key = context->with_key;
    memcpy(agreement->peer_key, context->peer_key, sizeof agreement->peer_key);
    turn->done = 1;
}

/** The faults that do not look at what was agreed. Returns 1 when one was committed. */
static int
misbehave(enum own_fault fault, duet_handshake_turn *turn)
{
    switch (fault) {
    case OWN_WRITES_TOO_MUCH:
        turn->put = turn->out_room + 1;
        turn->need = 1;
        return 1;
    case OWN_SAYS_NOTHING:
        return 1;
    case OWN_SAYS_TWO_THINGS:
        turn->need = 1;
        turn->done = 1;
        return 1;
    case OWN_WANTS_TOO_MUCH:
        turn->need = DUET_OWN_WIRE_MOST + 1u;
        return 1;
    case OWN_ASKS_AT_ONCE:
        turn->check_nonce = 1;
        return 1;
    case OWN_ENDLESS: /* one byte each way, for ever */
        turn->put = turn->out_room > 0;
        turn->need = 1;
        return 1;
    default:
        return 0;
    }
}

static int
top_turn(struct own_context *context, struct own_state *state, duet_handshake_turn *turn, int wrong)
{
    uint8_t tag[32];

    if (state->turn++ == 0) {
        memcpy(turn->out, state->nonces, 32);
        mac(context, "one", state->nonces, 32, turn->out + 32);
        turn->put = OWN_FLIGHT;
        turn->need = OWN_FLIGHT;
        return DUET_OK;
    }
    memcpy(state->nonces + 32, turn->in, 32);
    mac(context, "two", state->nonces, 64, tag);
    if (!duet__equal(tag, turn->in + 32, sizeof tag)) {
        turn->detail = "the answer is not for this secret";
        return DUET_E_FORGED;
    }
    agree(context, state, turn, wrong);
    return DUET_OK;
}

static int
bottom_turn(struct own_context *context, struct own_state *state, duet_handshake_turn *turn,
            int wrong)
{
    uint8_t tag[32];

    switch (state->turn++) {
    case 0:
        turn->need = OWN_FLIGHT;
        return DUET_OK;
    case 1:
        memcpy(state->nonces, turn->in, 32);
        mac(context, "one", state->nonces, 32, tag);
        if (!duet__equal(tag, turn->in + 32, sizeof tag))
            return DUET_E_UNAUTHENTICATED;
        memcpy(turn->nonce, state->nonces, 32);
        turn->check_nonce = 1;
        return DUET_OK;
    default:
        if (wrong && context->fault == OWN_ASKS_TWICE) {
            turn->check_nonce = 1;
            return DUET_OK;
        }
        memcpy(turn->out, state->nonces + 32, 32);
        mac(context, "two", state->nonces, 64, turn->out + 32);
        turn->put = OWN_FLIGHT;
        agree(context, state, turn, wrong);
        return DUET_OK;
    }
}

static int
turn_of(void *at, void *memory, duet_handshake_turn *turn)
{
    struct own_context *context = at;
    struct own_state *state = memory;
    int wrong = context->role == (int)state->role;

    if (fails(context))
        return context->failure;
    if (wrong && context->fault == OWN_STRANGE_RESULT)
        return 77;
    if (wrong && misbehave(context->fault, turn))
        return DUET_OK;
    if (state->role == DUET_TOP)
        return top_turn(context, state, turn, wrong);
    return bottom_turn(context, state, turn, wrong);
}

static void
end(void *at, void *memory)
{
    struct own_context *context = at;

    (void)memory;
    context->ended++;
}

duet_handshake_ops
own_handshake(struct own_context *context)
{
    return (duet_handshake_ops){.size = sizeof(duet_handshake_ops),
                                .context = context,
                                .state_size = OWN_STATE,
                                .turn_most = OWN_FLIGHT,
                                .begin = begin,
                                .turn = turn_of,
                                .end = end};
}

/* ---- Schedule: the counter block is the epoch's number ---- */

static void
derive_epoch(const duet_schedule_input *input, const uint8_t root[32], duet_epoch *epoch)
{
    duet__hkdf_expand(root, (struct duet__bytes){"own key", 7}, DUET__NO_BYTES, epoch->key, 32);
    duet__hkdf_expand(root, (struct duet__bytes){"own chain", 9}, DUET__NO_BYTES, epoch->chain, 32);
    memset(epoch->block, 0, sizeof epoch->block);
    duet__store64(epoch->block, input->epoch);
}

static int
start(void *at, const duet_schedule_input *input, uint8_t root[32], duet_epoch *epoch)
{
    struct own_context *context = at;
    static const uint8_t same[32] = {1};

    if (fails(context))
        return context->failure;
    duet__hkdf_extract(root, (struct duet__bytes){input->salt, input->salt_size},
                       (struct duet__bytes){input->secret, input->secret_size});
    if (context->same_direction)
        memcpy(root, same, sizeof same);
    derive_epoch(input, root, epoch);
    return DUET_OK;
}

static int
rotate(void *at, const duet_schedule_input *input, uint8_t root[32], duet_epoch *epoch)
{
    struct own_context *context = at;
    duet_schedule_input before = *input;

    if (fails(context))
        return context->failure;
    if (context->same_epoch && input->fresh_size == 0) {
        before.epoch--;
        derive_epoch(&before, root, epoch);
        return DUET_OK;
    }
    duet__hkdf_extract(root, (struct duet__bytes){root, 32},
                       (struct duet__bytes){input->fresh, input->fresh_size});
    if (context->same_rotation)
        memset(root, 7, 32);
    derive_epoch(input, root, epoch);
    return DUET_OK;
}

duet_schedule_ops
own_schedule(struct own_context *context)
{
    return (duet_schedule_ops){
        .size = sizeof(duet_schedule_ops), .context = context, .start = start, .rotate = rotate};
}
