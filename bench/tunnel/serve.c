/*
 * The service behind a tunnel: an echo, a sink, and a sink that verifies (see load.h).
 *
 * Ends on SIGTERM and prints its counts. A checked stream that ended cleanly before its announced
 * size counts as truncated, as a tunnel must pass on a cut as a cut.
 */
#include "bench/tunnel/load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct served {
    struct load_source source;
    size_t header_size;
    uint8_t header[LOAD_HEADER];
    unsigned mode;
    uint64_t announced, bytes, marked; /* of the header; come; answered for */
    uint8_t *kept;                     /* an echo that the peer does not take yet */
    size_t kept_size, kept_sent;
};

static struct {
    unsigned long accepted, complete, truncated, cut, wrong;
    uint64_t bytes;
} seen;

static volatile sig_atomic_t over;
static uint8_t buffer[LOAD_BUFFER];

static void
stop(int signal)
{
    (void)signal;
    over = 1;
}

static void
drop(struct served *s)
{
    load_close(&s->source);
    free(s->kept);
    free(s);
}

/** An orderly end: a checked stream is answered with what came of it. */
static void
end(struct served *s)
{
    if (s->mode == LOAD_CHECK && s->bytes == s->announced) {
        seen.complete++;
        (void)!write(s->source.fd, &s->bytes, sizeof s->bytes);
    } else if (s->mode == LOAD_CHECK) {
        seen.truncated++;
    }
    drop(s);
}

/** Keep what an echo could not write. Returns 0, or -1. */
static int
keep(struct served *s, const uint8_t *bytes, size_t size)
{
    s->kept = malloc(size);
    if (s->kept == NULL)
        return -1;
    memcpy(s->kept, bytes, size);
    s->kept_size = size;
    s->kept_sent = 0;
    return load_watch(&s->source, 0, 1);
}

/** Returns 0, or -1 when the connection is lost. */
static int
echo(struct served *s, const uint8_t *bytes, size_t size)
{
    ssize_t count = write(s->source.fd, bytes, size);

    if (count < 0 && errno != EAGAIN)
        return -1;
    if (count < 0)
        count = 0;
    return (size_t)count == size ? 0 : keep(s, bytes + count, size - (size_t)count);
}

static int
sink(struct served *s)
{
    static const uint8_t marks[64];
    uint64_t due = s->bytes / LOAD_MARK - s->marked;

    if (due == 0)
        return 0;
    ssize_t count = write(s->source.fd, marks, due < sizeof marks ? due : sizeof marks);
    if (count > 0)
        s->marked += (uint64_t)count;
    return count < 0 && errno != EAGAIN ? -1 : 0;
}

static int
take(struct served *s, const uint8_t *bytes, size_t size)
{
    if (s->mode == LOAD_CHECK && memcmp(bytes, load_content(s->bytes, size), size) != 0) {
        seen.wrong++;
        return -1;
    }
    s->bytes += size;
    seen.bytes += size;
    if (s->mode == LOAD_ECHO)
        return echo(s, bytes, size);
    return s->mode == LOAD_SINK ? sink(s) : 0;
}

/** Take the header off the front. Returns how many bytes it was, or -1. */
static int
take_header(struct served *s, const uint8_t *bytes, size_t size)
{
    size_t count = LOAD_HEADER - s->header_size;

    if (count > size)
        count = size;
    memcpy(s->header + s->header_size, bytes, count);
    s->header_size += count;
    if (s->header_size < LOAD_HEADER || s->mode != 0)
        return (int)count;
    s->mode = load_header_read(s->header, &s->announced);
    if (s->mode != LOAD_ECHO && s->mode != LOAD_SINK && s->mode != LOAD_CHECK)
        return -1;
    return (int)count;
}

/** Write what was kept. Returns 1 when there is none left. */
static int
write_kept(struct served *s)
{
    ssize_t count = write(s->source.fd, s->kept + s->kept_sent, s->kept_size - s->kept_sent);

    if (count < 0 && errno != EAGAIN) {
        drop(s);
        return 0;
    }
    if (count > 0)
        s->kept_sent += (size_t)count;
    if (s->kept_sent < s->kept_size)
        return 0;
    free(s->kept);
    s->kept = NULL;
    (void)load_watch(&s->source, 1, 0);
    return 1;
}

static void
ready(struct load_source *source)
{
    struct served *s = (struct served *)source;

    if (s->kept != NULL && !write_kept(s))
        return;
    ssize_t count = read(s->source.fd, buffer, sizeof buffer);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count < 0) {
        seen.cut++;
        drop(s);
        return;
    }
    if (count == 0) {
        end(s);
        return;
    }
    int header = take_header(s, buffer, (size_t)count);
    if (header < 0 || (count > header && take(s, buffer + header, (size_t)(count - header)) != 0))
        drop(s);
}

static void
accept_some(struct load_source *source)
{
    int fd;

    while ((fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct served *s = calloc(1, sizeof *s);
        if (s == NULL) {
            close(fd);
            return;
        }
        s->source.fd = fd;
        s->source.ready = ready;
        seen.accepted++;
        if (load_watch(&s->source, 1, 0) != 0)
            drop(s);
    }
}

int
load_serve(const struct load_task *task)
{
    struct load_source listener = {.fd = load_listen(&task->address), .ready = accept_some};
    struct sigaction action = {.sa_handler = stop};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (listener.fd < 0 || load_watch(&listener, 1, 0) != 0) {
        perror("duet-load: cannot listen");
        return 1;
    }
    (void)load_content(0, 1);
    while (!over)
        if (load_turn(1000) != 0)
            return 1;
    printf("accepted\t%lu\ncomplete\t%lu\ntruncated\t%lu\ncut\t%lu\nwrong\t%lu\nbytes\t%llu\n",
           seen.accepted, seen.complete, seen.truncated, seen.cut, seen.wrong,
           (unsigned long long)seen.bytes);
    return 0;
}
