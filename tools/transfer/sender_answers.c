/*
 * What the receiver answers, at the sending end (see sender.h): outcomes, and what it wants.
 * Nothing here puts a message, so that it can run while a message waits for room.
 */
#include "sender.h"

#include "log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sent *
sent_at(struct sender *s, uint32_t index)
{
    return &s->window[index % TRANSFER_WINDOW];
}

int
sender_leave_out(struct sender *s, int code)
{
    s->left_out++;
    if (s->error == 0)
        s->error = code;
    return 0;
}

/* ---- Outcomes ---- */

/** An offer is settled: its place is free. */
void
sent_release(struct sender *s, struct sent *sent)
{
    if (sent->fd >= 0) {
        close(sent->fd);
        s->open--;
    }
    free(sent->name);
    memset(sent, 0, sizeof *sent);
    sent->fd = -1;
}

/** An offer is stored, or the like. Returns 0, or -1: that makes no sense. */
static int
on_stored(struct sender *s, struct sent *sent, uint64_t how)
{
    uint64_t there = how == STORED_EQUAL ? (uint64_t)sent->status.st_size : 0;

    if (sent->state == SENT_CHECK || sent->state == SENT_WANTED || sent->state == SENT_CONTENT ||
        how > STORED_WANTED || (how == STORED_DROPPED && !sent->changed) ||
        (how == STORED_WANTED && !s->dry_run) || (how != STORED_DROPPED && sent->changed) ||
        (how == STORED_NEW && sent->kind == OFFER_FILE && sent->state != SENT_DONE))
        return -1;
    s->settled++;
    if (how == STORED_WANTED)
        printf("%12" PRIu64 " %s\n", (uint64_t)sent->status.st_size, printable(sent->name));
    if (how == STORED_NEW)
        there = sent->offset; /* where it was resumed */
    if (sent->kind == OFFER_FILE && how < STORED_DROPPED)
        progress_stored(&s->carrier.progress, sent->moved, there);
    sent_release(s, sent);
    return 0;
}

static void
on_refused(struct sender *s, struct sent *sent, const struct fields *fields)
{
    char why[700];
    size_t size = fields->left < sizeof why - 1 ? fields->left : sizeof why - 1;

    memcpy(why, fields->at, size);
    why[size] = 0;
    progress_break(&s->carrier.progress);
    log_error(EXIT_FAILED, "refused by the peer: %s", printable(why));
    s->refused++;
    s->settled++;
    /* Released when its reading stops, or its turn comes. */
    if (sent->state == SENT_CONTENT || sent->state == SENT_WANTED || sent->state == SENT_CHECK)
        sent->refused = 1;
    else
        sent_release(s, sent);
}

/** Put an offer into the list of what is to be done. */
static int
sent_queue(struct sender *s, uint32_t index, enum sent_state state)
{
    if (s->todo_count == TRANSFER_WINDOW || sent_at(s, index)->kind == OFFER_FOLDER)
        return -1;
    sent_at(s, index)->state = state;
    s->todo[(s->todo_first + s->todo_count++) % TRANSFER_WINDOW] = index;
    return 0;
}

static int
on_want(struct sender *s, uint32_t index, uint64_t offset)
{
    struct sent *sent = sent_at(s, index);

    if (s->dry_run || (sent->state != SENT_OFFERED && sent->state != SENT_CHECKED) ||
        sent->fd < 0 ||
        (offset > 0 && (sent->stream || offset > (uint64_t)sent->status.st_size ||
                        ++sent->checks > TRANSFER_CHECKS_MOST ||
                        (sent->state == SENT_CHECKED && offset >= sent->offset))))
        return -1;
    sent->offset = offset;
    sent->kind = OFFER_FILE; /* also where it was offered as a hard link */
    return sent_queue(s, index, offset > 0 ? SENT_CHECK : SENT_WANTED);
}

/** A message about one offer. Returns 0, or -1: it makes no sense. */
static int
on_answer(struct sender *s, uint32_t code, struct fields *fields)
{
    uint32_t index = (uint32_t)field(fields, 4);
    struct sent *sent = sent_at(s, index);

    if (fields->bad || s->offers - index > TRANSFER_WINDOW || index >= s->offers ||
        sent->state == SENT_FREE || sent->refused)
        return -1;
    switch (code) {
    case TRANSFER_WANT:
        return on_want(s, index, field(fields, 8));
    case TRANSFER_GO:
        return sent->state == SENT_CHECKED ? sent_queue(s, index, SENT_WANTED) : -1;
    case TRANSFER_STORED:
        return on_stored(s, sent, field(fields, 1));
    default:
        on_refused(s, sent, fields);
        return 0;
    }
}

