/*
 * duet recv: what duet send sends, into a folder or to standard output.
 *
 * Answers each offer, writes what is verified, and acknowledges what is written (docs/transfer.md).
 */
#include "commands.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"
#include "progress.h"
#include "protocol.h"
#include "store.h"

#include <string.h>

enum { ACK_BYTES = 1 << 20, ACK_MS = 500 }; /* an acknowledgement at least so often */

struct receiver {
    struct talk talk;
    struct store store;
    uint32_t offers;
    uint32_t refused;
    int answered; /* 1: the last offer's outcome has been sent */
    int begun;    /* 1: content of the last offer may come: it does not ask, or START has come */
    uint64_t acked, acked_ms;
};

/* ---- Answers ---- */

static int
tell_stored(struct receiver *r)
{
    uint8_t message[4];

    r->answered = 1;
    put_field(message, r->offers - 1, 4);
    return talk_send(&r->talk, TRANSFER_STORED, message, sizeof message);
}

static int
tell_refused(struct receiver *r)
{
    uint8_t message[4 + sizeof r->store.why];
    size_t size = strlen(r->store.why);

    progress_break(&r->talk.progress);
    log_error(EXIT_FAILED, "%s", r->store.why);
    r->refused++;
    r->answered = 1;
    put_field(message, r->offers - 1, 4);
    memcpy(message + 4, r->store.why, size);
    return talk_send(&r->talk, TRANSFER_REFUSED, message, 4 + size);
}

static int
tell_want(struct receiver *r)
{
    uint8_t message[12 + TRANSFER_HASH];

    if (store_hash(&r->store, message + 12) != 0)
        return tell_refused(r);
    put_field(message, r->offers - 1, 4);
    put_field(message + 4, r->store.there, 8);
    return talk_send(&r->talk, TRANSFER_WANT, message, sizeof message);
}

static int
send_acknowledgement(struct receiver *r)
{
    uint8_t message[12];
    uint64_t now = duet__os_now_ms();

    progress_move(&r->talk.progress, r->store.at);
    progress_tick(&r->talk.progress);
    if (r->store.at - r->acked < ACK_BYTES && now - r->acked_ms < ACK_MS)
        return EXIT_DONE;
    r->acked = r->store.at;
    r->acked_ms = now;
    put_field(message, r->offers - 1, 4);
    put_field(message + 4, r->store.at, 8);
    return talk_send(&r->talk, TRANSFER_ACK, message, sizeof message);
}

/* ---- What the sender says ---- */

static int
refuse_message(void)
{
    return log_error(EXIT_FAILED, "the peer's message makes no sense: is it duet send?");
}

/** 1 when the last offer is a file whose content is still coming. */
static int
in_file(const struct receiver *r)
{
    return r->offers > 0 && r->store.offer.kind == OFFER_FILE && r->store.state != STORE_IDLE;
}

/** 1 when that content, or its end, may come now: what is there is cut to START's offset, and what
 * was refused may end without START. */
static int
in_content(const struct receiver *r)
{
    return in_file(r) && (r->begun || r->store.state == STORE_DISCARD);
}

static int
on_offer(struct receiver *r, const uint8_t *bytes, size_t size)
{
    static struct offer offer;

    if (in_file(r) || r->talk.complete || offer_read(&offer, bytes, size) != 0)
        return refuse_message();
    r->offers++;
    r->answered = 0;
    r->begun = !offer.asks;
    r->acked = 0;
    if (store_offer(&r->store, &offer) != 0) {
        int code = tell_refused(r);
        if (offer.kind != OFFER_FILE)
            r->store.state = STORE_IDLE;
        return code;
    }
    if (offer.kind != OFFER_FILE)
        return tell_stored(r);
    progress_file(&r->talk.progress, offer.name, offer.size, 0);
    return offer.asks ? tell_want(r) : EXIT_DONE;
}

