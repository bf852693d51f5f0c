/*
 * The further streams of a transfer (see streams.h): their threads, and their part in the receipt.
 * What travels on them is in sender_stream.c and receiver_stream.c, their proofs in stream_join.c.
 */
#include "streams.h"

#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <openssl/evp.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREAD_STACK = 1 << 18, LOSS_MS = 500, WAIT_MS = 200 };

static const char export_label[] = "duet transfer stream";

/* ---- States ---- */

void
stream_set_state(struct stream *stream, enum stream_state state)
{
    pthread_mutex_lock(&stream->all->lock);
    stream->state = state;
    pthread_cond_broadcast(&stream->all->changed);
    pthread_mutex_unlock(&stream->all->lock);
}

static int
is_stopped(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    int stopped = streams->stopped;
    pthread_mutex_unlock(&streams->lock);
    return stopped;
}

/* ---- Threads ---- */

/** Start a thread that no signal interrupts. Returns 0, or -1. */
static int
start_thread(pthread_t *thread, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0)
        return -1;
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(thread, &attributes, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0 ? 0 : -1;
}

/** Report a stream that is lost, unless the others end too at that moment. */
static void
warn_of_loss(struct streams *streams, const char *what)
{
    interrupt_wait(LOSS_MS);
    if (interrupted() || is_stopped(streams))
        return;
    progress_break(&streams->first->progress);
    log_warning("a stream of this transfer %s; the others go on", what);
}

/** Carry messages on a stream whose session is established, until it ends. */
static void
run_session(struct stream *stream)
{
    struct streams *all = stream->all;
    int result =
        duet_channel_export(stream->carrier.link.channel, stream->binding, sizeof stream->binding,
                            (const uint8_t *)export_label, sizeof export_label - 1);
    int code = result == DUET_OK ? carrier_carry(&stream->carrier) : EXIT_FAILED;

    if (stream->carrier.left_behind) {
        pthread_mutex_lock(&all->lock);
        all->left_behind = 1;
        pthread_mutex_unlock(&all->lock);
    }
    link_close(&stream->carrier.link);
    pthread_mutex_lock(&all->lock);
    int joined = stream->state == STREAM_JOINED;
    pthread_mutex_unlock(&all->lock);
    if (code != EXIT_DONE && joined && all->on_lost != NULL)
        all->on_lost(stream);
    if (code != EXIT_DONE && joined)
        warn_of_loss(all, "is lost");
    stream_set_state(stream, code == EXIT_DONE && joined ? STREAM_WHOLE : STREAM_LOST);
}

/** The thread of a stream that the acceptor has opened. */
static void *
run_accepted(void *context)
{
    struct stream *stream = context;

    interrupt_by(stream->stop[0]);
    run_session(stream);
    return NULL;
}

/** The thread of a stream that connects. */
static void *
run_dialling(void *context)
{
    struct stream *stream = context;
    const struct carrier *first = stream->all->first;

    interrupt_by(stream->stop[0]);
    if (link_open_beside(&stream->carrier.link, &first->link, first->options, STREAM_JOIN_MS) ==
        EXIT_DONE) {
        run_session(stream);
        return NULL;
    }
    link_close(&stream->carrier.link);
    warn_of_loss(stream->all, "cannot be opened");
    stream_set_state(stream, STREAM_LOST);
    return NULL;
}

/** Make a stream ready for its thread. Returns 0; -1: no descriptors, or all streams were stopped
 * already, and nobody would stop this one. */
static int
prepare_stream(struct streams *streams, struct stream *stream)
{
    int ends[2];

    if (duet__os_pipe(ends, DUET__OS_NO_WAITS) != 0)
        return -1;
    stream->carrier = (struct carrier){.options = streams->first->options,
                                       .sends = streams->first->sends,
                                       .work = streams->work,
                                       .beside = 1,
                                       .context = stream};
    progress_silent(&stream->carrier.progress);
    pthread_mutex_lock(&streams->lock);
    int stopped = streams->stopped;
    if (!stopped) {
        stream->stop[0] = ends[0];
        stream->stop[1] = ends[1];
        stream->state = STREAM_OPENING;
        stream->number = 0;
    }
    pthread_mutex_unlock(&streams->lock);
    if (stopped) {
        close(ends[0]);
        close(ends[1]);
    }
    return stopped ? -1 : 0;
}

