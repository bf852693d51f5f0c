/*
 * The receiving end of a transfer: answers each offer, writes what is verified, puts it on the disk
 * in groups, and reports what is there (docs/transfer.md). What is decided about a file is in
 * store.c.
 */
#include "receiver.h"

#include "log.h"
#include "os/os.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ACK_BYTES = 1 << 20, /* an acknowledgement at least so often */
    ACK_MS = 500,
    QUIET_MS = 100 /* a group is put on the disk when nothing comes for so long */
};

/* ---- Answers ---- */

static void
put_answer(struct receiver *r, uint32_t code, const void *bytes, size_t size)
{
    r->stopped |= carrier_put(&r->carrier, code, bytes, size) != 0;
}

static void
release_item(struct store_item *item)
{
    free(item->name);
    free(item->target);
    free(item->as);
    free(item->owner_name);
    free(item->group_name);
    free(item->attributes);
    item->name = item->target = item->as = item->owner_name = item->group_name = NULL;
    item->attributes = NULL;
    item->attributes_size = 0;
    item->state = ITEM_SETTLED;
}

static void
answer_stored(struct receiver *r, struct store_item *item, enum stored_how how)
{
    uint8_t message[5];

    put_field(message, item->index, 4);
    message[4] = (uint8_t)how;
    put_answer(r, TRANSFER_STORED, message, sizeof message);
    if (item->kind == OFFER_FILE && how < STORED_DROPPED) {
        uint64_t there = how == STORED_EQUAL ? item->size : 0;
        if (how == STORED_NEW)
            there = item->there;
        progress_stored(&r->carrier.progress, item->moved, there);
    }
    release_item(item);
}

/** Report a refusal at both ends; its content is dropped. */
static void
answer_refused(struct receiver *r, struct store_item *item)
{
    uint8_t message[4 + sizeof r->store.why];
    size_t size = strlen(r->store.why);

    progress_break(&r->carrier.progress);
    log_error(EXIT_FAILED, "%s", r->store.why);
    r->refused++;
    put_field(message, item->index, 4);
    memcpy(message + 4, r->store.why, size);
    put_answer(r, TRANSFER_REFUSED, message, 4 + size);
    if (item == r->current)
        (void)range_map_close(&r->map); /* further streams may be writing to it */
    store_drop(&r->store, item, 0);
    if (item == r->current)
        item->state = ITEM_DROPPED;
    else
        release_item(item);
}

static void
answer_want(struct receiver *r, struct store_item *item)
{
    uint8_t message[12];

    item->state = ITEM_WANTED;
    put_field(message, item->index, 4);
    put_field(message + 4, item->there, 8);
    put_answer(r, TRANSFER_WANT, message, sizeof message);
}

static void
act_on(struct receiver *r, struct store_item *item, enum store_answer answer)
{
    switch (answer) {
    case STORE_WANT:
        if (r->store.dry)
            answer_stored(r, item, STORED_WANTED);
        else
            answer_want(r, item);
        break;
    case STORE_IS_SAME:
        answer_stored(r, item, STORED_EQUAL);
        break;
    case STORE_IS_KEPT:
        answer_stored(r, item, STORED_KEPT);
        break;
    case STORE_IN_TURN:
        item->state = ITEM_TURN;
        break;
    default:
        answer_refused(r, item);
    }
}

int
receiver_is_stopped(void *context)
{
    struct receiver *r = context;

    return carrier_stopped(&r->carrier);
}

void
receiver_on_settled(void *context, struct store_item *item, int how)
{
    struct receiver *r = context;

    if (how == STORE_LATER) {
        item->state = ITEM_TURN;
    } else if (how == STORE_AS_FILE) {
        item->kind = OFFER_FILE;
        if (item->index - r->first < r->oldest - r->first)
            r->oldest = item->index; /* those after it wait for it again */
        act_on(r, item, store_look_again(&r->store, item));
    } else if (how >= 0) {
        answer_stored(r, item, (enum stored_how)how);
    } else {
        answer_refused(r, item);
    }
}

