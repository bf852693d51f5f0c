/*
 * UTF-8 (RFC 3629), one character at a time.
 */
#ifndef DUET_BASE_UTF8_H
#define DUET_BASE_UTF8_H

#include <stddef.h>

/** Bytes of the character that begins the text, of which size bytes are there. 0: they are no
 * character: a form longer than need be, a surrogate, beyond U+10FFFF, or incomplete. */
static inline size_t
duet__utf8_size(const char *text, size_t size)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t wanted = 1;

    if (size == 0 || (p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4)
        return 0;
    if (p[0] >= 0xc2)
        wanted = 2u + (p[0] >= 0xe0) + (p[0] >= 0xf0);
    if (wanted > size)
        return 0;
    for (size_t i = 1; i < wanted; i++)
        if (p[i] >> 6 != 2)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return wanted;
}

#endif
