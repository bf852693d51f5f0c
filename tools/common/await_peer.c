/*
 * Waiting for a peer. One loop polls the listener, those who may be peers and those who are not.
 *
 * A guest whose channel is gone is a stranger: gate.h says what becomes of it.
 */
#include "await_peer.h"

#include "address.h"
#include "gate.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAST_MS = 1000, STEP_MS = 20 }; /* after its time, for what is unread; and steps of that */
enum { SHORT_OF_FDS_MS = 100 };
enum { TOLD_FIRST = 20, TOLD_EVERY_MS = 60000 }; /* strangers told one by one, then by number */
enum { SCRATCH = 16384 };                        /* bytes */

struct guest {
    int fd;
    duet_channel *channel; /* NULL: a stranger */
    uint64_t since;        /* duet__os_now_ms() */
    int ended;             /* 1: it will send nothing more */
    struct sockaddr_storage from;
};

/* ---- Telling ---- */

static unsigned told; /* strangers so far */

enum { NAME = 160 };

/** May one more stranger be told of? A flood of them is told now and then. */
static int
may_tell(void)
{
    static uint64_t last;
    uint64_t now = duet__os_now_ms();

    if (++told > TOLD_FIRST && now < last + TOLD_EVERY_MS)
        return 0;
    last = now;
    return 1;
}

/** Say why a guest is a stranger. */
static void
tell(const struct guest *guest, int result)
{
    char name[NAME], key[DUET_KEY_TEXT_SIZE];
    duet_info info;

    if (!may_tell())
        return;
    address_name(name, sizeof name, &guest->from);
    duet_session_info(duet_channel_session(guest->channel), &info);
    if (result == DUET_E_UNTRUSTED && info.has_peer_key) {
        duet_key_text(key, info.peer_key);
        log_warning(
            "%s: its identity is not trusted; if it is meant, add a section [Peer NAME] to the "
            "peers file, and below it the line PublicKey = %s",
            name, key);
        return;
    }
    log_warning("%s: %s%s", name, channel_error(guest->channel),
                told > TOLD_FIRST ? " (one of many; the others are not told)" : "");
}

/** A guest that had proven nothing becomes a stranger, for a reason of this side's. */
static void
give_up(struct guest *guest, const char *why)
{
    char name[NAME];

    if (guest->channel == NULL)
        return;
    duet_channel_free(guest->channel);
    guest->channel = NULL;
    if (!may_tell())
        return;
    address_name(name, sizeof name, &guest->from);
    log_warning("%s: its opening stayed unfinished %s: a half-open connection, or not duet", name,
                why);
}

/* ---- Strangers ---- */

/** Close those whose time is over; returns the milliseconds until the next one's is, or -1. */
static int
close_over(struct guest *guests, unsigned *count, uint32_t drain_ms)
{
    uint64_t now = duet__os_now_ms(), next = UINT64_MAX;
    unsigned kept = 0;

    for (unsigned i = 0; i < *count; i++) {
        uint64_t age = now - guests[i].since;
        if (silence_over(guests[i].fd, age, drain_ms, &guests[i].ended)) {
            give_up(&guests[i], "until its time was over");
            close(guests[i].fd);
            continue;
        }
        uint64_t wait = age < drain_ms ? drain_ms - age : STEP_MS;
        next = wait < next ? wait : next;
        guests[kept++] = guests[i];
    }
    *count = kept;
    return kept > 0 ? (int)next : -1;
}

/** Fill in what to poll for. */
static void
poll_guests(struct pollfd *fds, const struct guest *guests, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned state =
            guests[i].channel != NULL ? duet_channel_state(guests[i].channel) : DUET_WANT_READ;
        fds[i].fd = guests[i].ended ? -1 : guests[i].fd;
        fds[i].events = (short)(POLLIN | (state & DUET_WANT_WRITE ? POLLOUT : 0));
    }
}

struct watch {
    struct guest *guests;
    unsigned count;
    uint32_t drain_ms;
};

