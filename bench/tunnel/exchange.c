/*
 * A connection to an echo: sends a request, verifies what comes back (see load.h).
 */
#include "bench/tunnel/load.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static uint8_t came[LOAD_BUFFER];

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void
finish(struct load_exchange *e, enum load_outcome outcome)
{
    if (outcome != LOAD_DONE)
        load_close(&e->source);
    e->done(e, outcome);
}

/** Header and content in one call, as a program that knows its request sends it. */
static ssize_t
write_some(struct load_exchange *e)
{
    uint8_t header[LOAD_HEADER];
    size_t size = least(e->size - e->sent, LOAD_BUFFER);
    union {
        const uint8_t *from;
        void *to;
    } content = {load_content(e->place + e->sent, size)};
    struct iovec parts[2] = {{header + LOAD_HEADER - e->header_left, e->header_left},
                             {content.to, size}};

    load_header(header, LOAD_ECHO, 0);
    return writev(e->source.fd, parts, 2);
}

/** Returns 0, or -1 when the connection is lost. */
static int
send_request(struct load_exchange *e)
{
    while (e->header_left + e->size - e->sent > 0) {
        ssize_t count = write_some(e);
        if (count < 0)
            return errno == EAGAIN ? 0 : -1;
        size_t of_header = least((size_t)count, e->header_left);
        e->header_left -= of_header;
        e->sent += (size_t)count - of_header;
    }
    return 0;
}

/** Returns LOAD_DONE as long as nothing is wrong, or what is. */
static enum load_outcome
receive(struct load_exchange *e)
{
    while (e->got < e->size) {
        size_t wanted = least(e->size - e->got, sizeof came);
        ssize_t count = read(e->source.fd, came, wanted);
        if (count < 0 && errno == EAGAIN)
            return LOAD_DONE;
        if (count <= 0)
            return LOAD_CUT;
        if (memcmp(came, load_content(e->place + e->got, (size_t)count), (size_t)count) != 0)
            return LOAD_WRONG;
        e->got += (size_t)count;
    }
    return LOAD_DONE;
}

static int
is_connected(struct load_exchange *e)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (e->connected)
        return 1;
    (void)getsockopt(e->source.fd, SOL_SOCKET, SO_ERROR, &error, &size);
    e->connected = error == 0;
    return e->connected;
}

static void
watch(struct load_exchange *e)
{
    int writing = e->header_left + e->size - e->sent > 0;

    if (writing == e->writing)
        return;
    e->writing = writing;
    (void)load_watch(&e->source, 1, writing);
}

static void
ready(struct load_source *source)
{
    struct load_exchange *e = (struct load_exchange *)source;

    if (!is_connected(e)) {
        finish(e, LOAD_REFUSED);
        return;
    }
    if (e->size == 0) { /* nothing was asked: this is the end of it */
        finish(e, LOAD_CUT);
        return;
    }
    if (send_request(e) != 0) {
        finish(e, LOAD_CUT);
        return;
    }
    enum load_outcome outcome = receive(e);
    if (outcome != LOAD_DONE) {
        finish(e, outcome);
        return;
    }
    watch(e);
    if (e->got < e->size)
        return;
    e->size = e->sent = e->got = 0;
    finish(e, LOAD_DONE);
}

int
load_exchange_open(struct load_exchange *e, const struct load_address *address)
{
    e->source.ready = ready;
    e->connected = 0;
    e->writing = 1;
    e->header_left = LOAD_HEADER;
    e->size = e->sent = e->got = 0;
    e->source.fd = load_connect(address);
    if (e->source.fd < 0)
        return -1;
    return load_watch(&e->source, 1, 1);
}

void
load_exchange_ask(struct load_exchange *e, uint64_t place, size_t size)
{
    e->place = place;
    e->size = size;
    e->sent = e->got = 0;
    e->since = load_now();
    if (e->connected && send_request(e) != 0)
        return; /* reading finds the same error */
    if (e->connected)
        watch(e);
}
