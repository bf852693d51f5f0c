/*
 * Messages of a transfer, and the loop that carries them (see protocol.h).
 */
#include "protocol.h"

#include "interrupt.h"
#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_MS = 200 };
enum { OFFER_HEAD = 24, CHUNK = 65536 }; /* bytes */

/* ---- Fields ---- */

uint64_t
field(struct fields *fields, unsigned size)
{
    uint64_t value = 0;

    if (fields->bad || fields->left < size) {
        fields->bad = 1;
        return 0;
    }
    for (unsigned i = 0; i < size; i++)
        value = value << 8 | fields->at[i];
    fields->at += size;
    fields->left -= size;
    return value;
}

void
put_field(uint8_t *out, uint64_t value, unsigned size)
{
    while (size-- > 0) {
        out[size] = (uint8_t)value;
        value >>= 8;
    }
}

size_t
offer_write(uint8_t out[TRANSFER_MESSAGE], const struct offer *offer)
{
    size_t name = strlen(offer->name);

    out[0] = (uint8_t)offer->kind;
    out[1] = (uint8_t)offer->asks;
    put_field(out + 2, offer->mode, 2);
    put_field(out + 4, (uint64_t)offer->seconds, 8);
    put_field(out + 12, offer->nanoseconds, 4);
    put_field(out + 16, offer->size, 8);
    memcpy(out + OFFER_HEAD, offer->name, name);
    return OFFER_HEAD + name;
}

int
offer_read(struct offer *offer, const uint8_t *bytes, size_t size)
{
    struct fields fields = {bytes, size, 0};
    uint64_t kind = field(&fields, 1), asks = field(&fields, 1);

    offer->mode = (unsigned)field(&fields, 2) & 0777;
    offer->seconds = (int64_t)field(&fields, 8);
    offer->nanoseconds = (uint32_t)field(&fields, 4);
    offer->size = field(&fields, 8);
    if (fields.bad || kind > OFFER_FOLDER_DONE || asks > 1 || offer->nanoseconds > 999999999 ||
        fields.left == 0 || fields.left > TRANSFER_NAME_MOST ||
        memchr(fields.at, 0, fields.left) != NULL)
        return -1;
    offer->kind = (enum offer_kind)kind;
    offer->asks = (int)asks;
    memcpy(offer->name, fields.at, fields.left);
    offer->name[fields.left] = 0;
    return 0;
}

/* ---- The conversation ---- */

static int
handle_message(struct talk *talk, uint32_t code)
{
    size_t size = talk->have;

    talk->have = 0;
    talk->heard = 1;
    talk->handling = 1;
    int result = talk->on_message(talk->context, code, talk->inbox, size);
    talk->handling = 0;
    return result;
}

/** Take one message if it is there. Returns an exit code; *more: 1 when another may follow. */
static int
receive_message(struct talk *talk, int *more)
{
    uint32_t code = 0;
    size_t got = 0;
    int result = duet_channel_recv_message(talk->link.channel, &code, talk->inbox + talk->have,
                                           TRANSFER_INBOX - talk->have, &got, 0);

    talk->have += got;
    *more = result == DUET_OK;
    if (got > 0 || result == DUET_OK)
        talk->last = duet__os_now_ms();
    if (result == DUET_AGAIN)
        return EXIT_DONE;
    if (result == DUET_CLOSED) {
        talk->closed = 1;
        return EXIT_DONE;
    }
    if (result == DUET_E_ROOM || (result == DUET_OK && code == DUET_CODE_MORE))
        return log_error(EXIT_FAILED, "the peer's message is too long: is it duet send or recv?");
    if (result != DUET_OK)
        return link_fail(&talk->link, result);
    return handle_message(talk, code);
}

static int
receive_messages(struct talk *talk)
{
    int more = !talk->handling && !talk->closed;
    int code = EXIT_DONE;

    while (more && code == EXIT_DONE)
        code = receive_message(talk, &more);
    return code;
}