/** Folders that are done and hard links get their turn when all before them is whole. */
static void
take_turns(struct receiver *r)
{
    while (r->oldest != r->offers) {
        struct store_item *item = &r->items[r->oldest % RECEIVER_WINDOW];
        if (item->state != ITEM_TURN && item->state != ITEM_GROUP && item->state != ITEM_SETTLED)
            break;
        r->oldest++;
        if (item->state == ITEM_TURN)
            store_group_add(&r->store, item); /* which may set `oldest` back */
    }
    while (r->first != r->offers && r->items[r->first % RECEIVER_WINDOW].state == ITEM_SETTLED)
        r->items[r->first++ % RECEIVER_WINDOW].state = ITEM_FREE;
}

/** Report how much is written, now and then. */
static void
acknowledge(struct receiver *r)
{
    uint8_t message[8];
    uint64_t now = duet__os_now_ms();

    progress_moved(&r->carrier.progress, r->moved);
    if (r->moved - r->acked < ACK_BYTES && now - r->acked_ms < ACK_MS)
        return;
    r->acked = r->moved;
    r->acked_ms = now;
    put_field(message, r->moved, 8);
    put_answer(r, TRANSFER_ACK, message, sizeof message);
}

/* ---- What the sender says: each returns 0, or -1 where it makes no sense ---- */

static int
on_begin(struct receiver *r, const duet_message *message)
{
    struct fields fields = {message->data, message->size, 0};
    uint64_t version = field(&fields, 2);

    if (message->code != TRANSFER_BEGIN || fields.bad)
        version = message->code == TRANSFER_OFFER ? 1 : 0; /* format 1 began with an offer */
    if (version != 0 && version != TRANSFER_VERSION)
        return log_error(EXIT_FAILED,
                         "the peer speaks transfer format %" PRIu64
                         ", this is format %d: use the same version of duet at both ends",
                         version, TRANSFER_VERSION);
    if (version == 0)
        return -1;
    r->begun = 1;
    uint64_t flags = field(&fields, 2);
    r->store.dry = (flags & BEGIN_DRY) != 0;
    return receiver_answer_begin(r, &fields, (flags & BEGIN_STREAMS) != 0);
}

static int
on_offer(struct receiver *r, const duet_message *message)
{
    static struct offer offer;
    struct store_item *item = &r->items[r->offers % RECEIVER_WINDOW];

    if (r->ended || r->offers - r->first >= TRANSFER_WINDOW ||
        offer_read(&offer, message->data, message->size) != 0)
        return -1;
    *item = (struct store_item){.index = r->offers++,
                                .kind = offer.kind,
                                .flags = offer.flags,
                                .mode = offer.mode,
                                .seconds = offer.seconds,
                                .nanoseconds = offer.nanoseconds,
                                .size = offer.size,
                                .name = strdup(offer.name),
                                .target = strdup(offer.target),
                                .owner = offer.owner,
                                .group = offer.group,
                                .owner_name = strdup(offer.owner_name),
                                .group_name = strdup(offer.group_name),
                                .attributes_size = r->store.xattrs ? offer.attributes_size : 0,
                                .fd = -1};
    memcpy(item->hash, offer.hash, sizeof item->hash);
    int bad = item->name == NULL || item->target == NULL || item->owner_name == NULL ||
              item->group_name == NULL;
    if (item->attributes_size > 0) {
        item->attributes = malloc(item->attributes_size);
        bad |= item->attributes == NULL;
        if (item->attributes != NULL)
            memcpy(item->attributes, offer.attributes, item->attributes_size);
    }
    if (bad)
        return log_error(EXIT_LIMIT, "no memory");
    act_on(r, item, store_look(&r->store, item));
    return 0;
}

/** The item that a message is about; NULL: none that content may come for. */
static struct store_item *
item_of(struct receiver *r, struct fields *fields)
{
    uint32_t index = (uint32_t)field(fields, 4);

    if (fields->bad || index - r->first >= r->offers - r->first)
        return NULL;
    return &r->items[index % RECEIVER_WINDOW];
}

