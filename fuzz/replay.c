/*
 * Runs a target over files, without a fuzzer: what ctest does with fuzz/seeds and fuzz/cases.
 *
 *   replay_TARGET FILE-OR-FOLDER...
 *
 * Each file is given as it is, and then changed a little in always the same ways, so that a plain
 * build and one under the sanitizers both see some of what a fuzzer would try.
 */
#include "fuzz.h"

#include <fts.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 1 << 17 }; /* bytes of an input */
enum { CHANGED = 100 };  /* changed versions of each file */

#pragma weak LLVMFuzzerCustomMutator

static unsigned state;

static unsigned
next(void)
{
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/** The smallest of mutators, for a target's own to call: some bytes change, come or go. */
size_t
LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most)
{
    size_t at = size > 0 ? next() % size : 0;

    switch (next() % 4) {
    case 0:
        if (size > 0)
            memmove(data + at, data + at + 1, size - at - 1);
        return size > 0 ? size - 1 : 0;
    case 1:
        if (size >= most)
            return size;
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)next();
        return size + 1;
    case 2:
        if (size > 0)
            data[at] = (uint8_t)next();
        return size;
    default:
        if (size > 0)
            data[at] ^= (uint8_t)(1u << next() % 8);
        return size;
    }
}

/** Run a copy of just this size, so that a sanitizer sees a step beyond its end. */
static void
run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    need(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void
replay(const uint8_t *data, size_t size)
{
    static uint8_t changed[MOST];

    run(data, size);
    for (unsigned i = 0; i < CHANGED; i++) {
        memcpy(changed, data, size);
        size_t n = LLVMFuzzerCustomMutator != NULL
                       ? LLVMFuzzerCustomMutator(changed, size, MOST, next())
                       : LLVMFuzzerMutate(changed, size, MOST);
        run(changed, n);
    }
}

static int
replay_file(const char *path)
{
    static uint8_t data[MOST];
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return -1;
    size_t size = fread(data, 1, sizeof data, file);
    int bad = ferror(file) || size == sizeof data;
    fclose(file);
    if (bad)
        return -1;
    state = (unsigned)size;
    printf("%s\n", path);
    fflush(stdout); /* so that a crash tells which it was */
    replay(data, size);
    return 0;
}

int
main(int count, char **arguments)
{
    FTS *walk = count > 1 ? fts_open(arguments + 1, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    unsigned long files = 0;
    FTSENT *entry;

    while (walk != NULL && (entry = fts_read(walk)) != NULL) {
        if (entry->fts_info != FTS_F)
            continue;
        if (replay_file(entry->fts_path) != 0) {
            fprintf(stderr, "replay: cannot read %s\n", entry->fts_path);
            return 1;
        }
        files++;
    }
    if (walk != NULL)
        fts_close(walk);
    printf("%lu files, each %d times\n", files, 1 + CHANGED);
    return files > 0 ? 0 : 1;
}