/** Wait for the wire, and see to what has nothing to do with it. */
static int
wait_for_wire(struct talk *talk)
{
    const struct options *o = talk->options;
    unsigned state = duet_channel_state(talk->link.channel);
    struct pollfd fds[2] = {
        {.fd = talk->handling || talk->closed ? -1 : talk->link.rfd, .events = POLLIN},
        {.fd = state & DUET_WANT_WRITE ? talk->link.wfd : -1, .events = POLLOUT}};

    if (interrupted())
        return EXIT_INTERRUPTED;
    progress_tick(&talk->progress);
    if (o->idle_ms >= 0 && duet__os_now_ms() - talk->last >= (uint64_t)o->idle_ms)
        return log_error(EXIT_SLOW, "nothing moved for %g s: the peer is slow; " TRANSFER_RESUME,
                         o->idle_ms / 1000.0);
    if (poll(fds, 2, STEP_MS) < 0 && errno != EINTR)
        return log_error(EXIT_FAILED, "poll: %s", errno_text());
    return EXIT_DONE;
}

int
talk_send(struct talk *talk, uint32_t code, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    size_t sent;

    for (;;) {
        int result = duet_channel_send_message(talk->link.channel, code, at, size, &sent, 0);
        if (sent > 0) { /* bytes may be NULL where there are none */
            at += sent;
            size -= sent;
            talk->last = duet__os_now_ms();
        }
        if (result == DUET_OK)
            return interrupted() ? EXIT_INTERRUPTED : EXIT_DONE;
        if (result != DUET_AGAIN)
            return link_fail(&talk->link, result);
        int done = receive_messages(talk);
        if (done == EXIT_DONE)
            done = wait_for_wire(talk);
        if (done != EXIT_DONE)
            return done;
    }
}

int
talk_turn(struct talk *talk)
{
    int result = duet_channel_flush(talk->link.channel, 0);

    if (result != DUET_OK && result != DUET_AGAIN)
        return link_fail(&talk->link, result);
    talk->heard = 0;
    int code = receive_messages(talk);
    return code == EXIT_DONE && !talk->closed && !talk->heard ? wait_for_wire(talk) : code;
}

int
talk_close(struct talk *talk)
{
    int result = DUET_AGAIN;
    int code = EXIT_DONE;

    while (code == EXIT_DONE && (result != DUET_OK || !talk->closed)) {
        result = duet_channel_close(talk->link.channel, 0);
        if (result != DUET_OK && result != DUET_AGAIN)
            return link_fail(&talk->link, result);
        if (result == DUET_OK && talk->closed)
            return EXIT_DONE;
        code = receive_messages(talk);
        if (code == EXIT_DONE && !(result == DUET_OK && talk->closed))
            code = wait_for_wire(talk);
    }
    return code;
}

/** The conversation on a channel that is established. Returns an exit code. */
static int
converse(struct talk *talk)
{
    char receipt[2 * DUET_RECEIPT_SIZE + 1];
    enum duet_role role = talk->link.role;

    talk->inbox = malloc(TRANSFER_INBOX);
    if (talk->inbox == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    interrupt_catch();
    talk->last = talk->progress.begun_ms = duet__os_now_ms();
    int code = talk->converse(talk->context);
    duet_wipe(talk->inbox, TRANSFER_INBOX);
    free(talk->inbox);
    progress_break(&talk->progress);
    if (code == EXIT_INTERRUPTED)
        return log_error(code, "interrupted; " TRANSFER_RESUME);
    if (!talk->sends) /* the receipt is that of the sender's direction */
        role = role == DUET_TOP ? DUET_BOTTOM : DUET_TOP;
    link_receipt(&talk->link, receipt, role);
    if (receipt[0] != 0 && talk->complete)
        progress_end(&talk->progress, receipt, talk->options);
    return code;
}

int
talk_run(struct talk *talk, const char *address)
{
    progress_begin(&talk->progress, talk->options);
    int code = link_open(&talk->link, talk->options, address);
    talk->link.resumable = 1;
    if (code == EXIT_DONE)
        code = converse(talk);
    link_close(&talk->link);
    return code;
}

/* ---- What is there already ---- */

int
hash_prefix(uint8_t hash[TRANSFER_HASH], int fd, uint64_t size)
{
    uint8_t *chunk = malloc(CHUNK);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int bad =
        chunk == NULL || context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1;

    for (uint64_t at = 0; at < size && !bad;) {
        size_t want = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        ssize_t n = pread(fd, chunk, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        bad = n <= 0 || EVP_DigestUpdate(context, chunk, (size_t)n) != 1;
        at += n > 0 ? (uint64_t)n : 0;
    }
    bad = bad || EVP_DigestFinal_ex(context, hash, NULL) != 1;
    EVP_MD_CTX_free(context);
    free(chunk);
    return bad ? -1 : 0;
}
