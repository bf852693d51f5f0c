/*
 * Runs a target over files without a fuzzer, as ctest does with fuzz/seeds and fuzz/cases.
 *
 *   replay_TARGET FILE-OR-FOLDER...
 *
 * Each file is run as it is and then with small changes, always the same ones, so that a plain
 * build and one with sanitizers both try some of what a fuzzer would.
 */
#include "fuzz.h"

#include <ftw.h>
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

/** A minimal mutator, which a target's own mutator calls: changes, adds or removes some bytes. */
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

/** Run a copy of exactly this size, so that a sanitizer finds an access beyond its end. */
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
    fflush(stdout); /* so that a crash shows which file it was */
    replay(data, size);
    return 0;
}

static unsigned long files;

/** nftw()'s call for each entry. Returns 1 at a file that cannot be read, which ends the walk. */
static int
replay_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)place;
    if (kind != FTW_F)
        return 0;
    files++;
    if (replay_file(path) == 0)
        return 0;
    fprintf(stderr, "replay: cannot read %s\n", path);
    return 1;
}

int
main(int count, char **arguments)
{
    for (int i = 1; i < count; i++)
        if (nftw(arguments[i], replay_entry, 16, FTW_PHYS) != 0)
            return 1;
    printf("%lu files, each %d times\n", files, 1 + CHANGED);
    return files > 0 ? 0 : 1;
}
