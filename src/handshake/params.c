/*
 * The params of a HELLO, written and read side by side (docs/protocol.md §4).
 */
#include "handshake/params.h"

#include "base/public.h"

enum { VERSION = 1, FLAGS = 0, TYPES = 65536 };

void
duet__params_write(struct duet__writer *to, const struct duet__params *params,
                   struct duet__bytes extensions)
{
    duet__write8(to, VERSION);
    duet__write8(to, FLAGS);
    duet__write8(to, params->rotate_frames);
    duet__write8(to, params->rotate_blocks);
    duet__write32(to, params->max_payload);
    duet__write64(to, params->time_ms);
    duet__write(to, extensions.data, extensions.size);
}

/** Skip extensions, all of which are unknown to this version. A type may come once. */
static int
skip_extensions(struct duet__reader *from)
{
    uint8_t seen[TYPES / 8] = {0};

    while (from->left > 0 && !from->bad) {
        unsigned type = duet__read16(from);
        duet__read(from, duet__read16(from));
        uint8_t bit = (uint8_t)(1u << type % 8);
        if (seen[type / 8] & bit)
            return DUET_E_PROTOCOL;
        seen[type / 8] |= bit;
    }
    return from->bad ? DUET_E_PROTOCOL : DUET_OK;
}

static int
exponent(unsigned value)
{
    return value >= WIRE_ROTATE_LEAST && value <= WIRE_ROTATE_MOST;
}

int
duet__params_read(struct duet__params *params, struct duet__bytes bytes)
{
    struct duet__reader from = duet__reader(bytes.data, bytes.size);
    DUET__PUBLIC(bytes.data, bytes.size);
    int version = duet__read8(&from);
    int flags = duet__read8(&from);

    params->rotate_frames = duet__read8(&from);
    params->rotate_blocks = duet__read8(&from);
    params->max_payload = duet__read32(&from);
    params->time_ms = duet__read64(&from);
    if (from.bad || version != VERSION || flags != FLAGS)
        return DUET_E_PROTOCOL;
    if (!exponent(params->rotate_frames) || !exponent(params->rotate_blocks))
        return DUET_E_PROTOCOL;
    if (params->max_payload < WIRE_MAX_PAYLOAD_LEAST)
        return DUET_E_PROTOCOL;
    return skip_extensions(&from);
}
