/*
 * A scan of this process's memory (see scan.h), in place: nothing is copied out, so that the scan
 * leaves nothing to be found.
 */
#include "memory/scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 16, NEEDLES = 4096, FILTER = 1 << 16 };

static const uint64_t mask = 0xA5C3965A3CE17B2Du;

struct needle {
    const char *name;
    uint64_t first, second; /* masked */
};

static struct needle needles[NEEDLES];
static size_t count;
static uint8_t filter[FILTER]; /* 1: a needle's masked half begins so */

static uint64_t
masked(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return value ^ mask;
}

void
scan_add(const char *name, const void *p, size_t size)
{
    const uint8_t *at = p;

    for (; size >= PIECE && count < NEEDLES; at += PIECE, size -= PIECE) {
        struct needle *needle = &needles[count++];
        needle->name = name;
        needle->first = masked(at);
        needle->second = masked(at + 8);
        filter[needle->first % FILTER] = 1;
    }
}

void
scan_forget(void)
{
    count = 0;
    memset(filter, 0, sizeof filter);
}

unsigned
scan_pieces(const char *name)
{
    unsigned pieces = 0;

    for (size_t i = 0; i < count; i++)
        pieces += strcmp(needles[i].name, name) == 0;
    return pieces;
}

/** The needle that lies at p, or NULL. */
static const struct needle *
needle_at(const uint8_t *p, const char *name)
{
    uint64_t first = masked(p);

    if (!filter[first % FILTER])
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (needles[i].first == first && needles[i].second == masked(p + 8) &&
            (name == NULL || strcmp(needles[i].name, name) == 0))
            return &needles[i];
    return NULL;
}

/** The table of mappings tells addresses as numbers. */
static const uint8_t *
address(uintptr_t number)
{
    const uint8_t *p;

    memcpy(&p, &number, sizeof p);
    return p;
}

static unsigned
scan_map(const char *line, const char *name, int report)
{
    char *end;
    unsigned found = 0;
    const uint8_t *from = address(strtoull(line, &end, 16));
    const uint8_t *to = address(strtoull(end + 1, &end, 16));

    if (strncmp(end, " rw", 3) != 0 || strstr(line, "[v") != NULL)
        return 0;
    for (const uint8_t *p = from; p + PIECE <= to; p++) {
        const struct needle *needle = needle_at(p, name);
        if (needle == NULL)
            continue;
        found++;
        if (report)
            fprintf(stderr, "%s: a piece at %p, in %s\n", needle->name, (const void *)p, line);
    }
    return found;
}

unsigned
scan_count(const char *name, int report)
{
    static char table[1 << 16]; /* nothing is allocated here: it would overwrite what was freed */
    unsigned found = 0;
    size_t used = 0;
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    while ((got = read(fd, table + used, sizeof table - 1 - used)) > 0)
        used += (size_t)got;
    close(fd);
    table[used] = 0;
    for (char *line = table, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = 0;
        found += scan_map(line, name, report);
    }
    return found;
}
