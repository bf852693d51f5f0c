/*
 * Content that looks random and is known at each offset, so that either end can verify what
 * arrived; and the header that begins a connection.
 *
 * It repeats after a prime number of bytes, so that the loss, repetition or move of a whole buffer
 * or frame is detected.
 */
#include "bench/tunnel/load.h"

#include <string.h>

enum { PERIOD = 1048573 };

static uint8_t content[PERIOD + LOAD_BUFFER];

static void
fill(void)
{
    uint64_t state = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < PERIOD; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content[i] = (uint8_t)(state >> 32);
    }
    memcpy(content + PERIOD, content, LOAD_BUFFER);
}

const uint8_t *
load_content(uint64_t place, size_t size)
{
    static int filled;

    if (!filled)
        fill();
    filled = 1;
    return size <= LOAD_BUFFER ? content + place % PERIOD : NULL;
}

void
load_header(uint8_t header[LOAD_HEADER], enum load_mode mode, uint64_t number)
{
    memset(header, 0, LOAD_HEADER);
    header[0] = (uint8_t)mode;
    memcpy(header + 8, &number, sizeof number); /* both ends are one machine */
}

unsigned
load_header_read(const uint8_t header[LOAD_HEADER], uint64_t *number)
{
    memcpy(number, header + 8, sizeof *number);
    return header[0];
}
