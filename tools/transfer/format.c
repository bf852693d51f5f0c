/*
 * Messages of a transfer, written and read (see format.h). What they mean is not for this file.
 */
#include "format.h"

#include <string.h>

enum { OFFER_HEAD = 26 }; /* bytes before the name */
enum field_type { FIELD_TARGET = 1, FIELD_HASH = 2, FIELD_OWNER = 3, FIELD_ATTRIBUTES = 4 };

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

/** owner(4) ‖ group(4) ‖ size(1) ‖ owner's name ‖ group's name */
static size_t
put_owner(uint8_t *out, const struct offer *offer)
{
    uint8_t value[9 + 2 * TRANSFER_OWNER_MOST];
    size_t owner = strlen(offer->owner_name), group = strlen(offer->group_name);

    put_field(value, offer->owner, 4);
    put_field(value + 4, offer->group, 4);
    value[8] = (uint8_t)owner;
    memcpy(value + 9, offer->owner_name, owner);
    memcpy(value + 9 + owner, offer->group_name, group);
    return put_extra(out, FIELD_OWNER, value, 9 + owner + group);
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
    if ((offer->flags & OFFER_OWNED) != 0)
        size += put_owner(out + size, offer);
    if (offer->attributes_size > 0)
        size += put_extra(out + size, FIELD_ATTRIBUTES, offer->attributes, offer->attributes_size);
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

static int
read_owner(struct offer *offer, struct fields *fields)
{
    offer->owner = (uint32_t)field(fields, 4);
    offer->group = (uint32_t)field(fields, 4);
    size_t owner = (size_t)field(fields, 1);
    size_t group = fields->left - (owner < fields->left ? owner : fields->left);

    if (fields->bad || owner > fields->left || owner > TRANSFER_OWNER_MOST ||
        group > TRANSFER_OWNER_MOST || memchr(fields->at, 0, fields->left) != NULL)
        return -1;
    memcpy(offer->owner_name, fields->at, owner);
    offer->owner_name[owner] = 0;
    memcpy(offer->group_name, fields->at + owner, group);
    offer->group_name[group] = 0;
    return 0;
}

/** Read one field of a type that is known; another is skipped. seen: a set of types. Returns 0, or
 * -1. */
static int
read_extra(struct offer *offer, unsigned type, struct fields value, unsigned *seen)
{
    switch (type) {
    case FIELD_TARGET:
        return read_text(offer->target, TRANSFER_LINK_MOST, &value, value.left);
    case FIELD_HASH:
        if (value.left != TRANSFER_HASH)
            return -1;
        *seen |= OFFER_HASHED;
        memcpy(offer->hash, value.at, TRANSFER_HASH);
        return 0;
    case FIELD_OWNER:
        *seen |= OFFER_OWNED;
        return read_owner(offer, &value);
    case FIELD_ATTRIBUTES:
        if (value.left > TRANSFER_ATTRIBUTES_MOST)
            return -1;
        offer->attributes = value.at;
        offer->attributes_size = value.left;
        return 0;
    default:
        return 0;
    }
}

/** Read the fields after the name. Returns 0, or -1. */
static int
read_extras(struct offer *offer, struct fields *fields)
{
    const unsigned flags = OFFER_HASHED | OFFER_OWNED;
    unsigned seen = 0;

    while (fields->left > 0) {
        unsigned type = (unsigned)field(fields, 2);
        size_t size = (size_t)field(fields, 2);
        if (fields->bad || size > fields->left ||
            read_extra(offer, type, (struct fields){fields->at, size, 0}, &seen) != 0)
            return -1;
        fields->at += size;
        fields->left -= size;
    }
    return (seen & flags) == (offer->flags & flags) ? 0 : -1;
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
    offer->attributes = NULL;
    offer->attributes_size = 0;
    if (fields.bad || kind >= OFFER_KINDS || offer->nanoseconds > 999999999 ||
        read_text(offer->name, TRANSFER_NAME_MOST, &fields, name) != 0)
        return -1;
    offer->kind = (enum offer_kind)kind;
    if (read_extras(offer, &fields) != 0)
        return -1;
    int link = offer->kind == OFFER_LINK || offer->kind == OFFER_HARD_LINK;
    return link == (offer->target[0] != 0) ? 0 : -1;
}
