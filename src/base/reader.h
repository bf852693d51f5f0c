/*
 * The bounded reader and writer: all messages are parsed and composed by them.
 *
 * Both keep an error: after one access out of bounds they are bad, return zeros and write nothing,
 * so that a caller may go through a whole message and check once at its end.
 */
#ifndef DUET_BASE_READER_H
#define DUET_BASE_READER_H

#include "base/bytes.h"

#include <string.h>

struct duet__reader {
    const uint8_t *at;
    size_t left; /* bytes */
    int bad;     /* 1: an access was out of bounds */
};

static inline struct duet__reader
duet__reader(const uint8_t *data, size_t size)
{
    struct duet__reader r = {data, size, 0};
    return r;
}

/** Read n bytes; NULL when fewer are left. */
static inline const uint8_t *
duet__read(struct duet__reader *r, size_t n)
{
    const uint8_t *p = r->at;
    if (r->bad || n > r->left) {
        r->bad = 1;
        return NULL;
    }
    if (n > 0)
        r->at += n;
    r->left -= n;
    return p;
}

static inline uint8_t
duet__read8(struct duet__reader *r)
{
    const uint8_t *p = duet__read(r, 1);
    return p ? *p : 0;
}

static inline uint16_t
duet__read16(struct duet__reader *r)
{
    const uint8_t *p = duet__read(r, 2);
    return p ? duet__load16(p) : 0;
}

static inline uint32_t
duet__read32(struct duet__reader *r)
{
    const uint8_t *p = duet__read(r, 4);
    return p ? duet__load32(p) : 0;
}

static inline uint64_t
duet__read64(struct duet__reader *r)
{
    const uint8_t *p = duet__read(r, 8);
    return p ? duet__load64(p) : 0;
}

struct duet__writer {
    uint8_t *start;
    size_t size; /* bytes of room */
    size_t used; /* bytes written */
    int bad;     /* 1: there was no room for all */
};

static inline struct duet__writer
duet__writer(uint8_t *data, size_t size)
{
    struct duet__writer w = {data, size, 0, 0};
    return w;
}

/** Room for n bytes, counted as written; NULL when there is less. */
static inline uint8_t *
duet__room(struct duet__writer *w, size_t n)
{
    uint8_t *p = w->start + w->used;
    if (w->bad || n > w->size - w->used) {
        w->bad = 1;
        return NULL;
    }
    w->used += n;
    return p;
}

static inline void
duet__write(struct duet__writer *w, const void *data, size_t n)
{
    uint8_t *p = duet__room(w, n);
    if (p != NULL && n > 0)
        memcpy(p, data, n);
}

static inline void
duet__write8(struct duet__writer *w, uint8_t v)
{
    duet__write(w, &v, 1);
}

static inline void
duet__write16(struct duet__writer *w, unsigned v)
{
    uint8_t *p = duet__room(w, 2);
    if (p != NULL)
        duet__store16(p, v);
}

static inline void
duet__write32(struct duet__writer *w, uint32_t v)
{
    uint8_t *p = duet__room(w, 4);
    if (p != NULL)
        duet__store32(p, v);
}

static inline void
duet__write64(struct duet__writer *w, uint64_t v)
{
    uint8_t *p = duet__room(w, 8);
    if (p != NULL)
        duet__store64(p, v);
}

#endif
