/*
 * Listening for one peer (see await_peer.h): one loop polls the listener and all half-open
 * connections. One whose channel is gone is unauthenticated: it is read and dropped as gate.h says
 * (docs/protocol.md §4 "Probing").
 */
#include "await_peer.h"

#include "address.h"
#include "gate.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"
#include "source_limit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 100, ACCEPTS = 16, TRIED_AT_ONCE = 32, NAME = 160 };

struct half_open {
    int fd;
    duet_channel *channel; /* NULL: the handshake failed */
    uint64_t since;        /* duet__os_now_ms() */
    int ended;             /* 1: it will send nothing more */
    int waits;             /* 1: for the budget of trials, with what it sent unread */
    unsigned trials;       /* charged to that */
    struct sockaddr_storage from;
};

static struct gate_log gate_log;

static const struct sockaddr *
source_of(const struct half_open *h)
{
    return (const struct sockaddr *)&h->from;
}

/* ---- The log ---- */

/** Log why a handshake failed. */
static void
log_failed(const struct half_open *h, int result)
{
    char name[NAME], key[DUET_KEY_TEXT_SIZE];
    duet_info info;

    if (!gate_may_log(&gate_log, duet__os_now_ms()))
        return;
    address_name(name, sizeof name, &h->from);
    duet_session_info(duet_channel_session(h->channel), &info);
    if (result == DUET_E_UNTRUSTED && info.has_peer_key) {
        duet_key_text(key, info.peer_key);
        log_warning("%s: its identity is not trusted; if it is meant, add a section [Peer NAME] to "
                    "the peers file, and below it the line PublicKey = %s",
                    name, key);
        return;
    }
    log_warning("%s: %s%s", name, channel_error(h->channel),
                gate_is_flooded(&gate_log) ? " (one of many; the others are not logged)" : "");
}

/** End a handshake that is not finished, and log why. */
static void
give_up(struct half_open *h, enum gate_end end)
{
    char name[NAME];

    if (h->channel == NULL)
        return;
    duet_channel_free(h->channel);
    h->channel = NULL;
    h->waits = 0;
    if (!gate_may_log(&gate_log, duet__os_now_ms()))
        return;
    address_name(name, sizeof name, &h->from);
    log_warning("%s: %s", name, gate_reason(end));
}

/* ---- Half-open connections ---- */

/** Close those whose time is over. Returns the milliseconds until the next one's is, or -1. */
static int
close_over(struct await_peer *wait)
{
    uint64_t now = duet__os_now_ms(), next = UINT64_MAX;
    struct half_open *entries = wait->entries;
    unsigned kept = 0;

    for (unsigned i = 0; i < wait->count; i++) {
        uint64_t age = now - entries[i].since;
        if (gate_is_over(entries[i].fd, age, wait->drain_ms, &entries[i].ended)) {
            give_up(&entries[i], GATE_TIMEOUT);
            source_limit_give(&wait->sources, source_of(&entries[i]));
            close(entries[i].fd);
            continue;
        }
        uint64_t left = age < wait->drain_ms ? wait->drain_ms - age : GATE_STEP_MS;
        next = left < next ? left : next;
        entries[kept++] = entries[i];
    }
    wait->count = kept;
    return kept > 0 ? (int)next : -1;
}

/** Fill in what to poll for. */
static void
poll_entries(struct pollfd *fds, const struct half_open *entries, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned state = 0;
        if (entries[i].channel != NULL)
            state = duet_channel_state(entries[i].channel);
        fds[i].fd = entries[i].ended || entries[i].waits ? -1 : entries[i].fd;
        fds[i].events = (short)(POLLIN | (state & DUET_WANT_WRITE ? POLLOUT : 0));
    }
}

/** The thread that keeps silent towards the others once the peers are there. It sees no secret. */
static void *
silence_others(void *argument)
{
    struct await_peer *wait = argument;
    struct pollfd *fds = calloc(wait->count, sizeof *fds);

    while (fds != NULL && wait->count > 0) {
        int ms = close_over(wait);
        poll_entries(fds, wait->entries, wait->count);
        if (wait->count == 0 || poll(fds, wait->count, ms) < 0)
            continue;
        for (unsigned i = 0; i < wait->count; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0)
                gate_drop(wait->entries[i].fd, &wait->entries[i].ended);
    }
    free(fds);
    free(wait->entries);
    free(wait);
    return NULL;
}

