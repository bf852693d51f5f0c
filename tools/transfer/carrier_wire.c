/*
 * The wire's side of a transfer (see carrier.h): moves blocks of messages to and from the channel,
 * gives signs of life, and ends the transfer in order. What the messages say is not for this file.
 */
#include "carrier_wire.h"

#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_MS = 200,         /* the longest wait: progress is shown that often */
    JOIN_MS = 5000,        /* how long a worker that waits for a disk may take to end */
    WORKER_STACK = 1 << 20 /* bytes: a walk goes one call deeper for each folder */
};

/* ---- Out ---- */

/** Send what the first block still has. Returns a result of the library. */
static int
send_block(struct carrier *carrier, struct carrier_block *block)
{
    duet_channel *channel = carrier->link.channel;
    size_t sent = 0;
    int result = DUET_OK;

    while (result == DUET_OK && block->done < block->count) {
        const duet_message *message = &block->list[block->done];
        if (carrier->part == 0) {
            result =
                duet_channel_send_messages(channel, message, block->count - block->done, &sent, 0);
            block->done += sent;
            if (sent > 0)
                carrier->wrote_ms = duet__os_now_ms();
            if (result != DUET_E_LENGTH)
                continue;
            message += sent;
        }
        /* The peer takes smaller frames than this message: it goes out in parts. */
        const uint8_t *data = message->data;
        result = duet_channel_send_message(channel, message->code, data + carrier->part,
                                           message->size - carrier->part, &sent, 0);
        carrier->part = result == DUET_OK ? 0 : carrier->part + sent;
        block->done += result == DUET_OK;
        sent += result == DUET_OK;
        if (sent > 0)
            carrier->wrote_ms = duet__os_now_ms();
    }
    return result;
}

/** Send a sign of life where nothing else was sent for a while. */
static int
send_tick(struct carrier *carrier, uint64_t now)
{
    size_t sent;

    if (carrier->part > 0 || now - carrier->sent_ms < CARRIER_TICK_MS)
        return DUET_OK;
    carrier->sent_ms = now;
    return duet_channel_send_message(carrier->link.channel, TRANSFER_TICK, NULL, 0, &sent, 0);
}

/** Keep the receipt of the sender's direction, which has closed. */
static void
keep_receipt(struct carrier *carrier)
{
    enum duet_role role = carrier->link.role;

    if (!carrier->sends)
        role = role == DUET_TOP ? DUET_BOTTOM : DUET_TOP;
    pthread_mutex_lock(&carrier->lock);
    link_receipt(&carrier->link, carrier->receipt, role);
    pthread_mutex_unlock(&carrier->lock);
}

/** Nothing is queued: give a sign of life, or close where that is wanted. Returns a result. */
static int
send_rest(struct carrier *carrier, int ending, uint64_t now)
{
    duet_channel *channel = carrier->link.channel;

    if (carrier->our_end)
        return DUET_OK;
    if (!ending) {
        int result = send_tick(carrier, now);
        return result == DUET_OK ? duet_channel_flush(channel, 0) : result;
    }
    int result = duet_channel_close(channel, 0);
    if (result != DUET_OK)
        return result;
    carrier->our_end = 1;
    if (carrier->sends)
        keep_receipt(carrier);
    return DUET_OK;
}

/** The next block to be sent; NULL: none. *ending: 1 when our direction is to be closed then. */
static struct carrier_block *
next_to_send(struct carrier *carrier, int *ending)
{
    pthread_mutex_lock(&carrier->lock);
    struct carrier_block *block = carrier->out.count > 0 ? carrier_first(&carrier->out) : NULL;
    *ending = carrier->ending;
    pthread_mutex_unlock(&carrier->lock);
    return block;
}

/** Send all that can be sent now. Returns a result; DUET_AGAIN: the wire takes no more. */
static int
send_some(struct carrier *carrier)
{
    uint64_t now = duet__os_now_ms();
    struct carrier_block *block;
    int ending;

    while ((block = next_to_send(carrier, &ending)) != NULL) {
        carrier->sent_ms = now;
        int result = send_block(carrier, block);
        if (result != DUET_OK)
            return result;
        pthread_mutex_lock(&carrier->lock);
        carrier_drop_first(&carrier->out);
        pthread_cond_signal(&carrier->changed);
        pthread_mutex_unlock(&carrier->lock);
    }
    return send_rest(carrier, ending, now);
}

