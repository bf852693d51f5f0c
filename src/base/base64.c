/*
 * Base64 in constant time (see base64.h): digits are computed by comparisons that are arithmetic.
 */
#include "base/base64.h"

#include "base/public.h"

/** All ones when a <= x <= b, else 0; all under 2^16. */
static unsigned
mask_between(unsigned a, unsigned x, unsigned b)
{
    return 0u - (((a - 1u - x) & (x - b - 1u)) >> 31);
}

/** The digit of six bits. */
static char
digit_of(unsigned bits)
{
    unsigned c = (mask_between(0, bits, 25) & ('A' + bits)) |
                 (mask_between(26, bits, 51) & ('a' + bits - 26)) |
                 (mask_between(52, bits, 61) & ('0' + bits - 52)) |
                 (mask_between(62, bits, 62) & '+') | (mask_between(63, bits, 63) & '/');
    return (char)c;
}

/** The six bits of a digit; 64 and above for another character. */
static unsigned
bits_of(char digit)
{
    unsigned c = (unsigned char)digit;
    unsigned upper = mask_between('A', c, 'Z'), lower = mask_between('a', c, 'z'),
             figure = mask_between('0', c, '9');
    unsigned plus = mask_between('+', c, '+'), slash = mask_between('/', c, '/');
    unsigned known = upper | lower | figure | plus | slash;

    return (upper & (c - 'A')) | (lower & (c - 'a' + 26)) | (figure & (c - '0' + 52)) |
           (plus & 62) | (slash & 63) | (~known & 64);
}

void
duet__base64_encode(char *out, const uint8_t *in, size_t size)
{
    for (; size > 0; out += 4) {
        unsigned b = size > 1 ? in[1] : 0;
        unsigned c = size > 2 ? in[2] : 0;
        unsigned group = (unsigned)in[0] << 16 | b << 8 | c;
        out[0] = digit_of(group >> 18);
        out[1] = digit_of(group >> 12 & 63);
        out[2] = size > 1 ? digit_of(group >> 6 & 63) : '=';
        out[3] = size > 2 ? digit_of(group & 63) : '=';
        in += size > 2 ? 3 : size;
        size -= size > 2 ? 3 : size;
    }
}

/** Decode four digits of which `bytes` bytes come; returns 0, or what is wrong. */
static unsigned
decode_group(uint8_t *out, const char *in, size_t bytes)
{
    unsigned a = bits_of(in[0]), b = bits_of(in[1]);
    unsigned c = bytes > 1 ? bits_of(in[2]) : 0, d = bytes > 2 ? bits_of(in[3]) : 0;
    unsigned wrong = (a | b | c | d) & 64;

    out[0] = (uint8_t)(a << 2 | b >> 4);
    if (bytes > 1)
        out[1] = (uint8_t)(b << 4 | c >> 2);
    else
        wrong |= b & 15;
    if (bytes > 2)
        out[2] = (uint8_t)(c << 6 | d);
    else
        wrong |= bytes > 1 ? c & 3 : 0;
    return wrong;
}

int
duet__base64_decode(uint8_t *out, size_t cap, size_t *put, const char *in, size_t size)
{
    unsigned wrong = 0;

    *put = 0;
    if (size % 4 != 0)
        return -1;
    for (size_t i = 0; i < size; i += 4) {
        size_t bytes = 3;
        if (i + 4 == size && in[i + 3] == '=')
            bytes = in[i + 2] == '=' ? 1 : 2;
        if (bytes > cap - *put)
            return -1;
        wrong |= decode_group(out + *put, in + i, bytes);
        *put += bytes;
    }
    int result = -(int)((0u - wrong) >> 31); /* -1 unless it is 0; without a branch */
    DUET__PUBLIC(&result, sizeof result);
    return result;
}