/** The peer's first message says which format it speaks. Returns 0, or -1. */
static int
on_begin(struct sender *s, uint32_t code, struct fields *fields)
{
    uint64_t version = field(fields, 2);

    if (code != TRANSFER_BEGIN || fields->bad)
        return -1;
    s->begun = 1;
    s->old_format = version == TRANSFER_VERSION ? 0 : (int)version;
    if (version != TRANSFER_VERSION)
        return -1;
    uint64_t count = (field(fields, 2) & BEGIN_STREAMS) != 0 ? field(fields, 1) : 1;
    if (fields->bad || count == 0 || count > s->most_streams || (count > 1 && s->dry_run))
        return -1;
    streams_start(&s->streams, (unsigned)count);
    if (count < s->most_streams && !s->dry_run)
        log_info("the peer takes part in %u of %u streams", (unsigned)count, s->most_streams);
    return 0;
}

static int
on_receipt(struct sender *s, const struct fields *fields)
{
    if (!s->ended || s->same_receipt || fields->left != 2 * (size_t)DUET_RECEIPT_SIZE ||
        streams_receipt(&s->streams, s->whole, s->whole_count) != 0)
        return -1;
    pthread_mutex_lock(&s->carrier.lock);
    s->same_receipt =
        memcmp(s->carrier.receipt, fields->at, fields->left) == 0; /* public: both print it */
    pthread_mutex_unlock(&s->carrier.lock);
    return 0;
}

/** A range that the first stream carried is written. Returns 0, or -1. */
static int
on_written(struct sender *s, struct fields *fields)
{
    uint64_t size;
    int bad = range_plan_written(&s->plan, 0, fields, &size);

    progress_beside(&s->carrier.progress, size);
    return bad;
}

void
sender_on_message(void *context, const duet_message *message)
{
    struct sender *s = context;
    struct fields fields = {message->data, message->size, 0};
    int bad;

    if (!s->begun) {
        bad = on_begin(s, message->code, &fields);
    } else if (message->code == TRANSFER_ACK) {
        s->acknowledged = field(&fields, 8);
        bad = fields.bad || s->acknowledged > s->running ? -1 : 0;
        progress_moved(&s->carrier.progress, s->acknowledged);
    } else if (message->code == TRANSFER_WRITTEN) {
        bad = on_written(s, &fields);
    } else if (message->code == TRANSFER_RECEIPT) {
        bad = on_receipt(s, &fields);
    } else if (message->code >= TRANSFER_WANT && message->code <= TRANSFER_GO) {
        bad = on_answer(s, message->code, &fields);
    } else {
        bad = -1;
    }
    s->nonsense |= bad != 0;
}

/** Take one message, if it comes in time. Returns 0; an exit code; -1 where none will come. */
int
sender_take(struct sender *s, int ms)
{
    duet_message message;
    int result = carrier_take(&s->carrier, &message, ms);

    if (result == 1)
        sender_on_message(s, &message);
    if (s->nonsense && s->old_format != 0)
        return log_error(EXIT_FAILED,
                         "the peer speaks transfer format %d, this is format %d: use the same "
                         "version of duet at both ends",
                         s->old_format, TRANSFER_VERSION);
    if (s->nonsense)
        return log_error(EXIT_FAILED, "the peer's message makes no sense: is it duet recv?");
    return result < 0 ? -1 : 0;
}

/** No message comes any more, though outcomes are due. Returns an exit code. */
int
sender_cut(struct sender *s)
{
    if (carrier_stopped(&s->carrier))
        return EXIT_FAILED; /* the wire's thread knows why */
    return log_error(EXIT_FAILED,
                     "the peer closed before it had stored all; is it duet recv? " TRANSFER_RESUME);
}

int
sender_look(struct sender *s)
{
    int code = sender_take(s, 0);

    return code < 0 ? sender_cut(s) : code;
}