/** The thread that goes on listening to strangers once the peer is found. It sees no secret. */
static void *
watch(void *argument)
{
    struct watch *w = argument;
    struct pollfd *fds = calloc(w->count, sizeof *fds);

    while (fds != NULL && w->count > 0) {
        int wait = close_over(w->guests, &w->count, w->drain_ms);
        poll_guests(fds, w->guests, w->count);
        if (w->count == 0 || poll(fds, w->count, wait) < 0)
            continue;
        for (unsigned i = 0; i < w->count; i++)
            if (fds[i].fd >= 0 && fds[i].revents != 0)
                silence_drop(w->guests[i].fd, &w->guests[i].ended);
    }
    free(fds);
    free(w->guests);
    free(w);
    return NULL;
}

static void
hand_over(struct door *door)
{
    struct watch *w = malloc(sizeof *w);
    pthread_t thread;
    sigset_t all, before;

    for (unsigned i = 0; i < door->count; i++)
        give_up(&door->guests[i], "until the peer had come");
    if (w == NULL || door->count == 0) {
        free(w);
        return;
    }
    *w = (struct watch){door->guests, door->count, door->drain_ms};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    if (pthread_create(&thread, NULL, watch, w) == 0) {
        pthread_detach(thread);
        door->guests = NULL;
    } else {
        free(w);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- Those who may be peers ---- */

/** Make room: the oldest of all goes. Whether it was judged already makes no difference: else a
 * prober who fills the table could see which of his openings were. */
static void
evict(struct door *door)
{
    unsigned oldest = 0;
    int ended;

    for (unsigned i = 0; i < door->count; i++) {
        if (door->guests[i].since < door->guests[oldest].since)
            oldest = i;
    }
    give_up(&door->guests[oldest], "until its place was needed");
    silence_drop(door->guests[oldest].fd, &ended);
    close(door->guests[oldest].fd);
    door->guests[oldest] = door->guests[--door->count];
}

static void
welcome(struct door *door, int fd, const struct sockaddr_storage *from)
{
    struct guest guest = {.fd = fd, .since = duet__os_now_ms(), .from = *from};

    address_prepare(fd);
    if (duet_channel_open(&guest.channel, door->config, door->replay, door->role, fd, fd) !=
        DUET_OK) {
        log_warning("no memory for another connection");
        close(fd);
        return;
    }
    if (door->count == door->most)
        evict(door);
    door->guests[door->count++] = guest;
}

static void
accept_guests(struct door *door, int listener)
{
    for (int i = 0; i < 16; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        int fd = duet__os_accept(listener, (struct sockaddr *)&from, &size);
        if (fd >= 0) {
            welcome(door, fd, &from);
            continue;
        }
        if (errno != EMFILE && errno != ENFILE)
            return;
        if (door->count == 0) {
            poll(NULL, 0, SHORT_OF_FDS_MS);
            return;
        }
        evict(door);
    }
}

/** Let a guest go on with its proof. Returns 1 when it is the peer. */
static int
serve(struct guest *guest)
{
    if (guest->channel == NULL) {
        silence_drop(guest->fd, &guest->ended);
        return 0;
    }
    int result = duet_handshake(guest->channel, 0);
    if (result == DUET_OK)
        return 1;
    if (result != DUET_AGAIN) {
        tell(guest, result);
        duet_channel_free(guest->channel);
        guest->channel = NULL;
    }
    return 0;
}

/** One turn over all guests; returns the index of the peer, or -1. */
static int
serve_all(struct door *door, const struct pollfd *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (fds[i].fd >= 0 && fds[i].revents != 0 && serve(&door->guests[i]))
            return (int)i;
    return -1;
}

/** Poll everything once; returns the index of the peer, or -1. */
static int
turn(struct door *door, struct pollfd *fds, int wait)
{
    unsigned count = door->count;

    poll_guests(fds, door->guests, count);
    for (unsigned i = 0; i < door->listener.count; i++)
        fds[count + i] = (struct pollfd){.fd = door->listener.fds[i], .events = POLLIN};
    fds[count + door->listener.count] = (struct pollfd){.fd = interrupt_fd(), .events = POLLIN};
    if (poll(fds, count + door->listener.count + 1, wait) <= 0)
        return -1;
    int peer = serve_all(door, fds, count);
    for (unsigned i = 0; i < door->listener.count && peer < 0; i++)
        if (fds[count + i].revents != 0)
            accept_guests(door, door->listener.fds[i]);
    return peer;
}

static int
wait_for_peer(struct door *door, struct pollfd *fds, int timeout_ms, int *peer)
{
    uint64_t begin = duet__os_now_ms();

    for (*peer = -1; *peer < 0;) {
        int wait = close_over(door->guests, &door->count, door->drain_ms);
        if (timeout_ms >= 0) {
            uint64_t spent = duet__os_now_ms() - begin;
            if (spent >= (uint64_t)timeout_ms)
                return log_error(
                    EXIT_SLOW,
                    "no peer came within the time-out; start it, or give a longer --timeout");
            int left = timeout_ms - (int)spent;
            wait = wait < 0 || left < wait ? left : wait;
        }
        *peer = turn(door, fds, wait);
        if (*peer < 0 && interrupted())
            return EXIT_INTERRUPTED;
    }
    return EXIT_DONE;
}

/** Nobody came in time: those who are still here go, their keys are wiped. */
static void
send_all_away(struct door *door)
{
    for (unsigned i = 0; door->guests != NULL && i < door->count; i++) {
        duet_channel_free(door->guests[i].channel);
        close(door->guests[i].fd);
    }
}

int
door_wait(struct door *door, duet_channel **channel, int *fd, int timeout_ms)
{
    struct pollfd *fds = calloc(door->most + LISTENERS_MOST + 1, sizeof *fds);
    int peer = -1;

    door->guests = calloc(door->most, sizeof *door->guests);
    int code = fds != NULL && door->guests != NULL ? wait_for_peer(door, fds, timeout_ms, &peer)
                                                   : log_error(EXIT_LIMIT, "no memory");
    if (code == EXIT_DONE && peer >= 0 && door->guests != NULL) {
        *channel = door->guests[peer].channel;
        *fd = door->guests[peer].fd;
        door->guests[peer] = door->guests[--door->count];
        hand_over(door);
    }
    if (code != EXIT_DONE)
        send_all_away(door);
    free(fds);
    free(door->guests); /* unless the thread has them */
    listener_close(&door->listener);
    return code;
}

/** Drop what is there. Returns 1 when more may come. */
static int
drop(int fd)
{
    char scratch[SCRATCH];
    ssize_t n = read(fd, scratch, sizeof scratch);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/** What is unread now, for a second at most, so that it ends with FIN and not with RST. */
static void
drop_rest(int fd)
{
    uint64_t end = duet__os_now_ms() + LAST_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    while (duet__os_now_ms() < end && !interrupted() && poll(&poll_fd, 1, 0) > 0 && drop(fd))
        continue;
}

static void
wait_out(uint64_t end)
{
    struct pollfd poll_fd = {.fd = interrupt_fd(), .events = POLLIN};

    for (uint64_t now = duet__os_now_ms(); now < end && !interrupted(); now = duet__os_now_ms())
        (void)poll(&poll_fd, 1, (int)(end - now));
}

void
door_drain(int fd, uint64_t ms, int to_end)
{
    uint64_t end = duet__os_now_ms() + ms;

    for (uint64_t now = end - ms; now < end && !interrupted(); now = duet__os_now_ms()) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = interrupt_fd(), .events = POLLIN}};
        if (poll(fds, 2, (int)(end - now)) <= 0 || fds[0].revents == 0 || drop(fd))
            continue;
        if (!to_end)
            wait_out(end); /* its end tells the prober nothing: the whole time is waited for */
        return;
    }
    drop_rest(fd);
}