static int
on_check(struct receiver *r, struct fields *fields)
{
    uint8_t message[4];
    struct store_item *item = item_of(r, fields);
    uint64_t offset = field(fields, 8);

    if (item == NULL || item->state == ITEM_SETTLED)
        return item != NULL ? 0 : -1; /* it was refused meanwhile */
    if (item->state != ITEM_WANTED || item->verified || offset == 0 || offset != item->there ||
        fields->left != TRANSFER_HASH)
        return -1;
    enum store_answer answer = store_check(&r->store, item, offset, fields->at);
    if (answer == STORE_IN_TURN) {
        put_field(message, item->index, 4);
        put_answer(r, TRANSFER_GO, message, sizeof message);
    } else {
        act_on(r, item, answer);
    }
    return 0;
}

static int
on_start(struct receiver *r, struct fields *fields)
{
    struct store_item *item = item_of(r, fields);
    uint64_t offset = field(fields, 8);

    if (item == NULL || r->current != NULL || fields->bad)
        return -1;
    r->current = item;
    r->range.active = 0;
    if (item->state == ITEM_SETTLED) {
        item->state = ITEM_DROPPED; /* refused before */
        range_map_open(&r->map, r->starts++, -1, 0, 0);
        return 0;
    }
    if (item->state != ITEM_WANTED || offset != item->there || item->compares ||
        (offset > 0 && !item->verified))
        return -1;
    item->state = ITEM_CONTENT;
    progress_name(&r->carrier.progress, item->name);
    int bad = store_start(&r->store, item, offset) != 0;
    int ranges = !bad && r->streams.count > 1 && item->size != TRANSFER_UNKNOWN;
    range_map_open(&r->map, r->starts++, ranges ? item->fd : -1, offset,
                   ranges ? item->size : offset);
    if (bad)
        answer_refused(r, item);
    return 0;
}

static int
on_content(struct receiver *r, const duet_message *message)
{
    struct fields fields = {message->data, message->size, 0};
    struct store_item *item = r->current;
    int hole = message->code == TRANSFER_HOLE;
    uint64_t zeros = hole ? field(&fields, 8) : 0;

    if (item == NULL || fields.bad)
        return -1;
    if (r->range.active)
        return receiver_range_content(r, hole ? NULL : message->data, hole ? zeros : message->size);
    if (item->state == ITEM_DROPPED)
        return 0;
    if (range_map_is_used(&r->map))
        return -1; /* all of it comes in ranges, or nothing */
    int result = hole ? store_hole(&r->store, item, zeros)
                      : store_data(&r->store, item, message->data, message->size);
    r->moved += hole || result != 0 ? 0 : message->size;
    if (result != 0)
        answer_refused(r, item);
    acknowledge(r);
    return 0;
}

static int
on_done(struct receiver *r, struct fields *fields)
{
    struct store_item *item = item_of(r, fields);
    uint64_t status = field(fields, 1);

    if (item == NULL || item != r->current || fields->bad || status > DONE_CHANGED)
        return -1;
    r->range.active = 0;
    if (item->state == ITEM_DROPPED) {
        r->current = NULL;
        release_item(item);
        return 0;
    }
    int result = receiver_end_ranges(r, item);
    if (result == 0 && status == DONE_FAILED)
        result = store_refuse(&r->store, item, "the other end could not read all of it");
    else if (result == 0 && status == DONE_WHOLE)
        result = store_done(&r->store, item);
    r->current = NULL;
    if (status == DONE_CHANGED) {
        store_drop(&r->store, item, 1);
        answer_stored(r, item, STORED_DROPPED);
    } else if (result == 0) {
        store_group_add(&r->store, item);
    } else {
        answer_refused(r, item);
    }
    return 0;
}

static int
on_total(struct receiver *r, struct fields *fields)
{
    uint64_t files = field(fields, 8), bytes = field(fields, 8);

    progress_total(&r->carrier.progress, files, bytes);
    return fields->bad ? -1 : 0;
}

/** All is sent. The message names the further streams that have a part in the receipt. */
static int
on_end(struct receiver *r, const duet_message *message)
{
    uint8_t whole[TRANSFER_STREAMS_MOST];

    if (r->current != NULL || r->ended || message->size > sizeof r->whole ||
        (message->size > 0 && r->streams.count < 2))
        return -1;
    r->whole_count = (unsigned)message->size;
    if (message->size > 0)
        memcpy(r->whole, message->data, message->size);
    streams_keep(&r->streams, r->whole, r->whole_count);
    (void)streams_end(&r->streams, whole);
    r->ended = 1;
    return 0;
}