/** Leave the others to a thread. */
static void
hand_over(struct await_peer *wait)
{
    struct await_peer *copy = malloc(sizeof *copy);
    pthread_t thread;
    sigset_t all, before;

    for (unsigned i = 0; i < wait->count; i++)
        give_up(&wait->entries[i], GATE_PEER_CAME);
    if (copy == NULL || wait->count == 0) {
        free(copy);
        return;
    }
    *copy = *wait;
    copy->sources = (struct source_limit){0}; /* nothing is accepted any more */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    if (pthread_create(&thread, NULL, silence_others, copy) == 0) {
        pthread_detach(thread);
        wait->entries = NULL;
    } else {
        free(copy);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/** 1 when its first HELLO has opened: it holds the secret. */
static int
was_answered(const struct half_open *h)
{
    duet_info info;

    if (h->channel == NULL)
        return 0;
    duet_channel_info(h->channel, &info);
    return info.pattern != DUET_PATTERN_NONE;
}

/** Choose one to make room; NULL: all are to stay. Whether its handshake has failed makes no
 * difference: otherwise a prober who fills the table could see which of his handshakes failed. The
 * entries are in the order in which they came. */
static struct half_open *
choose_evicted(const struct await_peer *wait)
{
    struct half_open *chosen = NULL;
    struct gate_choice choice = {0};
    uint64_t now = duet__os_now_ms();

    for (unsigned i = 0; i < wait->count; i++) {
        struct half_open *h = &wait->entries[i];
        int offered = gate_offer(&choice, now - h->since, was_answered(h) ? wait->handshake_ms : 0,
                                 source_limit_count(&wait->sources, source_of(h)));
        if (offered < 0)
            break;
        if (offered > 0)
            chosen = h;
    }
    return choice.waits ? NULL : chosen;
}

static void
evict(struct await_peer *wait, struct half_open *h)
{
    unsigned at = (unsigned)(h - wait->entries);
    int ended;

    give_up(h, GATE_EVICTED);
    gate_drop(h->fd, &ended);
    source_limit_give(&wait->sources, source_of(h));
    close(h->fd);
    memmove(h, h + 1, (--wait->count - at) * sizeof *h);
}

static void
add_half_open(struct await_peer *wait, int fd, const struct sockaddr_storage *from)
{
    struct half_open h = {.fd = fd, .since = duet__os_now_ms(), .from = *from};

    address_prepare(fd);
    if (source_limit_take(&wait->sources, source_of(&h), 0) == 0) {
        if (duet_channel_open(&h.channel, wait->config, wait->replay, wait->role, fd, fd) ==
            DUET_OK) {
            wait->entries[wait->count++] = h;
            return;
        }
        source_limit_give(&wait->sources, source_of(&h));
    }
    log_warning("no memory for another connection");
    close(fd);
}

static void
accept_some(struct await_peer *wait, int listener)
{
    for (int i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        struct half_open *oldest = wait->count == wait->most ? choose_evicted(wait) : NULL;
        int full = wait->count == wait->most && oldest == NULL;
        int fd = full ? -1 : duet__os_accept(listener, (struct sockaddr *)&from, &size);
        if (fd >= 0) {
            if (oldest != NULL)
                evict(wait, oldest);
            add_half_open(wait, fd, &from);
            continue;
        }
        if (!full && errno != EMFILE && errno != ENFILE)
            return;
        oldest = full ? NULL : choose_evicted(wait);
        if (oldest == NULL) {
            wait->paused_until = duet__os_now_ms() + PAUSE_MS;
            return;
        }
        evict(wait, oldest);
    }
}

/* ---- The budget of trials ---- */

/** Charge one with the trials of its first header. Returns 1; 0: it has to wait. */
static int
charge_trials(struct await_peer *wait, struct half_open *h)
{
    if (!trial_budget_take(&wait->trials, wait->trial_rate, wait->secrets, duet__os_now_ms()))
        return 0;
    h->trials = wait->secrets;
    return 1;
}

/** The next of those that wait, or NULL. */
static struct half_open *
choose_next(const struct await_peer *wait)
{
    struct half_open *chosen = NULL;
    struct trial_choice choice = {0};

    for (unsigned i = 0; i < wait->count; i++)
        if (wait->entries[i].waits &&
            trial_offer(&choice, source_limit_count(&wait->sources, source_of(&wait->entries[i]))))
            chosen = &wait->entries[i];
    return chosen;
}

static void
let_wait(struct await_peer *wait, struct half_open *h)
{
    h->waits = 1;
    wait->trials_wait = 1;
    if (wait->trials_logged)
        return;
    wait->trials_logged = 1;
    log_warning("the limit trial-rate = %u is reached: further peers wait until their secret can "
                "be looked for",
                wait->trial_rate);
}

/** Go on with one's handshake, or drop what it sent. Returns 1 when it has authenticated. */
static int
serve_half_open(struct await_peer *wait, struct half_open *h)
{
    if (h->channel == NULL) {
        gate_drop(h->fd, &h->ended);
        return 0;
    }
    int result = duet_channel_handshake(h->channel, 0);
    if (result == DUET_OK)
        trial_budget_give(&wait->trials, h->trials);
    if (result == DUET_OK || result == DUET_AGAIN)
        return result == DUET_OK;
    log_failed(h, result);
    duet_channel_free(h->channel);
    h->channel = NULL;
    return 0;
}

/* ---- Waiting ---- */

/** Go on with those that waited for their trials. Returns the index of the peer, or -1. */
static int
serve_waiting(struct await_peer *wait)
{
    struct half_open *h = choose_next(wait);

    for (int i = 0; i < TRIED_AT_ONCE && h != NULL && charge_trials(wait, h); i++) {
        h->waits = 0;
        if (serve_half_open(wait, h))
            return (int)(h - wait->entries);
        h = choose_next(wait);
    }
    wait->trials_wait = h != NULL;
    return -1;
}

/** One has something to read, or can be written to. Returns 1 when it has authenticated. */
static int
serve_polled(struct await_peer *wait, struct half_open *h)
{
    int waits =
        h->channel != NULL && h->trials == 0 && (wait->trials_wait || !charge_trials(wait, h));

    if (waits)
        let_wait(wait, h);
    return waits ? 0 : serve_half_open(wait, h);
}

/** Poll everything once. Returns the index of the peer, or -1. */
static int
poll_once(struct await_peer *wait, struct pollfd *fds, int ms)
{
    struct pollfd *listeners = fds + wait->count;
    unsigned count = wait->count;
    int peer = wait->trials_wait ? serve_waiting(wait) : -1;

    if (peer >= 0)
        return peer;
    if (wait->trials_wait && (ms < 0 || ms > GATE_STEP_MS))
        ms = GATE_STEP_MS;
    poll_entries(fds, wait->entries, count);
    int paused = duet__os_now_ms() < wait->paused_until;
    for (unsigned i = 0; i < wait->listener.count; i++)
        listeners[i] = (struct pollfd){.fd = paused ? -1 : wait->listener.fds[i], .events = POLLIN};
    if (paused && (ms < 0 || ms > PAUSE_MS))
        ms = PAUSE_MS;
    listeners[wait->listener.count] = (struct pollfd){.fd = interrupt_fd(), .events = POLLIN};
    if (poll(fds, count + wait->listener.count + 1, ms) <= 0)
        return -1;
    for (unsigned i = 0; i < count; i++)
        if (fds[i].fd >= 0 && fds[i].revents != 0 && serve_polled(wait, &wait->entries[i]))
            return (int)i;
    for (unsigned i = 0; i < wait->listener.count; i++)
        if (listeners[i].fd >= 0 && listeners[i].revents != 0)
            accept_some(wait, wait->listener.fds[i]);
    return -1;
}

int
await_begin(struct await_peer *wait)
{
    wait->count = 0;
    wait->fds = calloc(wait->most + LISTENERS_MOST + 1, sizeof *wait->fds);
    wait->entries = calloc(wait->most, sizeof *wait->entries);
    if (wait->fds == NULL || wait->entries == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    return EXIT_DONE;
}

int
await_next(struct await_peer *wait, duet_channel **channel, int *fd, int timeout_ms)
{
    uint64_t begin = duet__os_now_ms();
    int peer = -1;

    while (peer < 0) {
        int ms = close_over(wait);
        if (timeout_ms >= 0) {
            uint64_t spent = duet__os_now_ms() - begin;
            if (spent >= (uint64_t)timeout_ms)
                return EXIT_SLOW;
            int left = timeout_ms - (int)spent;
            ms = ms < 0 || left < ms ? left : ms;
        }
        peer = poll_once(wait, wait->fds, ms);
        if (peer < 0 && interrupted())
            return EXIT_INTERRUPTED;
    }
    *channel = wait->entries[peer].channel;
    *fd = wait->entries[peer].fd;
    source_limit_give(&wait->sources, source_of(&wait->entries[peer]));
    memmove(&wait->entries[peer], &wait->entries[peer + 1],
            (--wait->count - (unsigned)peer) * sizeof *wait->entries);
    return EXIT_DONE;
}

void
await_end(struct await_peer *wait, int silence)
{
    if (silence && wait->entries != NULL)
        hand_over(wait);
    for (unsigned i = 0; wait->entries != NULL && i < wait->count; i++) { /* their keys are wiped */
        duet_channel_free(wait->entries[i].channel);
        close(wait->entries[i].fd);
    }
    free(wait->fds);
    free(wait->entries); /* NULL where the thread has them */
    wait->fds = NULL;
    wait->entries = NULL;
    wait->count = 0;
    source_limit_free(&wait->sources);
    listener_close(&wait->listener);
}
