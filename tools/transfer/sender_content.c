/*
 * Content at the sending end (see sender.h): files are read and sent from where the peer wants
 * them, holes are named and not sent, and a file that changed while it was read is sent again.
 */
#include "content_hash.h"
#include "file_data.h"
#include "sender.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 3, PAUSE_MS = 200 };

/* ---- Reading ---- */

static int
source_failed(struct sender *s, const struct sent *sent, const char *why)
{
    progress_break(&s->carrier.progress);
    s->error = log_error(EXIT_LOCAL, "%s: %s", printable(sent->name), why);
    return DONE_FAILED;
}

/** Send a stream to its end. Returns a status of DONE, or -1: the worker has to end. */
static int
send_stream(struct sender *s, struct sent *sent)
{
    while (!sent->refused) {
        carrier_push(&s->carrier);
        int ready = carrier_wait(&s->carrier, sent->fd, PAUSE_MS);
        if (ready < 0 || limiter_keep(&s->limiter, &s->carrier) != 0 || sender_look(s) != EXIT_DONE)
            return -1;
        uint8_t *room = ready ? carrier_room(&s->carrier) : NULL;
        if (room == NULL && ready)
            return -1;
        ssize_t n = ready ? read(sent->fd, room, TRANSFER_DATA_MOST) : -1;
        if (n == 0)
            return DONE_WHOLE;
        if (n < 0) {
            if (ready && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
                return source_failed(s, sent, errno_text());
            continue;
        }
        carrier_add(&s->carrier, TRANSFER_DATA, (size_t)n);
        s->consumed |= !S_ISREG(sent->status.st_mode); /* another try could send the rest alone */
        s->running += (uint64_t)n;
        limiter_count(&s->limiter, (uint64_t)n);
        sent->moved += (uint64_t)n;
    }
    return DONE_FAILED;
}

/** Send the bytes from at to end. Returns a status of DONE, or -1. */
static int
send_range(struct sender *s, struct sent *sent, uint64_t at, uint64_t end)
{
    while (at < end && !sent->refused) {
        if (limiter_keep(&s->limiter, &s->carrier) != 0)
            return -1;
        uint8_t *room = carrier_room(&s->carrier);
        if (room == NULL)
            return -1;
        uint64_t left = end - at;
        size_t want = left < TRANSFER_DATA_MOST ? (size_t)left : TRANSFER_DATA_MOST;
        ssize_t n = pread(sent->fd, room, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return source_failed(s, sent, errno_text());
        if (n == 0)
            return DONE_CHANGED; /* it became shorter */
        carrier_add(&s->carrier, TRANSFER_DATA, (size_t)n);
        at += (uint64_t)n;
        s->running += (uint64_t)n;
        limiter_count(&s->limiter, (uint64_t)n);
        sent->moved += (uint64_t)n;
    }
    return sent->refused ? DONE_FAILED : DONE_WHOLE;
}

/** Send a file's content from an offset. Returns a status of DONE, or -1. */
static int
send_content(struct sender *s, struct sent *sent, uint64_t at)
{
    uint64_t size = (uint64_t)sent->status.st_size, end;
    int status = DONE_WHOLE, sparse = file_has_holes(&sent->status);
    uint8_t message[8];

    while (at < size && status == DONE_WHOLE) {
        uint64_t data = at;
        if (sparse)
            data = file_next_data(sent->fd, size, at, &end);
        else
            end = size;
        if (data > at) {
            put_field(message, data - at, 8);
            if (carrier_put(&s->carrier, TRANSFER_HOLE, message, sizeof message) != 0)
                return -1;
        }
        at = data;
        if (at < size)
            status = send_range(s, sent, at, end);
        at = end;
    }
    return status;
}

/** Send a file's content in ranges, beside the further streams. Returns as send_content(). */
static int
send_ranges(struct sender *s, struct sent *sent)
{
    struct range_plan *plan = &s->plan;
    struct range range;
    int code = EXIT_DONE;

    carrier_push(&s->carrier); /* other streams may take all ranges, and theirs wait for START */
    range_plan_begin(plan, s->starts - 1, sent->fd, &sent->status, sent->offset);
    while (code == EXIT_DONE && !range_plan_is_over(plan)) {
        if (sent->refused)
            range_plan_cancel(plan, DONE_FAILED, 0);
        if (range_plan_take(plan, 0, &range) == 1)
            code = range_plan_send(plan, &s->carrier, &s->limiter, &range) == 0 ? EXIT_DONE : -1;
        else if (range_plan_waits(plan, 0))
            code = sender_take(s, -1) == EXIT_DONE ? EXIT_DONE : -1;
        else
            range_plan_wait(plan);
        if (code == EXIT_DONE)
            code = sender_look(s);
    }
    sent->moved = range_plan_finish(plan);
    if (code != EXIT_DONE)
        return -1;
    if (sent->refused)
        return DONE_FAILED;
    if (plan->error != 0)
        return source_failed(s, sent, strerror(plan->error));
    return plan->status;
}

/** 1 when a file is large enough to go in ranges, and further streams are there to carry them. */
static int
goes_in_ranges(struct sender *s, const struct sent *sent)
{
    return !sent->stream && streams_are_there(&s->streams) &&
           (uint64_t)sent->status.st_size - sent->offset >=
               (uint64_t)TRANSFER_RANGES_LEAST * TRANSFER_RANGE_SIZE;
}

/** 1 when a file is still what it was when it was offered. */
static int
is_unchanged(const struct sent *sent)
{
    struct stat now;

    return sent->stream || (fstat(sent->fd, &now) == 0 && now.st_size == sent->status.st_size &&
                            now.st_mtim.tv_sec == sent->status.st_mtim.tv_sec &&
                            now.st_mtim.tv_nsec == sent->status.st_mtim.tv_nsec);
}

/* ---- One that is wanted ---- */

/** A file changed while it was read: it is to be offered anew, unless it does so all the time. */
static int
send_again(struct sender *s, struct sent *sent)
{
    size_t size = strlen(sent->name) + 1;
    int again = sent->tries + 1 < TRIES;
    struct sent_changed *changed = again ? malloc(sizeof *changed + size) : NULL;

    progress_break(&s->carrier.progress);
    if (changed != NULL)
        changed->fd = dup(sent->fd);
    if (changed == NULL || changed->fd < 0) {
        free(changed);
        return sender_leave_out(s, log_error(EXIT_LOCAL,
                                             "%s: it changes all the time while it is read; it is "
                                             "not stored there",
                                             printable(sent->name)));
    }
    log_warning("%s: it changed while it was read; it is sent again", printable(sent->name));
    changed->tries = sent->tries + 1;
    memcpy(changed->name, sent->name, size);
    changed->next = s->changed;
    s->changed = changed;
    return EXIT_DONE;
}

static int
serve_content(struct sender *s, struct sent *sent, uint32_t index)
{
    uint8_t message[12];

    sent->state = SENT_CONTENT;
    progress_name(&s->carrier.progress, sent->name);
    put_field(message, index, 4);
    put_field(message + 4, sent->offset, 8);
    if (carrier_put(&s->carrier, TRANSFER_START, message, sizeof message) != 0)
        return EXIT_FAILED;
    s->starts++;
    int status;
    if (goes_in_ranges(s, sent))
        status = send_ranges(s, sent);
    else
        status = sent->stream ? send_stream(s, sent) : send_content(s, sent, sent->offset);
    if (status == DONE_WHOLE && !is_unchanged(sent))
        status = DONE_CHANGED;
    if (status < 0)
        return EXIT_FAILED;
    message[4] = (uint8_t)status;
    if (carrier_put(&s->carrier, TRANSFER_DONE, message, 5) != 0)
        return EXIT_FAILED;
    if (sent->refused) {
        sent_release(s, sent);
        return EXIT_DONE;
    }
    sent->state = SENT_DONE;
    sent->changed = status == DONE_CHANGED;
    int code = status == DONE_CHANGED ? send_again(s, sent) : EXIT_DONE;
    if (sent->state == SENT_DONE && sent->fd >= 0) { /* no one needs it open any more */
        close(sent->fd);
        sent->fd = -1;
        s->open--;
    }
    return code;
}

static int
serve_check(struct sender *s, struct sent *sent, uint32_t index)
{
    uint8_t message[12 + TRANSFER_HASH] = {0};

    put_field(message, index, 4);
    put_field(message + 4, sent->offset, 8);
    /* Where it cannot be read, the hash is one that nothing equals: the content shows the error. */
    if (hash_prefix(message + 12, sent->fd, sent->offset) != 0)
        memset(message + 12, 0, TRANSFER_HASH);
    sent->state = SENT_CHECKED;
    return carrier_put(&s->carrier, TRANSFER_CHECK, message, sizeof message) == 0 ? EXIT_DONE
                                                                                  : EXIT_FAILED;
}

int
sender_serve(struct sender *s)
{
    uint32_t index = s->todo[s->todo_first];
    struct sent *sent = &s->window[index % TRANSFER_WINDOW];

    s->todo_first = (s->todo_first + 1) % TRANSFER_WINDOW;
    s->todo_count--;
    if (sent->refused) {
        sent_release(s, sent);
        return EXIT_DONE;
    }
    return sent->state == SENT_CHECK ? serve_check(s, sent, index) : serve_content(s, sent, index);
}
