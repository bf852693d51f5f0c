/*
 * Messages of a transfer, written and read (see format.h). What they mean is not for this file.
 */
#include "format.h"

#include <string.h>

enum { OFFER_HEAD = 26 }; /* bytes before the name */
enum field_type { FIELD_TARGET = 1, FIELD_HASH = 2 };

uint64_t
field(struct fields *fields, unsigned size)
{
    uint64_t value = 0;

    if (fields->bad || fields->left < size) {
        fields->bad = 1;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | fields->at[i];
    fields->at += size;
    fields->left -= size;
    return value;
}

void
put_field(uint8_t *out, uint64_t value, unsigned size)
{
    while (size-- > 0) {
        out[size] = (uint8_t)value;
        value >>= 8;
    }
}

/** Append a field after the name. Returns its size. */
static size_t
put_extra(uint8_t *out, enum field_type type, const void *value, size_t size)
{
    put_field(out, type, 2);
    put_field(out + 2, size, 2);
    memcpy(out + 4, value, size);
    return 4 + size;
}

size_t
offer_write(uint8_t out[TRANSFER_MESSAGE], const struct offer *offer)
{
    size_t name = strlen(offer->name);
    size_t size = OFFER_HEAD + name;

    out[0] = (uint8_t)offer->kind;
    out[1] = (uint8_t)offer->flags;
    put_field(out + 2, offer->mode, 2);
    put_field(out + 4, (uint64_t)offer->seconds, 8);
    put_field(out + 12, offer->nanoseconds, 4);
    put_field(out + 16, offer->size, 8);
    put_field(out + 24, name, 2);
    memcpy(out + OFFER_HEAD, offer->name, name);
    if (offer->kind == OFFER_LINK || offer->kind == OFFER_HARD_LINK)
        size += put_extra(out + size, FIELD_TARGET, offer->target, strlen(offer->target));
    if ((offer->flags & OFFER_HASHED) != 0)
        size += put_extra(out + size, FIELD_HASH, offer->hash, sizeof offer->hash);
    return size;
}

/** Read a text of some bytes, which has no NUL in it. Returns 0, or -1. */
static int
read_text(char *out, size_t most, struct fields *fields, size_t size)
{
    if (size == 0 || size > most || size > fields->left || memchr(fields->at, 0, size) != NULL)
        return -1;
    memcpy(out, fields->at, size);
    out[size] = 0;
    fields->at += size;
    fields->left -= size;
    return 0;
}

/** Read the fields after the name. Returns 0, or -1. */
static int
read_extras(struct offer *offer, struct fields *fields)
{
    int hashed = 0;

    while (fields->left > 0) {
        uint64_t type = field(fields, 2), size = field(fields, 2);
        if (fields->bad || size > fields->left)
            return -1;
        if (type == FIELD_TARGET) {
            if (read_text(offer->target, TRANSFER_LINK_MOST, fields, size) != 0)
                return -1;
            continue;
        }
        if (type == FIELD_HASH && size == TRANSFER_HASH) {
            memcpy(offer->hash, fields->at, TRANSFER_HASH);
            hashed = 1;
        }
        fields->at += size;
        fields->left -= size;
    }
    return hashed == ((offer->flags & OFFER_HASHED) != 0) ? 0 : -1;
}

int
offer_read(struct offer *offer, const uint8_t *bytes, size_t size)
{
    struct fields fields = {bytes, size, 0};
    uint64_t kind = field(&fields, 1);

    offer->flags = (unsigned)field(&fields, 1);
    offer->mode = (unsigned)field(&fields, 2) & 0777;
    offer->seconds = (int64_t)field(&fields, 8);
    offer->nanoseconds = (uint32_t)field(&fields, 4);
    offer->size = field(&fields, 8);
    uint64_t name = field(&fields, 2);
    offer->target[0] = 0;
    if (fields.bad || kind >= OFFER_KINDS || offer->nanoseconds > 999999999 ||
        read_text(offer->name, TRANSFER_NAME_MOST, &fields, name) != 0)
        return -1;
    offer->kind = (enum offer_kind)kind;
    if (read_extras(offer, &fields) != 0)
        return -1;
    int link = offer->kind == OFFER_LINK || offer->kind == OFFER_HARD_LINK;
    return link == (offer->target[0] != 0) ? 0 : -1;
}