static int
on_start(struct receiver *r, const uint8_t *bytes, size_t size)
{
    struct fields fields = {bytes, size, 0};
    uint64_t offset = field(&fields, 8);

    if (!in_file(r) || r->begun || fields.bad || fields.left > 0 ||
        (offset != 0 && offset != r->store.there))
        return refuse_message();
    r->begun = 1;
    if (r->store.state == STORE_DISCARD)
        return EXIT_DONE;
    progress_file(&r->talk.progress, r->store.offer.name, r->store.offer.size, offset);
    r->acked = offset;
    return store_start(&r->store, offset) == 0 ? EXIT_DONE : tell_refused(r);
}

static int
on_data(struct receiver *r, const uint8_t *bytes, size_t size)
{
    if (!in_content(r))
        return refuse_message();
    if (store_data(&r->store, bytes, size) != 0)
        return tell_refused(r);
    return r->store.state == STORE_DISCARD ? EXIT_DONE : send_acknowledgement(r);
}

static int
on_done(struct receiver *r, const uint8_t *bytes, size_t size)
{
    if (!in_content(r) || size != 1)
        return refuse_message();
    if (r->answered) { /* refused before */
        r->store.state = STORE_IDLE;
        return EXIT_DONE;
    }
    if (store_done(&r->store, bytes[0]) != 0) {
        r->store.state = STORE_IDLE;
        return tell_refused(r);
    }
    progress_move(&r->talk.progress, r->store.at);
    r->talk.progress.files++;
    return tell_stored(r);
}

static int
recv_on_message(void *context, uint32_t code, const uint8_t *bytes, size_t size)
{
    struct receiver *r = context;

    switch (code) {
    case TRANSFER_OFFER:
        return on_offer(r, bytes, size);
    case TRANSFER_START:
        return on_start(r, bytes, size);
    case TRANSFER_DATA:
        return on_data(r, bytes, size);
    case TRANSFER_DONE:
        return on_done(r, bytes, size);
    case TRANSFER_END:
        if (in_file(r) || size != 0)
            return refuse_message();
        store_end(&r->store);
        r->talk.complete = 1;
        return EXIT_DONE;
    default:
        return refuse_message();
    }
}

/* ---- The whole ---- */

static int
receive_files(void *context)
{
    struct receiver *r = context;
    int code = EXIT_DONE;

    while (code == EXIT_DONE && !r->talk.closed)
        code = talk_turn(&r->talk);
    if (code != EXIT_DONE)
        return code;
    if (!r->talk.complete && r->offers == 0)
        return log_error(EXIT_TRUNCATED,
                         "the peer closed and had sent nothing: a duet ping, or pipe? "
                         "start again for duet send");
    if (!r->talk.complete)
        return log_error(EXIT_TRUNCATED,
                         "the peer closed before it had sent all; " TRANSFER_RESUME);
    code = talk_close(&r->talk);
    if (code != EXIT_DONE)
        return code;
    if (r->store.code != 0)
        return r->store.code;
    return r->refused > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int
recv_run(struct options *o)
{
    static struct receiver receiver;

    memset(&receiver, 0, sizeof receiver); /* a program may run this more than once */
    receiver.talk = (struct talk){.options = o,
                                  .converse = receive_files,
                                  .on_message = recv_on_message,
                                  .context = &receiver};
    if (o->stdio && o->out != NULL && strcmp(o->out, "-") == 0)
        return log_error(EXIT_USAGE, "recv: --stdio has taken standard output");
    int code = store_open(&receiver.store, o->out != NULL ? o->out : ".", o->force);
    if (code == EXIT_DONE)
        code = talk_run(&receiver.talk, o->operand_count > 0 ? o->operands[0] : NULL);
    store_close(&receiver.store);
    return code;
}

const struct command cmd_recv = {
    .name = "recv",
    .user = FOR_RECV,
    .usage = "-k FILE -l [ADDR]:PORT [-o DIR|-]",
    .about = "Receive what duet send sends.",
    .notes = "Example, with the same secret.key at both ends:\n"
             "    here$  duet recv -k secret.key -l :4000 -o inbox\n"
             "    there$ duet send -k secret.key photos here:4000\n"
             "Nothing that exists is replaced without --force. After a cut, run the same command\n"
             "again at both ends to resume.\n",
    .most = 1,
    .run = recv_run,
};
