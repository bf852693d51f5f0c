/*
 * Streams at full speed: `bulk` runs for a time and counts what the sink has acknowledged; `upload`
 * sends streams of an announced size, which the service verifies.
 */
#include "bench/tunnel/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TURN_MS = 100, GRACE_S = 60 };

struct stream {
    struct load_source source;
    uint8_t header[LOAD_HEADER];
    size_t header_sent;
    uint64_t sent, marks; /* bytes; answers, each for LOAD_MARK of them */
    int writing;
};

static struct {
    const struct load_task *task;
    int checked;    /* upload */
    uint64_t until; /* load_now() at which bulk stops to send */
    unsigned open, complete, cut;
    uint64_t bytes, last; /* answered for; when the last answer came */
} run;

static uint64_t
left(const struct stream *s)
{
    if (run.checked)
        return run.task->bytes - s->sent;
    if (load_now() < run.until)
        return UINT64_MAX;
    return (LOAD_MARK - s->sent % LOAD_MARK) % LOAD_MARK; /* so that all of it is answered for */
}

static void
finish(struct stream *s, int whole)
{
    run.open--;
    if (whole)
        run.complete++;
    else
        run.cut++;
    load_close(&s->source);
}

/** Returns 0, or -1 when the connection is lost. */
static int
send_some(struct stream *s)
{
    ssize_t count = 0;

    if (s->header_sent < LOAD_HEADER) {
        count = write(s->source.fd, s->header + s->header_sent, LOAD_HEADER - s->header_sent);
        if (count > 0)
            s->header_sent += (size_t)count;
        return count < 0 && errno != EAGAIN ? -1 : 0;
    }
    uint64_t size = left(s);
    if (size > LOAD_BUFFER)
        size = LOAD_BUFFER;
    if (size > 0)
        count = write(s->source.fd, load_content(s->sent, size), size);
    if (count < 0)
        return errno == EAGAIN ? 0 : -1;
    s->sent += (uint64_t)count;
    if (left(s) > 0)
        return 0;
    s->writing = 0;
    if (run.checked && shutdown(s->source.fd, SHUT_WR) != 0)
        return -1;
    if (!run.checked && s->marks * LOAD_MARK >= s->sent) {
        finish(s, 1); /* the last answer was there before */
        return 0;
    }
    return load_watch(&s->source, 1, 0);
}

/** Read acknowledgements. Returns 1 when the stream is over. */
static int
receive(struct stream *s)
{
    uint64_t answer = 0;
    uint8_t marks[256];
    ssize_t count = run.checked ? read(s->source.fd, &answer, sizeof answer)
                                : read(s->source.fd, marks, sizeof marks);

    if (count < 0 && errno == EAGAIN)
        return 0;
    if (count <= 0 || (run.checked && answer != run.task->bytes)) {
        finish(s, 0);
        return 1;
    }
    run.last = load_now();
    s->marks += (uint64_t)count;
    run.bytes += run.checked ? answer : (uint64_t)count * LOAD_MARK;
    if (!run.checked && (s->writing || s->marks * LOAD_MARK < s->sent))
        return 0;
    finish(s, 1);
    return 1;
}

static void
ready(struct load_source *source)
{
    struct stream *s = (struct stream *)source;

    if (receive(s))
        return;
    if (s->writing && send_some(s) != 0)
        finish(s, 0);
}

static int
open_streams(struct stream *streams)
{
    for (unsigned i = 0; i < run.task->count; i++) {
        struct stream *s = &streams[i];
        s->source.ready = ready;
        s->source.fd = load_connect(&run.task->address);
        s->writing = 1;
        load_header(s->header, run.checked ? LOAD_CHECK : LOAD_SINK, run.task->bytes);
        if (s->source.fd < 0 || load_watch(&s->source, 1, 1) != 0)
            return -1;
        run.open++;
    }
    return 0;
}

static int
transfer(const struct load_task *task, int checked)
{
    struct stream *streams = calloc(task->count, sizeof *streams);
    uint64_t begin = load_now();

    run.task = task;
    run.checked = checked;
    run.until = begin + (uint64_t)(task->seconds * 1e9);
    run.last = begin;
    if (streams == NULL || open_streams(streams) != 0) {
        perror("duet-load: cannot connect");
        free(streams);
        return 1;
    }
    while (run.open > 0 && load_now() < run.until + GRACE_S * UINT64_C(1000000000))
        if (load_turn(TURN_MS) != 0)
            break;
    double seconds = (double)(run.last - begin) / 1e9;
    printf("bytes_per_second\t%.0f\nbytes\t%llu\ncomplete\t%u\ncut\t%u\nstuck\t%u\n",
           seconds > 0 ? (double)run.bytes / seconds : 0, (unsigned long long)run.bytes,
           run.complete, run.cut, run.open);
    free(streams);
    return run.complete == task->count ? 0 : 1;
}

int
load_bulk(const struct load_task *task)
{
    return transfer(task, 0);
}

int
load_upload(const struct load_task *task)
{
    return transfer(task, 1);
}