/** Join a stream's thread, which has ended or is to end, and free its place. */
static void
join_stream(struct stream *stream)
{
    if (stream->started)
        pthread_join(stream->thread, NULL);
    stream->started = 0;
    /* Another thread may cut it meanwhile, which must not write to a number that is used anew. */
    pthread_mutex_lock(&stream->all->lock);
    int ends[2] = {stream->stop[0], stream->stop[1]};
    stream->stop[0] = stream->stop[1] = -1;
    pthread_mutex_unlock(&stream->all->lock);
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/** A place for a stream: a free one, or that of one which ended before it had joined. NULL: there
 * is none. *due: how many have not joined yet. */
static struct stream *
find_place(struct streams *streams, unsigned *due)
{
    struct stream *found = NULL;

    pthread_mutex_lock(&streams->lock);
    *due = streams->count - 1;
    for (unsigned i = 1; i < streams->count; i++) {
        struct stream *stream = &streams->list[i];
        int joined = stream->number != 0;
        *due -= (unsigned)joined;
        if (!joined && (stream->state == STREAM_FREE || stream->state == STREAM_LOST))
            found = stream;
    }
    pthread_mutex_unlock(&streams->lock);
    return found;
}

/** Wait for a peer, and start a stream with it. */
static void
accept_stream(struct streams *streams, struct stream *stream)
{
    struct link link;
    const struct carrier *first = streams->first;

    if (link_open_beside(&link, &first->link, first->options, STREAM_JOIN_MS) != EXIT_DONE) {
        link_close(&link);
        return;
    }
    join_stream(stream); /* the one whose place it was */
    if (prepare_stream(streams, stream) != 0) {
        link_close(&link);
        return;
    }
    stream->carrier.link = link;
    stream->started = start_thread(&stream->thread, run_accepted, stream) == 0;
    if (!stream->started) {
        link_close(&stream->carrier.link);
        stream_set_state(stream, STREAM_LOST);
    }
}

/** The thread that accepts further connections until all streams have joined. */
static void *
run_acceptor(void *context)
{
    struct streams *streams = context;
    uint64_t end = duet__os_now_ms() + STREAM_JOIN_MS;
    unsigned due = 1;

    interrupt_by(streams->stop[0]);
    while (due > 0 && duet__os_now_ms() < end && !interrupted()) {
        struct stream *place = find_place(streams, &due);
        if (place != NULL && due > 0)
            accept_stream(streams, place);
        else if (due > 0)
            interrupt_wait(WAIT_MS);
    }
    link_stop_listening(&streams->first->link);
    return NULL;
}

/* ---- Beginning ---- */

int
streams_init(struct streams *streams, struct carrier *first, int (*work)(void *stream),
             void *context)
{
    memset(streams, 0, sizeof *streams);
    streams->first = first;
    streams->work = work;
    streams->context = context;
    streams->stop[0] = streams->stop[1] = -1;
    for (size_t i = 0; i < TRANSFER_STREAMS_MOST; i++) {
        streams->list[i].all = streams;
        streams->list[i].stop[0] = streams->list[i].stop[1] = -1;
    }
    if (pthread_mutex_init(&streams->lock, NULL) != 0)
        return -1;
    return pthread_cond_init(&streams->changed, NULL) == 0 ? 0 : -1;
}

int
streams_draw(struct streams *streams)
{
    return duet__os_random(streams->token, sizeof streams->token);
}

void
streams_start(struct streams *streams, unsigned count)
{
    streams->count = count;
    if (count < 2) {
        link_stop_listening(&streams->first->link);
        return;
    }
    if (streams->first->options->listen) {
        if (duet__os_pipe(streams->stop, DUET__OS_NO_WAITS) == 0)
            streams->accepting = start_thread(&streams->acceptor, run_acceptor, streams) == 0;
        return;
    }
    for (unsigned i = 1; i < count; i++) {
        struct stream *stream = &streams->list[i];
        if (prepare_stream(streams, stream) != 0)
            return;
        stream->started = start_thread(&stream->thread, run_dialling, stream) == 0;
        if (!stream->started)
            stream_set_state(stream, STREAM_LOST);
    }
}

/* ---- The end ---- */

/** Have a stream end now. The lock is held. */
static void
cut_stream(struct stream *stream)
{
    if (stream->stop[1] >= 0)
        (void)!write(stream->stop[1], "", 1);
}

/** No stream comes any more; those that have not joined are cut. */
static void
stop_opening(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    streams->stopped = 1;
    if (streams->stop[1] >= 0)
        (void)!write(streams->stop[1], "", 1);
    for (unsigned i = 1; i < streams->count; i++)
        if (streams->list[i].number == 0)
            cut_stream(&streams->list[i]);
    pthread_mutex_unlock(&streams->lock);
    if (streams->accepting)
        pthread_join(streams->acceptor, NULL);
    streams->accepting = 0;
}

/** 1 when a stream has a state. The lock is held. */
static int
any_is(const struct streams *streams, enum stream_state state)
{
    for (unsigned i = 1; i < streams->count; i++)
        if (streams->list[i].state == state)
            return 1;
    return 0;
}

int
streams_are_there(struct streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    int there = streams->count > 1 && (streams->accepting || any_is(streams, STREAM_JOINED) ||
                                       any_is(streams, STREAM_OPENING));
    pthread_mutex_unlock(&streams->lock);
    return there;
}

void
streams_keep(struct streams *streams, const uint8_t *numbers, size_t count)
{
    pthread_mutex_lock(&streams->lock);
    for (unsigned i = 1; i < streams->count; i++) {
        const uint8_t number = (uint8_t)streams->list[i].number;
        if (count == 0 || memchr(numbers, number, count) == NULL)
            cut_stream(&streams->list[i]);
    }
    pthread_mutex_unlock(&streams->lock);
}

unsigned
streams_end(struct streams *streams, uint8_t numbers[TRANSFER_STREAMS_MOST])
{
    unsigned count = 0;

    if (streams->count < 2)
        return 0;
    stop_opening(streams);
    pthread_mutex_lock(&streams->lock);
    while ((any_is(streams, STREAM_JOINED) || any_is(streams, STREAM_OPENING)) &&
           !carrier_stopped(streams->first)) {
        struct timespec end;
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec++;
        (void)pthread_cond_timedwait(&streams->changed, &streams->lock, &end);
    }
    for (unsigned number = 1; number < streams->count; number++)
        for (unsigned i = 1; i < streams->count; i++)
            if (streams->list[i].number == number && streams->list[i].state == STREAM_WHOLE)
                numbers[count++] = (uint8_t)number;
    pthread_mutex_unlock(&streams->lock);
    return count;
}

void
streams_stop(struct streams *streams)
{
    if (streams->count > 1) {
        stop_opening(streams);
        pthread_mutex_lock(&streams->lock);
        for (unsigned i = 1; i < streams->count; i++)
            cut_stream(&streams->list[i]);
        pthread_mutex_unlock(&streams->lock);
        for (unsigned i = 1; i < streams->count; i++)
            join_stream(&streams->list[i]);
    }
    for (int i = 0; i < 2; i++)
        if (streams->stop[i] >= 0)
            close(streams->stop[i]);
    streams->stop[0] = streams->stop[1] = -1;
}

void
streams_free(struct streams *streams)
{
    duet_wipe(streams->token, sizeof streams->token);
    for (unsigned i = 0; i < streams->count; i++)
        duet_wipe(streams->list[i].binding, sizeof streams->list[i].binding);
    pthread_cond_destroy(&streams->changed);
    pthread_mutex_destroy(&streams->lock);
}

/** The receipt of the stream of a number, as text; NULL: it has none. */
static const char *
receipt_of(const struct streams *streams, unsigned number)
{
    for (unsigned i = 1; i < streams->count; i++)
        if (streams->list[i].number == number && streams->list[i].state == STREAM_WHOLE)
            return streams->list[i].carrier.receipt;
    return NULL;
}

int
streams_receipt(struct streams *streams, const uint8_t *numbers, size_t count)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct carrier *first = streams->first;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (count == 0) {
        EVP_MD_CTX_free(context);
        return 0;
    }
    pthread_mutex_lock(&first->lock);
    int bad = context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1 ||
              EVP_DigestUpdate(context, first->receipt, strlen(first->receipt)) != 1;
    for (size_t i = 0; i < count && !bad; i++) {
        const char *receipt = receipt_of(streams, numbers[i]);
        bad = receipt == NULL || *receipt == 0 || EVP_DigestUpdate(context, &numbers[i], 1) != 1 ||
              EVP_DigestUpdate(context, receipt, strlen(receipt)) != 1;
    }
    bad = bad || EVP_DigestFinal_ex(context, digest, NULL) != 1;
    if (!bad)
        to_hex(first->receipt, digest, DUET_RECEIPT_SIZE);
    pthread_mutex_unlock(&first->lock);
    EVP_MD_CTX_free(context);
    return bad ? -1 : 0;
}