/* ---- In ---- */

/** The block that can be received into; NULL: none, or the peer has closed. */
static struct carrier_block *
block_with_room(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    int room = carrier->in.count < CARRIER_BLOCKS && !carrier->closed;
    struct carrier_block *block = room ? carrier_next(&carrier->in) : NULL;
    pthread_mutex_unlock(&carrier->lock);
    return block;
}

/** Signs of life are for this thread alone: they would fill the queue of a worker that hashes. */
static void
drop_ticks(struct carrier_block *block)
{
    size_t kept = 0;

    for (size_t i = 0; i < block->count; i++)
        if (block->list[i].code != TRANSFER_TICK)
            block->list[kept++] = block->list[i];
    block->count = kept;
}

static void
hand_over_block(struct carrier *carrier, const struct carrier_block *block, int closed)
{
    pthread_mutex_lock(&carrier->lock);
    carrier->in.count += block->count > 0;
    carrier->closed |= closed;
    pthread_cond_signal(&carrier->changed);
    pthread_mutex_unlock(&carrier->lock);
}

/** Receive what has come. Returns a result; DUET_OK: the queue is full, or the peer has closed. */
static int
receive_some(struct carrier *carrier)
{
    struct carrier_block *block;
    int result = DUET_OK;

    while (result == DUET_OK && (block = block_with_room(carrier)) != NULL) {
        duet_inbox inbox = {.buffer = block->bytes,
                            .size = CARRIER_BLOCK,
                            .messages = block->list,
                            .room = CARRIER_LIST};
        result = duet_channel_recv_messages(carrier->link.channel, &inbox, 0);
        block->count = inbox.count;
        if (result == DUET_CLOSED && !carrier->sends)
            keep_receipt(carrier);
        if (inbox.count > 0 || result == DUET_CLOSED)
            carrier->heard_ms = duet__os_now_ms();
        drop_ticks(block);
        hand_over_block(carrier, block, result == DUET_CLOSED);
    }
    return result == DUET_CLOSED ? DUET_OK : result;
}

/* ---- Waiting ---- */

/** Wait for the wire, the worker or a signal. Returns an exit code. */
static int
wait_for_any(struct carrier *carrier)
{
    uint8_t bytes[64];
    unsigned state = duet_channel_state(carrier->link.channel);
    int reads = block_with_room(carrier) != NULL;
    struct pollfd fds[4] = {
        {.fd = reads ? carrier->link.rfd : -1, .events = POLLIN},
        {.fd = state & DUET_WANT_WRITE ? carrier->link.wfd : -1, .events = POLLOUT},
        {.fd = carrier->wake[0], .events = POLLIN},
        {.fd = interrupt_fd(), .events = POLLIN}};

    pthread_mutex_lock(&carrier->lock);
    /* What the worker did since the last look would not wake poll(). */
    int work = carrier->finished ||
               (carrier->in.count < CARRIER_BLOCKS && !carrier->closed) != reads ||
               (carrier->out.count > 0 && !(state & DUET_WANT_WRITE)) ||
               (carrier->ending && !carrier->our_end && !(state & DUET_WANT_WRITE));
    carrier->polling = !work;
    pthread_mutex_unlock(&carrier->lock);
    if (!work && poll(fds, 4, STEP_MS) < 0 && errno != EINTR)
        return log_error(EXIT_FAILED, "poll: %s", errno_text());
    pthread_mutex_lock(&carrier->lock);
    carrier->polling = 0;
    pthread_mutex_unlock(&carrier->lock);
    while (read(carrier->wake[0], bytes, sizeof bytes) > 0)
        ;
    return interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
}

/** 1 when the peer has been silent for longer than the user allows: it gives no sign of life, or,
 * after its end, takes nothing of what is there for it. */
