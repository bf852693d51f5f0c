/*
 * Fuzzes the messages within HELLOs: params alone, and the Noise messages of both patterns, read by
 * either role, with any params and extensions and with any bytes changed.
 *
 * Unchanged messages give both ends the same session secret and the params that were written.
 */
#include "crypto/x25519.h"
#include "fuzz.h"
#include "handshake/handshake.h"

#include <duet/duet.h>
#include <string.h>

static struct duet__handshake top, bottom;
static struct duet__psk psk;
static const uint8_t label[WIRE_DIGEST] = {7};

static void
prepare(struct duet__handshake *handshake, enum duet_role role, const struct duet__params *params,
        struct duet__bytes extensions)
{
    static struct duet__identity identities[2];
    static const uint8_t secret[64] = {2};
    uint8_t key[DUET_KEY_SIZE];

    if (psk.secret == NULL) {
        need(duet_init() == DUET_OK);
        need(duet__psk_init(&psk, secret, sizeof secret) == DUET_OK);
    }
    memset(key, 1 + (int)role, sizeof key);
    memcpy(identities[role].private_key, key, sizeof key);
    need(duet__x25519_public(identities[role].public_key, key) == DUET_OK);
    duet__handshake_wipe(handshake);
    need(duet__handshake_make_room(handshake) == DUET_OK);
    memset(handshake->noise.e, 3 + (int)role, sizeof handshake->noise.e);
    handshake->role = role;
    handshake->psk = &psk;
    handshake->label = label;
    handshake->identity = &identities[role];
    handshake->extensions[0] = extensions;
    handshake->mine = *params;
}

static struct duet__params
draw_params(struct input *in)
{
    struct duet__params params = {.rotate_frames = input_byte(in), .rotate_blocks = input_byte(in)};

    params.max_payload = (uint32_t)input_byte(in) << 24 | (uint32_t)input_byte(in) << 8;
    params.time_ms = input_byte(in);
    return params;
}

static int
same_params(const struct duet__params *a, const struct duet__params *b)
{
    return a->rotate_frames == b->rotate_frames && a->rotate_blocks == b->rotate_blocks &&
           a->max_payload == b->max_payload && a->time_ms == b->time_ms;
}

/** One message from one end to the other; `change` is written over it from byte `at` on. Returns 1
 * when it was read. */
static int
pass(struct duet__handshake *from, struct duet__handshake *to, const uint8_t *change, size_t size,
     size_t at)
{
    uint8_t hello[DUET__MESSAGE_MOST + 256];
    int last = from->noise.message == 2;

    int result = duet__handshake_write(from);
    if (result == DUET_E_ROOM) /* extensions that are too long for a message of ours */
        return 0;
    need(result == DUET_OK || result == DUET_E_PROTOCOL);
    if (result != DUET_OK)
        return 0;
    memcpy(hello, from->message, from->message_size);
    size_t end = from->message_size;
    if (size > 0 && at + size <= sizeof hello) {
        memcpy(hello + at, change, size);
        end = at + size > end ? at + size : end;
    }
    int changed = memcmp(hello, from->message, from->message_size) != 0;
    result = duet__handshake_read(to, hello, end);
    need(result == DUET_OK || result == DUET_E_PROTOCOL || result == DUET_E_FORGED);
    if (result == DUET_OK && !changed && !last)
        need(same_params(&from->mine, &to->theirs));
    return result == DUET_OK;
}

static void
check_secret(void)
{
    uint8_t exporters[2][WIRE_DIGEST];

    need(duet__handshake_done(&top) && duet__handshake_done(&bottom));
    duet__handshake_finish(&top, exporters[0]);
    duet__handshake_finish(&bottom, exporters[1]);
    need(memcmp(top.secret, bottom.secret, sizeof top.secret) == 0);
    need(memcmp(exporters[0], exporters[1], sizeof exporters[0]) == 0);
}

static void
converse(enum duet_pattern pattern, unsigned which, struct input *in)
{
    unsigned messages = pattern == DUET_PATTERN_IDENTITY ? 3 : 2;
    size_t at = input_byte(in), size;
    const uint8_t *change = input_take(in, 64, &size);

    need(duet__handshake_begin(&top, pattern) == DUET_OK);
    need(duet__handshake_begin(&bottom, pattern) == DUET_OK);
    for (unsigned i = 0; i < messages; i++) {
        struct duet__handshake *from = i % 2 == 0 ? &top : &bottom,
                               *to = i % 2 == 0 ? &bottom : &top;
        if (!pass(from, to, change, i == which ? size : 0, at))
            return;
    }
    if (which >= messages || size == 0)
        check_secret();
}

/** params on their own: what is read is written back the same, without extensions. */
static void
read_params(const uint8_t *data, size_t size)
{
    uint8_t again[WIRE_PARAMS];
    struct duet__writer to = duet__writer(again, sizeof again);
    struct duet__params params;

    if (duet__params_read(&params, (struct duet__bytes){data, size}) != DUET_OK)
        return;
    need(size >= sizeof again);
    duet__params_write(&to, &params);
    need(memcmp(again, data, sizeof again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct duet__bytes extensions;
    uint8_t setup = input_byte(&in);

    read_params(in.at, in.left);
    struct duet__params params = draw_params(&in);
    extensions.data = input_take(&in, input_byte(&in), &extensions.size);
    prepare(&top, DUET_TOP, &params, extensions);
    prepare(&bottom, DUET_BOTTOM, &params, extensions);
    converse((enum duet_pattern)(setup % 3), setup / 3u % 4, &in);
    return 0;
}
