/*
 * The replay cache: which N_t a program has seen or sent (docs/protocol.md §4 "Replay").
 *
 * One flat piece of memory that forked workers share: two rings of entries, oldest first, and a
 * hash table over them whose links are indices. Look-up and store are one step under one lock. The
 * hash is keyed, so that a holder of the secret cannot pile up entries in one chain either. The
 * replay window is the time for which entries are kept: the longest that any session with clocks
 * needs. What is pushed out before leaves its time behind as a floor. Nonces of our own have a ring
 * of their own, so that dials push out nothing that a listener has answered.
 */
#include "channel/replay.h"
#include "channel/channel.h"

#include "base/bytes.h"
#include "base/equal.h"
#include "os/os.h"

#include <stdatomic.h>
#include <string.h>

enum { WORDS = DUET_NONCE_SIZE / 4 };
enum { ENTRIES_MOST = 1 << 24 }; /* 2 GiB of address space */

/* What is in the memory, for a program that takes over another's cache: the number grows with each
 * change of its meaning, and the sizes tell most others. */
#define CACHE_FORM                                                                                 \
    (UINT64_C(0x6475657400010000) ^ sizeof(struct entry) << 32 ^ sizeof(struct duet_replay))

struct entry {
    uint8_t nonce[DUET_NONCE_SIZE];
    uint64_t stored;   /* ms */
    uint64_t time;     /* Unix ms, by the sender's clock; 0: not known */
    uint32_t next;     /* in its chain: index + 1, 0 ends it */
    uint32_t for_good; /* 1: until newer ones push it out */
};

/** What came, and what this program has sent as TOP. */
enum side { RECEIVED, SENT, SIDES };

/** The entries of one side: capacity of them, from side * capacity on. */
struct ring {
    uint32_t first, count;
};

/* Links and counts are written in an order that replay_repair() can mend after a crash. */
struct duet_replay {
    uint64_t form; /* CACHE_FORM once all is set; first, so that it is at one place in each form */
    struct duet__os_lock lock;
    uint64_t keys[WORDS + 1];
    uint64_t silence_draw;   /* random: the listener's silence */
    size_t size;             /* bytes of the whole */
    uint64_t floor;          /* Unix ms: a HELLO of this time or an earlier one may be a replay */
    uint64_t keep_ms;        /* the replay window so far: it only grows */
    uint64_t expired;        /* Unix ms: the greatest time among entries dropped at its end */
    uint32_t capacity, mask; /* capacity: of each ring */
    struct ring rings[SIDES];
    struct entry entries[];
};

static uint32_t *
replay_chains(duet_replay *replay)
{
    return (uint32_t *)(void *)(replay->entries + (size_t)SIDES * replay->capacity);
}

/** Fill in a new cache, in zeroed memory. Returns 0, or -1. */
static int
replay_begin(duet_replay *replay, const struct duet_replay *wanted)
{
    replay->size = wanted->size;
    replay->capacity = wanted->capacity;
    replay->mask = wanted->mask;
    replay->floor = duet__os_unix_ms();
    if (duet__os_random((uint8_t *)replay->keys, sizeof replay->keys) != 0 ||
        duet__os_random((uint8_t *)&replay->silence_draw, sizeof replay->silence_draw) != 0 ||
        duet__os_lock_init(&replay->lock) != 0)
        return -1;
    replay->form = wanted->form;
    return 0;
}

/** The memory is that of the program before (duet__os_shared_behind()), which may still use it.
 * Returns 0 when its cache can be used, with all that it has seen; 1: it has another form. */
static int
replay_is_other(const duet_replay *replay, const struct duet_replay *wanted)
{
    return replay->form != wanted->form || replay->size != wanted->size ||
           replay->capacity != wanted->capacity || replay->mask != wanted->mask;
}

