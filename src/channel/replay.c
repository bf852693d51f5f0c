/*
 * The replay cache: which N_t a program has seen or sent (docs/protocol.md §4 "Replay").
 *
 * One flat piece of memory that forked workers share: a ring of entries, oldest first, and a hash
 * table over them whose links are indices. Look-up and store are one step under one lock. The hash
 * is keyed, so that a holder of the secret cannot pile up entries in one chain either. The replay
 * window is the time for which an entry is kept: its caller's keep_ms.
 */
#include "channel/replay.h"

#include "base/bytes.h"
#include "base/equal.h"
#include "os/os.h"

#include <stdatomic.h>
#include <string.h>

enum { WORDS = DUET_NONCE_SIZE / 4 };
enum { ENTRIES_MOST = 1 << 24 }; /* 900 MiB of memory */
enum { SILENCE_LEAST_MS = 30000, SILENCE_MOST_MS = 90000 };

struct entry {
    uint8_t nonce[DUET_NONCE_SIZE];
    uint64_t until; /* ms; 0: until newer ones push it out */
    uint32_t next;  /* in its chain: index + 1, 0 ends it */
};

/* Links and counts are written in an order that replay_repair() can mend after a crash. */
struct duet_replay {
    struct duet__os_lock lock;
    uint64_t keys[WORDS + 1];
    uint64_t silence_draw; /* random: the listener's silence */
    size_t size;           /* bytes of the whole */
    uint32_t capacity, mask;
    uint32_t first, count; /* the ring */
    struct entry entries[];
};

static uint32_t *
replay_chains(duet_replay *replay)
{
    return (uint32_t *)(void *)(replay->entries + replay->capacity);
}

duet_replay *
duet_replay_new(size_t entries)
{
    uint32_t slots = 1;

    if (entries < 1 || entries > ENTRIES_MOST)
        return NULL;
    while (slots < entries)
        slots *= 2;
    size_t size =
        sizeof(duet_replay) + entries * sizeof(struct entry) + (size_t)slots * sizeof(uint32_t);
    duet_replay *replay = duet__os_shared_new(size);
    if (replay == NULL)
        return NULL;
    replay->size = size;
    replay->capacity = (uint32_t)entries;
    replay->mask = slots - 1;
    if (duet__os_random((uint8_t *)replay->keys, sizeof replay->keys) != 0 ||
        duet__os_random((uint8_t *)&replay->silence_draw, sizeof replay->silence_draw) != 0 ||
        duet__os_lock_init(&replay->lock) != 0) {
        duet__os_shared_free(replay, size);
        return NULL;
    }
    return replay;
}

void
duet_replay_free(duet_replay *replay)
{
    if (replay != NULL)
        duet__os_shared_free(replay, replay->size);
}

uint32_t
duet__replay_silence_ms(const duet_replay *replay)
{
    return SILENCE_LEAST_MS +
           (uint32_t)(replay->silence_draw % (SILENCE_MOST_MS - SILENCE_LEAST_MS + 1));
}

/** The chain of a nonce: multilinear hashing, strongly universal in the sum's upper half. */
static uint32_t *
nonce_chain(duet_replay *replay, const uint8_t *nonce)
{
    uint64_t sum = replay->keys[WORDS];
    for (size_t i = 0; i < WORDS; i++)
        sum += replay->keys[i] * duet__load32(nonce + 4 * i);
    return &replay_chains(replay)[(uint32_t)(sum >> 32) & replay->mask];
}

static void
replay_link(duet_replay *replay, uint32_t index)
{
    uint32_t *chain = nonce_chain(replay, replay->entries[index].nonce);
    replay->entries[index].next = *chain;
    *chain = index + 1;
}

static void
replay_drop_oldest(duet_replay *replay)
{
    uint32_t index = replay->first;
    uint32_t *link = nonce_chain(replay, replay->entries[index].nonce);
    while (*link != 0 && *link != index + 1)
        link = &replay->entries[*link - 1].next;
    if (*link != 0)
        *link = replay->entries[index].next;
    /* In this order: a process that dies in between leaves one entry too many, and never
     * loses the newest. */
    replay->first = (index + 1) % replay->capacity;
    atomic_signal_fence(memory_order_seq_cst);
    replay->count--;
}

/** A process died while it held the lock: link every entry of the ring again. */
static void
replay_repair(duet_replay *replay)
{
    memset(replay_chains(replay), 0, ((size_t)replay->mask + 1) * sizeof(uint32_t));
    for (uint32_t i = 0; i < replay->count; i++)
        replay_link(replay, (replay->first + i) % replay->capacity);
}

static int
nonce_known(duet_replay *replay, const uint8_t *nonce)
{
    uint32_t at = *nonce_chain(replay, nonce);
    while (at != 0) {
        const struct entry *entry = &replay->entries[at - 1];
        if (duet__equal(entry->nonce, nonce, DUET_NONCE_SIZE))
            return 1;
        at = entry->next;
    }
    return 0;
}

int
duet__replay_take(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t now_ms,
                  uint64_t keep_ms)
{
    int locked = duet__os_lock(&replay->lock);

    if (locked < 0)
        return 1;
    if (locked > 0)
        replay_repair(replay);
    while (replay->count > 0) {
        uint64_t until = replay->entries[replay->first].until;
        if (until == 0 || until > now_ms)
            break;
        replay_drop_oldest(replay);
    }
    int was_known = nonce_known(replay, nonce);
    if (!was_known) {
        if (replay->count == replay->capacity)
            replay_drop_oldest(replay);
        uint32_t index = (replay->first + replay->count) % replay->capacity;
        memcpy(replay->entries[index].nonce, nonce, DUET_NONCE_SIZE);
        replay->entries[index].until = keep_ms == 0 ? 0 : now_ms + keep_ms;
        replay->count++;
        replay_link(replay, index);
    }
    duet__os_unlock(&replay->lock);
    return was_known;
}

int
duet_replay_check(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t keep_ms)
{
    int known = duet__replay_take(replay, nonce, duet__os_now_ms(), keep_ms);

    return known ? DUET_E_UNAUTHENTICATED : DUET_OK;
}