static int
is_idle(struct carrier *carrier)
{
    uint64_t now = duet__os_now_ms();

    pthread_mutex_lock(&carrier->lock);
    int waits = carrier->out.count > 0; /* for the wire */
    if (!waits && (carrier->closed || carrier->in.count == CARRIER_BLOCKS))
        carrier->heard_ms = now; /* it owes nothing, or this end's worker does not listen */
    int closed = carrier->closed;
    pthread_mutex_unlock(&carrier->lock);
    if (closed && carrier->wrote_ms > carrier->heard_ms)
        carrier->heard_ms = carrier->wrote_ms;
    return carrier->options->idle_ms >= 0 &&
           now > carrier->heard_ms + (uint64_t)carrier->options->idle_ms;
}

/** 1 when the worker has ended, and what it put is sent where that matters. */
static int
is_over(struct carrier *carrier)
{
    pthread_mutex_lock(&carrier->lock);
    int over = carrier->finished && (carrier->our_end || !carrier->ending);
    pthread_mutex_unlock(&carrier->lock);
    return over;
}

/** Carry messages until the worker is done. Returns an exit code; carrier->result is why. */
static int
carry_messages(struct carrier *carrier)
{
    int code = EXIT_DONE;

    while (code == EXIT_DONE && !is_over(carrier)) {
        int sent = send_some(carrier);
        int got = sent == DUET_OK || sent == DUET_AGAIN ? receive_some(carrier) : sent;
        if (got != DUET_OK && got != DUET_AGAIN) {
            carrier->result = got;
            return EXIT_FAILED;
        }
        progress_tick(&carrier->progress);
        if (is_idle(carrier))
            return EXIT_SLOW;
        code = wait_for_any(carrier);
    }
    return code;
}

/* ---- The worker's thread ---- */

static void *
run_worker(void *context)
{
    struct carrier *carrier = context;
    int code = carrier->work(carrier->context);

    pthread_mutex_lock(&carrier->lock);
    carrier->finished = 1;
    carrier->code = code;
    (void)!write(carrier->wake[1], "", 1);
    pthread_mutex_unlock(&carrier->lock);
    return NULL;
}

static int
start_worker(struct carrier *carrier, pthread_t *thread)
{
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0)
        return -1;
    (void)pthread_attr_setstacksize(&attributes, WORKER_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the wire's thread's */
    int result = pthread_create(thread, &attributes, run_worker, carrier);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0 ? 0 : -1;
}

/** Have the worker end, and wait for it. Returns 1 when it has; 0: it waits for a disk, or the
 * like, and is left behind. */
static int
stop_worker(struct carrier *carrier, pthread_t thread)
{
    struct timespec step = {0, 1000000};
    int finished = 0;

    pthread_mutex_lock(&carrier->lock);
    carrier->stopped = 1;
    pthread_cond_broadcast(&carrier->changed);
    pthread_mutex_unlock(&carrier->lock);
    (void)!write(carrier->stop[1], "", 1);
    /* A command that goes on uses the same memory again, so it waits for as long as it takes. */
    const struct options *o = carrier->options;
    for (int ms = 0; !finished && (ms < JOIN_MS || ((o->keep || o->retry > 0) && !interrupted()));
         ms++) {
        pthread_mutex_lock(&carrier->lock);
        finished = carrier->finished;
        pthread_mutex_unlock(&carrier->lock);
        if (!finished)
            nanosleep(&step, NULL);
    }
    if (finished)
        pthread_join(thread, NULL);
    else
        pthread_detach(thread);
    return finished;
}

/* ---- The whole ---- */

static int
make_queue(struct carrier_queue *queue)
{
    int bad = 0;

    memset(queue, 0, sizeof *queue);
    for (size_t i = 0; i < CARRIER_BLOCKS; i++) {
        queue->blocks[i].bytes = malloc(CARRIER_BLOCK);
        queue->blocks[i].list = malloc(CARRIER_LIST * sizeof(duet_message));
        bad |= queue->blocks[i].bytes == NULL || queue->blocks[i].list == NULL;
    }
    return bad ? -1 : 0;
}