static int
on_message(struct receiver *r, const duet_message *message)
{
    struct fields fields = {message->data, message->size, 0};

    if (!r->begun)
        return on_begin(r, message);
    switch (message->code) {
    case TRANSFER_OFFER:
        return on_offer(r, message);
    case TRANSFER_CHECK:
        return on_check(r, &fields);
    case TRANSFER_START:
        return on_start(r, &fields);
    case TRANSFER_DATA:
    case TRANSFER_HOLE:
        return on_content(r, message);
    case TRANSFER_DONE:
        return on_done(r, &fields);
    case TRANSFER_RANGE:
        return receiver_range(r, &fields);
    case TRANSFER_TOTAL:
        return on_total(r, &fields);
    case TRANSFER_END:
        return on_end(r, message);
    default:
        return -1;
    }
}

/* ---- The whole ---- */

/** Take messages until the sender has closed. Returns an exit code. */
static int
take_messages(struct receiver *r)
{
    duet_message message;

    for (;;) {
        int pending = r->store.group_count > 0;
        int got = carrier_take(&r->carrier, &message, pending ? QUIET_MS : -1);
        if (got < 0 || r->stopped)
            return EXIT_DONE;
        if (got == 0)
            store_group_settle(&r->store);
        int bad = got == 1 ? on_message(r, &message) : 0;
        if (bad > 0)
            return bad;
        if (bad < 0)
            return log_error(EXIT_FAILED, "the peer's message makes no sense: is it duet send?");
        take_turns(r);
        if (r->ended && got == 1 && message.code == TRANSFER_END)
            store_group_settle(&r->store);
    }
}

/** The sender has closed: send the receipt, and close. Returns an exit code. */
static int
close_transfer(struct receiver *r)
{
    char receipt[2 * DUET_RECEIPT_SIZE + 1];

    if (!r->ended && r->offers == 0)
        return log_error(EXIT_TRUNCATED,
                         "the peer closed and had sent nothing: a duet ping, or pipe? "
                         "start again for duet send");
    if (!r->ended || r->first != r->offers)
        return log_error(EXIT_TRUNCATED,
                         "the peer closed before it had sent all; " TRANSFER_RESUME);
    int disk = store_sync_names(&r->store);
    if (disk != EXIT_DONE)
        return disk;
    if (streams_receipt(&r->streams, r->whole, r->whole_count) != 0)
        return log_error(EXIT_FAILED, "a further stream has not ended in order: nothing says that "
                                      "both ends hold the same; " TRANSFER_RESUME);
    pthread_mutex_lock(&r->carrier.lock);
    memcpy(receipt, r->carrier.receipt, sizeof receipt);
    pthread_mutex_unlock(&r->carrier.lock);
    put_answer(r, TRANSFER_RECEIPT, receipt, strlen(receipt));
    carrier_end(&r->carrier);
    r->carrier.complete = 1;
    if (r->store.code != 0)
        return r->store.code;
    return r->refused > 0 ? EXIT_FAILED : EXIT_DONE;
}

int
receiver_work(void *context)
{
    struct receiver *r = context;
    int code = take_messages(r);

    /* What is whole is kept also when the rest does not come. */
    if (r->store.group_count > 0)
        store_group_settle(&r->store);
    take_turns(r);
    streams_stop(&r->streams);
    if (code != EXIT_DONE || r->stopped || carrier_stopped(&r->carrier))
        return code != EXIT_DONE ? code : EXIT_FAILED;
    return close_transfer(r);
}

void
receiver_free(struct receiver *r)
{
    streams_free(&r->streams);
    range_map_free(&r->map);
    for (size_t i = 0; i < RECEIVER_WINDOW; i++) {
        store_drop(&r->store, &r->items[i], 0);
        release_item(&r->items[i]);
    }
    store_close(&r->store);
}