duet_replay *
duet_replay_new(size_t entries)
{
    uint32_t slots = 1;

    if (entries < 1 || entries > ENTRIES_MOST)
        return NULL;
    while (slots < SIDES * entries)
        slots *= 2;
    size_t size = sizeof(duet_replay) + SIDES * entries * sizeof(struct entry) +
                  (size_t)slots * sizeof(uint32_t);
    duet_replay *replay = duet__os_shared_new(size);
    if (replay == NULL)
        return NULL;
    const struct duet_replay wanted = {
        .form = CACHE_FORM, .size = size, .capacity = (uint32_t)entries, .mask = slots - 1};
    int failed =
        replay->form != 0 ? replay_is_other(replay, &wanted) : replay_begin(replay, &wanted);
    if (failed) {
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
duet__replay_silence_ms(const duet_replay *replay, const duet_config *config)
{
    const struct duet__range range = {duet_config_time(config, DUET_TIME_SILENCE_LEAST),
                                      duet_config_time(config, DUET_TIME_SILENCE_MOST)};

    return (uint32_t)duet__range_draw(range, replay->silence_draw);
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
replay_drop_oldest(duet_replay *replay, enum side side)
{
    struct ring *ring = &replay->rings[side];
    uint32_t index = side * replay->capacity + ring->first;
    uint32_t *link = nonce_chain(replay, replay->entries[index].nonce);
    while (*link != 0 && *link != index + 1)
        link = &replay->entries[*link - 1].next;
    if (*link != 0)
        *link = replay->entries[index].next;
    /* In this order: a process that dies in between leaves one entry too many, and never
     * loses the newest. */
    ring->first = (ring->first + 1) % replay->capacity;
    atomic_signal_fence(memory_order_seq_cst);
    ring->count--;
}

/** A process died while it held the lock: link every entry of the ring again. */
static void
replay_repair(duet_replay *replay)
{
    memset(replay_chains(replay), 0, ((size_t)replay->mask + 1) * sizeof(uint32_t));
    for (uint32_t side = 0; side < SIDES; side++) {
        const struct ring *ring = &replay->rings[side];
        for (uint32_t i = 0; i < ring->count; i++)
            replay_link(replay, side * replay->capacity + (ring->first + i) % replay->capacity);
    }
}

/** Lock, and mend what a process that died under the lock has left. Returns 0, or -1. */
static int
replay_lock(duet_replay *replay)
{
    int locked = duet__os_lock(&replay->lock);

    if (locked > 0)
        replay_repair(replay);
    return locked < 0 ? -1 : 0;
}

/** The entry of a nonce; NULL: it is not known. */
static struct entry *
nonce_entry(duet_replay *replay, const uint8_t *nonce)
{
    uint32_t at = *nonce_chain(replay, nonce);
    while (at != 0) {
        struct entry *entry = &replay->entries[at - 1];
        if (duet__equal(entry->nonce, nonce, DUET_NONCE_SIZE))
            return entry;
        at = entry->next;
    }
    return NULL;
}

/** Make room for one more: the oldest goes, and raises the floor if its time is not over. */
static void
replay_make_room(duet_replay *replay, enum side side)
{
    const struct ring *ring = &replay->rings[side];
    const struct entry *oldest = &replay->entries[side * replay->capacity + ring->first];

    if (ring->count < replay->capacity)
        return;
    if (oldest->time > replay->floor)
        replay->floor = oldest->time;
    replay_drop_oldest(replay, side);
}

/** A session needs entries for keep_ms. If that is longer than any before it did, what was dropped
 * after a shorter time may come again: it raises the floor. */
static void
replay_widen(duet_replay *replay, uint64_t keep_ms)
{
    if (keep_ms <= replay->keep_ms)
        return;
    if (replay->expired > replay->floor)
        replay->floor = replay->expired;
    replay->keep_ms = keep_ms;
}

/** Drop what was kept for its time. */
static void
replay_expire(duet_replay *replay, enum side side, uint64_t now_ms)
{
    const struct ring *ring = &replay->rings[side];

    while (ring->count > 0) {
        const struct entry *oldest = &replay->entries[side * replay->capacity + ring->first];
        if (oldest->for_good || oldest->stored + replay->keep_ms > now_ms)
            break;
        if (oldest->time > replay->expired)
            replay->expired = oldest->time;
        replay_drop_oldest(replay, side);
    }
}

/** Look up and store. time_ms: of the entry. Returns as duet__replay_take(). */
static int
replay_store(duet_replay *replay, enum side side, const uint8_t *nonce, uint64_t now_ms,
             uint64_t keep_ms, uint64_t time_ms)
{
    struct ring *ring = &replay->rings[side];

    if (replay_lock(replay) != 0)
        return 1;
    replay_widen(replay, keep_ms);
    replay_expire(replay, side, now_ms);
    int was_known = nonce_entry(replay, nonce) != NULL;
    if (!was_known) {
        replay_make_room(replay, side);
        uint32_t index = side * replay->capacity + (ring->first + ring->count) % replay->capacity;
        struct entry *entry = &replay->entries[index];
        memcpy(entry->nonce, nonce, DUET_NONCE_SIZE);
        entry->stored = now_ms;
        entry->for_good = keep_ms == 0;
        entry->time = time_ms;
        ring->count++;
        replay_link(replay, index);
    }
    duet__os_unlock(&replay->lock);
    return was_known;
}

int
duet__replay_take(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t now_ms,
                  uint64_t keep_ms)
{
    return replay_store(replay, RECEIVED, nonce, now_ms, keep_ms, 0);
}

int
duet__replay_sent(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t now_ms,
                  uint64_t keep_ms, uint64_t time_ms)
{
    return replay_store(replay, SENT, nonce, now_ms, keep_ms, time_ms);
}

/* A listener without max_skew takes any time, and the cache may be shared with one that compares
 * clocks: no time that this one would refuse may raise its floor. */
int
duet__replay_time(duet_replay *replay, const uint8_t nonce[DUET_NONCE_SIZE], uint64_t time_ms,
                  uint64_t now_ms)
{
    if (replay_lock(replay) != 0)
        return 1;
    struct entry *entry = nonce_entry(replay, nonce);
    int stale = time_ms <= replay->floor || entry == NULL; /* NULL: pushed out meanwhile */
    if (entry != NULL)
        entry->time = duet__min(time_ms, now_ms + replay->keep_ms);
    duet__os_unlock(&replay->lock);
    return stale;
}

/* ---- Sessions ---- */

/** How long a nonce is kept for a session; 0: until newer ones push it out. Of an own handshake no
 * time is known that could be too old. */
static uint64_t
session_keep_ms(const duet_session *session)
{
    uint64_t skew = session->config->max_skew_ms;

    return skew > 0 && session->own == NULL ? 2 * skew + WIRE_SKEW_MARGIN_MS : 0;
}

/** TOP's nonce, before its flight is sent: it must not be sent back to a listener of this program
 * (docs/protocol.md §4 "Replay"). */
static int
store_sent(duet_replay *replay, const duet_session *session)
{
    const struct duet__session_handshake *hs = session->handshake;
    const uint8_t *nonce = hs != NULL ? hs->messages.nonces : session->own->nonce;
    uint64_t time_ms = hs != NULL ? hs->messages.mine.time_ms : 0;

    return duet__replay_sent(replay, nonce, duet__os_now_ms(), session_keep_ms(session), time_ms)
               ? DUET_E_MISUSE
               : DUET_OK;
}

/** Look the nonce of EVENT_NONCE up, and answer. */
static int
answer_nonce(duet_replay *replay, duet_session *session, uint64_t now_ms)
{
    struct duet__session_handshake *hs = session->handshake;
    const uint64_t keep_ms = session_keep_ms(session);
    uint8_t nonce[DUET_NONCE_SIZE];

    memcpy(nonce, hs != NULL ? hs->messages.nonces : session->own->nonce, sizeof nonce);
    int was_stored =
        hs == NULL && session->own->nonce_stored; /* there was no memory for the turn */
    if (replay == NULL ||
        (!was_stored && duet__replay_take(replay, nonce, duet__os_now_ms(), keep_ms)))
        return duet__session_refuse(session);
    if (hs == NULL)
        session->own->nonce_stored = 1;
    int result = duet_session_accept(session, now_ms);
    if (result != DUET_OK || hs == NULL)
        return result;
    /* Nothing of the answer is sent yet. */
    int stale = duet__replay_time(replay, nonce, hs->messages.theirs.time_ms,
                                  now_ms != 0 ? now_ms : hs->now_ms);
    if (stale && keep_ms > 0)
        return duet__session_fail(session, DUET_E_UNAUTHENTICATED,
                                  "the peer's first flight was made before this program began to "
                                  "remember: it may be a replay");
    return DUET_OK;
}

int
duet_replay_check(duet_replay *replay, duet_session *session, uint64_t now_ms)
{
    if (session->error != DUET_OK)
        return session->error;
    if (session->handshake == NULL && session->own == NULL)
        return DUET_E_MISUSE; /* its handshake is over, or it has none */
    if (session->rx_phase == DUET__RX_ASKED)
        return answer_nonce(replay, session, now_ms);
    int before_flight = session->own != NULL || session->tx_phase == DUET__TX_FLIGHT;
    if (session->role == DUET_BOTTOM || replay == NULL || session->rx_phase != DUET__RX_START ||
        !before_flight)
        return DUET_E_MISUSE;
    return store_sent(replay, session);
}