static void
free_queue(struct carrier_queue *queue)
{
    for (size_t i = 0; i < CARRIER_BLOCKS; i++) {
        if (queue->blocks[i].bytes != NULL)
            duet_wipe(queue->blocks[i].bytes, CARRIER_BLOCK);
        free(queue->blocks[i].bytes);
        free(queue->blocks[i].list);
    }
}

static void
close_pipe(int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

/** Make what the two threads share. Returns an exit code. */
static int
carrier_prepare(struct carrier *carrier)
{
    carrier->stopped = carrier->ending = carrier->finished = carrier->closed = 0;
    carrier->our_end = carrier->complete = carrier->waiting = 0;
    carrier->result = DUET_OK;
    carrier->part = carrier->assembled = 0;
    carrier->assembly = NULL;
    carrier->receipt[0] = 0;
    carrier->wake[0] = carrier->wake[1] = carrier->stop[0] = carrier->stop[1] = -1;
    int bad = make_queue(&carrier->in) + make_queue(&carrier->out);
    if (bad != 0 || pthread_mutex_init(&carrier->lock, NULL) != 0 ||
        pthread_cond_init(&carrier->changed, NULL) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    if (duet__os_pipe(carrier->wake, DUET__OS_NO_WAITS) != 0 ||
        duet__os_pipe(carrier->stop, DUET__OS_NO_WAITS) != 0)
        return log_error(EXIT_LIMIT, "pipe: %s", errno_text());
    return EXIT_DONE;
}

static void
carrier_release(struct carrier *carrier)
{
    free_queue(&carrier->in);
    free_queue(&carrier->out);
    if (carrier->assembly != NULL)
        duet_wipe(carrier->assembly, CARRIER_ASSEMBLY);
    free(carrier->assembly);
    close_pipe(carrier->wake);
    close_pipe(carrier->stop);
}

/** Report why the wire's thread ended the transfer. Returns the exit code. */
static int
report_cut(struct carrier *carrier, int code)
{
    if (carrier->beside) {
        if (carrier->result != DUET_OK)
            link_fail_beside(&carrier->link, carrier->result);
        return code;
    }
    progress_break(&carrier->progress);
    if (carrier->result != DUET_OK)
        return link_fail(&carrier->link, carrier->result);
    if (code == EXIT_SLOW)
        return log_error(code, "nothing came for %g s: the peer is slow; " TRANSFER_RESUME,
                         carrier->options->idle_ms / 1000.0);
    return code == EXIT_INTERRUPTED ? log_error(code, "interrupted; " TRANSFER_RESUME) : code;
}

int
carrier_carry(struct carrier *carrier)
{
    pthread_t thread = 0;
    int code = carrier_prepare(carrier);

    carrier->sent_ms = carrier->heard_ms = carrier->wrote_ms = carrier->progress.begun_ms =
        duet__os_now_ms();
    if (code == EXIT_DONE && start_worker(carrier, &thread) != 0)
        code = log_error(EXIT_LIMIT, "no thread: %s", errno_text());
    if (code != EXIT_DONE) {
        carrier_release(carrier);
        return code;
    }
    code = carry_messages(carrier);
    carrier->left_behind = !stop_worker(carrier, thread);
    if (carrier->left_behind)
        return report_cut(carrier, code); /* the queues stay, since it may still use them */
    code = code == EXIT_DONE ? carrier->code : report_cut(carrier, code);
    progress_break(&carrier->progress);
    if (carrier->receipt[0] != 0 && carrier->complete)
        progress_end(&carrier->progress, carrier->receipt, carrier->options);
    carrier_release(carrier);
    return code;
}

int
carrier_run(struct carrier *carrier, const char *address)
{
    progress_begin(&carrier->progress, carrier->options);
    interrupt_catch();
    int code = link_open(&carrier->link, carrier->options, address);
    carrier->link.resumable = 1;
    if (code == EXIT_DONE)
        code = carrier_carry(carrier);
    link_close(&carrier->link);
    return code;
}
