/*
 * Measures frames: a message sealed at one end of a session and opened at the other, beside the
 * records of other libraries, from 16 bytes to 1 MiB; and beside the hash alone on as many blocks
 * as both ends have to hash, which is the limit of the protocol's speed.
 */
#include "bench/bench.h"
#include "kernel/kernel.h"

#include <duet/frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ODD = 167 }; /* so that a message repeats at no power of two */
enum { GROUP = 64, PADDING_LEAST = 9, ENDS = 2 };

struct work {
    const struct peer *peer;
    void *pair;
    uint8_t *in, *out;
    size_t size;
};

static const size_t sizes[] = {16, 64, 256, 1024, 4096, 16384, 65536, PEER_MESSAGE_MOST};

static const char *const ratios[] = {
    "libssl/duet",     "libssl-chacha20/duet", "gnutls/duet", "sodium/duet",
    "libssl/duet-two", "duet/duet-two",        "sha/duet",    NULL};

static int
carry(void *context, uint64_t times)
{
    struct work *work = context;
    for (uint64_t i = 0; i < times; i++)
        if (work->peer->carry(work->pair, work->out, work->in, work->size) != 0)
            return -1;
    return 0;
}

/* Hash as many blocks as a frame's header, payload and padding have, at both ends. */
static int
hash_alone(void *context, uint64_t times)
{
    const struct work *work = context;
    size_t bytes = DUET_HEADER_SIZE + work->size + PADDING_LEAST;
    uint32_t chain[8] = {0};
    for (uint64_t i = 0; i < times * ENDS; i++)
        duet__kernel()->compress(chain, work->in, (bytes + GROUP - 1) / GROUP);
    return 0;
}

/* Before measuring: what is opened is what was sealed. */
static int
frame_is_right(struct work *work)
{
    memset(work->out, 0, work->size);
    if (carry(work, 1) == 0 && memcmp(work->in, work->out, work->size) == 0)
        return 1;
    fprintf(stderr, "bench: %s: what was opened is not what was sealed\n", work->peer->name);
    return 0;
}

static int
frame_race(const struct bench *bench, struct work *works, size_t count, size_t size)
{
    struct bench_contender contenders[BENCH_CONTENDERS_MOST];
    for (size_t i = 0; i < count; i++) {
        const struct peer *peer = works[i].peer;
        works[i].size = size;
        if (!frame_is_right(&works[i]))
            return -1;
        contenders[i] = (struct bench_contender){
            .name = peer->name, .run = carry, .context = &works[i], .works = peer->streams};
    }
    contenders[count] =
        (struct bench_contender){.name = "sha", .run = hash_alone, .context = &works[0]};
    struct bench_race race = {.bench = "frame",
                              .what = "seal+open",
                              .size = size,
                              .clock = bench_processor_ns,
                              .contenders = contenders,
                              .count = count + 1,
                              .ratios = ratios};
    return bench_race(bench, &race);
}

/* Set up a pair of each peer that carries messages. Returns how many, or 0 when one failed. */
static size_t
set_up_all(struct work *works, const struct peer *const *peers, uint8_t *in, uint8_t *out)
{
    size_t count = 0;
    for (; *peers != NULL && count < BENCH_CONTENDERS_MOST - 1; peers++) {
        works[count] = (struct work){.peer = *peers, .in = in, .out = out};
        works[count].pair = (*peers)->open(*peers, NULL);
        if (works[count].pair == NULL) {
            fprintf(stderr, "bench: %s: could not be set up\n", (*peers)->name);
            return 0;
        }
        count++;
    }
    return count;
}

int
bench_frame(const struct bench *bench, const struct peer *const *peers)
{
    struct work works[BENCH_CONTENDERS_MOST] = {{0}};
    uint8_t *in = calloc(1, PEER_MESSAGE_MOST + GROUP);
    uint8_t *out = malloc(PEER_MESSAGE_MOST);
    int result = -1;
    if (in == NULL || out == NULL)
        goto out;
    for (size_t i = 0; i < PEER_MESSAGE_MOST; i++)
        in[i] = (uint8_t)(i % ODD);
    size_t count = set_up_all(works, peers, in, out);
    result = count > 0 ? 0 : -1;
    for (size_t i = 0; result == 0 && i < sizeof sizes / sizeof *sizes; i++)
        result = frame_race(bench, works, count, sizes[i]);
out:
    for (size_t i = 0; i < BENCH_CONTENDERS_MOST && works[i].pair != NULL; i++)
        works[i].peer->close(works[i].pair);
    free(in);
    free(out);
    return result;
}
