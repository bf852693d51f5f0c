/*
 * duet pipe: standard input and output through a channel, as nc does without one.
 *
 * One loop in which only poll() waits. What was read is sent before more is read, and what came is
 * written before more is received: this is the backpressure, and memory is constant. The peer's
 * CLOSE closes only standard output; the command ends when both directions have closed.
 */
#include "commands.h"
#include "interrupt.h"
#include "link.h"
#include "log.h"
#include "os/os.h"
#include "stdio_check.h"
#include "values.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes. What comes must have room for the largest frame that this side accepts, 128 KiB. */
enum { OUTGOING = 256 * 1024, INCOMING = 256 * 1024 };
enum { POLLED = 5 };

enum { HANGUP_MS = 1000 }; /* for the rest of the input, after SIGHUP */

/** Bytes on their way, and where they go to or come from. */
struct flow {
    uint8_t *bytes;
    size_t at, size; /* what is left lies from at to size */
    int fd;          /* -1: closed */
    int regular;     /* a file: never waits */
    int named;       /* 1: opened by its path, so that its content is this program's to say */
    enum duet__os_kind kind;
    const char *name;
};

struct pump {
    struct link *link;
    const struct options *options;
    struct flow in, out; /* in: to the peer; out: from it */
    int flushing;        /* 1: sealed bytes wait for the wire */
    int in_done;         /* standard input has ended */
    int tx_done;         /* our CLOSE is with the kernel */
    int rx_done;         /* the peer's CLOSE has come */
    int more;            /* 1: the channel may hold more, the peer's CLOSE for one */
    int message;         /* 1: the peer has begun a message, which has no place in a stream */
    int fatal;           /* the result that ended the channel; 0: none */
    int moved;           /* 1: this turn did something */
    uint64_t last;       /* when something moved */
    uint64_t hung_ms;    /* when SIGHUP came; 0: it did not */
};

/* ---- The plain side ---- */

static int
flow_pending(const struct flow *flow)
{
    return flow->at < flow->size;
}

static int
open_flow(struct flow *flow, const char *path, int standard, int flags)
{
    struct stat status;
    uint64_t number = (uint64_t)standard;

    flow->name = standard == 0 ? "standard input" : "standard output";
    if (path != NULL)
        flow->name = path;
    if (path != NULL && strncmp(path, "fd:", 3) == 0 &&
        parse_number(&number, path + 3, 0, 65535) != 0)
        return log_error(EXIT_USAGE, "%s: not fd:N", printable(path));
    flow->fd = (int)number;
    if (path != NULL && strncmp(path, "fd:", 3) != 0)
        flow->fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    if (flow->fd >= 0 && fstat(flow->fd, &status) == 0 && S_ISDIR(status.st_mode))
        return log_error(EXIT_LOCAL, "%s: is a folder where a file is meant; name a file",
                         printable(flow->name));
    if (flow->fd < 0 || duet__os_kind(&flow->kind, flow->fd) != 0)
        return log_error(EXIT_LOCAL, "%s: %s; name what can be %s", printable(flow->name),
                         errno_text(), standard == 0 ? "read" : "written");
    flow->regular = S_ISREG(status.st_mode);
    flow->named = path != NULL && strncmp(path, "fd:", 3) != 0;
    return stdio_check(flow->fd, standard, flow->name);
}

/** A peer that speaks on descriptors 0 and 1 leaves none for the plain side. */
static int
open_flows(struct pump *pump)
{
    const struct options *o = pump->options;

    if (o->stdio && (o->in == NULL || o->out == NULL))
        return log_error(EXIT_USAGE,
                         "--stdio needs --in and --out: descriptors 0 and 1 are the channel's");
    pump->in.bytes = malloc(OUTGOING);
    pump->out.bytes = malloc(INCOMING);
    if (pump->in.bytes == NULL || pump->out.bytes == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    int code = open_flow(&pump->in, o->in, 0, O_RDONLY);
    if (code == EXIT_DONE)
        code = open_flow(&pump->out, o->out, 1, O_WRONLY | O_CREAT);
    return code;
}

/** The peer has proven itself: what the output's file held before gives way. */
static int
empty_output(const struct flow *out)
{
    if (!out->named || !out->regular || ftruncate(out->fd, 0) == 0)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: %s", printable(out->name), errno_text());
}

static int
read_input(struct pump *pump)
{
    struct flow *in = &pump->in;
    ssize_t n = read(in->fd, in->bytes, OUTGOING);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return EXIT_DONE;
    if (n < 0)
        return log_error(EXIT_LOCAL, "%s: %s", printable(in->name), errno_text());
    pump->moved = 1;
    in->at = 0;
    in->size = (size_t)n;
    pump->in_done = n == 0;
    return EXIT_DONE;
}

static int
write_output(struct pump *pump)
{
    struct flow *out = &pump->out;
    size_t put = 0;
    int result = DUET_OK;

    while (out->at < out->size && result == DUET_OK) {
        if (out->regular) {
            ssize_t n = write(out->fd, out->bytes + out->at, out->size - out->at);
            put = n > 0 ? (size_t)n : 0;
            result = n >= 0 || errno == EINTR ? DUET_OK : DUET_E_IO;
        } else {
            result =
                duet__os_write(out->fd, out->kind, out->bytes + out->at, out->size - out->at, &put);
        }
        out->at += put;
        pump->moved |= put > 0;
    }
    if (result == DUET_OK || result == DUET_AGAIN)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: %s; what the peer sent is not all written",
                     printable(out->name), errno_text());
}

static int
too_idle(const struct pump *pump)
{
    double seconds = pump->options->idle_ms / 1000.0;

    if (flow_pending(&pump->out))
        return log_error(EXIT_LOCAL,
                         "%s: nobody reads it for %g s; what the peer sent is not all written",
                         printable(pump->out.name), seconds);
    return log_error(EXIT_SLOW,
                     "nothing moved for %g s: the peer is slow; try again, or give a longer "
                     "--idle-timeout",
                     seconds);
}

/** Write all that was verified before the end, however slow its reader is. */
static int
flush_output(struct pump *pump)
{
    int code = EXIT_DONE;

    while (code == EXIT_DONE && flow_pending(&pump->out) && !interrupted()) {
        struct pollfd fds[2] = {{.fd = pump->out.fd, .events = POLLOUT},
                                {.fd = interrupt_fd(), .events = POLLIN}};
        if (poll(fds, 2, pump->options->idle_ms) == 0)
            return too_idle(pump);
        code = write_output(pump);
    }
    return code;
}

/* ---- The channel's side ---- */

/** What a call of the channel's came to. Returns an exit code. */
static int
report_result(struct pump *pump, int result)
{
    if (result == DUET_OK || result == DUET_AGAIN || result == DUET_CLOSED)
        return EXIT_DONE;
    pump->fatal = result;
    return exit_of(result);
}

/** The channel has failed: write out what was verified, then report the cause. */
static int
end_fatal(struct pump *pump)
{
    int flushed = flush_output(pump);
    int code = link_fail(pump->link, pump->fatal);

    return flushed == EXIT_DONE ? code : flushed;
}

static int
send_input(struct pump *pump)
{
    struct flow *in = &pump->in;
    duet_channel *channel = pump->link->channel;
    size_t sent = 0;
    int result;

    if (in->at < in->size) {
        result = duet_channel_send(channel, in->bytes + in->at, in->size - in->at, &sent, 0);
        in->at += sent;
    } else if (pump->in_done && !pump->tx_done) {
        result = duet_channel_close(channel, 0);
        pump->tx_done = result == DUET_OK;
        sent = (size_t)pump->tx_done;
    } else {
        result = duet_channel_flush(channel, 0);
    }
    pump->flushing = result == DUET_AGAIN;
    pump->moved |= sent > 0;
    return report_result(pump, result);
}

/** Take the message to its end, in the output's empty buffer, and write nothing: a message that is
 * altered or cut is called that, not the wrong kind of peer. */
static int
receive_message(struct pump *pump)
{
    uint32_t code;
    size_t got;
    int result =
        duet_channel_recv_message(pump->link->channel, &code, pump->out.bytes, INCOMING, &got, 0);

    pump->more = result == DUET_OK;
    pump->moved |= pump->more;
    if (result != DUET_OK || code == DUET_CODE_MORE)
        return report_result(pump, result);
    int failed =
        log_error(EXIT_FAILED, "the peer sends messages where a stream is meant: is it duet pipe?");
    link_linger(pump->link);
    return failed;
}

static int
receive_output(struct pump *pump)
{
    struct flow *out = &pump->out;
    int result = duet_channel_recv(pump->link->channel, out->bytes, INCOMING, &out->size, 1, 0);

    if (result == DUET_E_CODE) {
        pump->message = 1;
        pump->more = 1;
        return EXIT_DONE;
    }
    out->at = 0;
    pump->more = result == DUET_OK;
    pump->moved |= out->size > 0 || result == DUET_CLOSED;
    if (result == DUET_CLOSED)
        pump->rx_done = 1;
    return report_result(pump, result);
}

/* ---- The loop ---- */

/** Close the output once all is written. Some file systems report only now that they are full. */
static int
close_output(struct pump *pump)
{
    if (!pump->rx_done || flow_pending(&pump->out) || pump->out.fd < 0)
        return EXIT_DONE;
    int result = close(pump->out.fd);
    pump->out.fd = -1;
    if (result == 0)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: %s; what the peer sent is not all written",
                     printable(pump->out.name), errno_text());
}

static int
is_over(const struct pump *pump)
{
    return pump->tx_done && pump->rx_done && pump->out.fd < 0 && !pump->flushing;
}

/** What to poll for, in the order in, out, channel in, channel out, signals. */
static void
set_polled(const struct pump *pump, struct pollfd fds[POLLED])
{
    unsigned state = duet_channel_state(pump->link->channel);
    int reading = !pump->in_done && !flow_pending(&pump->in);
    int receiving = !pump->rx_done && !flow_pending(&pump->out) && pump->hung_ms == 0;
    int sending = pump->flushing || state & DUET_WANT_WRITE;

    fds[0] = (struct pollfd){.fd = reading ? pump->in.fd : -1, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = flow_pending(&pump->out) ? pump->out.fd : -1, .events = POLLOUT};
    fds[2] = (struct pollfd){.fd = receiving ? pump->link->rfd : -1, .events = POLLIN};
    fds[3] = (struct pollfd){.fd = sending ? pump->link->wfd : -1, .events = POLLOUT};
    fds[4] = (struct pollfd){.fd = pump->hung_ms == 0 ? interrupt_fd() : -1, .events = POLLIN};
}

/** A program that ends hangs up what it ran, as ssh does its ProxyCommand, right after its last
 * bytes: these and the input's end still go to the peer, which would be cut short otherwise.
 * Returns the milliseconds that are left for it; 0: it is done, or another signal came. */
static int
hangup_left(struct pump *pump)
{
    uint64_t now = duet__os_now_ms();

    if (interrupted() != SIGHUP || isatty(pump->in.fd) || (pump->tx_done && !pump->flushing))
        return 0;
    if (pump->hung_ms == 0) {
        pump->hung_ms = now;
        pump->out.at = pump->out.size = 0; /* nobody reads it any more */
        pump->more = 0;
    }
    return now < pump->hung_ms + HANGUP_MS ? (int)(pump->hung_ms + HANGUP_MS - now) : 0;
}

static int
work_once(struct pump *pump, const struct pollfd fds[POLLED])
{
    int code = EXIT_DONE;

    if (fds[1].revents != 0)
        code = write_output(pump);
    if (code == EXIT_DONE && fds[0].revents != 0)
        code = read_input(pump);
    if (code == EXIT_DONE && (fds[0].revents != 0 || fds[3].revents != 0))
        code = send_input(pump);
    if (code == EXIT_DONE && (fds[2].revents != 0 || (pump->more && !flow_pending(&pump->out))))
        code = pump->message ? receive_message(pump) : receive_output(pump);
    if (code == EXIT_DONE && flow_pending(&pump->out) && fds[1].fd < 0)
        code = write_output(pump);
    return code == EXIT_DONE ? close_output(pump) : code;
}

static int
wait_for_work(struct pump *pump, struct pollfd fds[POLLED])
{
    int timeout = -1, left = 0;

    if (interrupted() && (left = hangup_left(pump)) == 0)
        return EXIT_INTERRUPTED;
    if (pump->options->idle_ms >= 0) {
        uint64_t idle = duet__os_now_ms() - pump->last;
        if (idle >= (uint64_t)pump->options->idle_ms)
            return too_idle(pump);
        timeout = pump->options->idle_ms - (int)idle;
    }
    if (left > 0 && (timeout < 0 || left < timeout))
        timeout = left;
    if (pump->more && !flow_pending(&pump->out))
        timeout = 0;
    if (poll(fds, POLLED, timeout) < 0) {
        if (errno != EINTR)
            return log_error(EXIT_FAILED, "poll: %s", errno_text());
        fds[0].revents = fds[1].revents = fds[2].revents = fds[3].revents = 0;
    }
    return interrupted() && hangup_left(pump) == 0 ? EXIT_INTERRUPTED : EXIT_DONE;
}

static int
run_pump(struct pump *pump)
{
    /* Frames may have come with the handshake: the channel holds them, poll() does not see them. */
    struct pollfd fds[POLLED];
    int code = receive_output(pump);

    pump->last = duet__os_now_ms();
    while (code == EXIT_DONE && !is_over(pump)) {
        if (pump->moved && pump->options->idle_ms >= 0)
            pump->last = duet__os_now_ms();
        pump->moved = 0;
        set_polled(pump, fds);
        code = wait_for_work(pump, fds);
        if (code == EXIT_DONE)
            code = work_once(pump, fds);
    }
    return pump->fatal != DUET_OK ? end_fatal(pump) : code;
}

static int
pipe_run(struct options *o)
{
    struct link link;
    struct pump pump = {.link = &link, .options = o, .in = {.fd = -1}, .out = {.fd = -1}};
    const char *address = o->operand_count > 0 ? o->operands[0] : NULL;

    memset(&link, 0, sizeof link);
    link.rfd = link.wfd = -1;
    interrupt_catch();
    int code = open_flows(&pump);
    if (code == EXIT_DONE)
        code = link_open(&link, o, address);
    if (code == EXIT_DONE)
        code = empty_output(&pump.out);
    if (code == EXIT_DONE) {
        code = run_pump(&pump);
        link_report_receipts(&link);
    }
    link_close(&link);
    if (pump.in.bytes != NULL)
        duet_wipe(pump.in.bytes, OUTGOING);
    if (pump.out.bytes != NULL)
        duet_wipe(pump.out.bytes, INCOMING);
    free(pump.in.bytes);
    free(pump.out.bytes);
    return interrupted() ? 128 + interrupted() : code;
}

const struct command cmd_pipe = {
    .name = "pipe",
    .user = FOR_PIPE,
    .usage = "-k FILE HOST:PORT | -l [ADDR]:PORT | --exec CMD | --stdio",
    .about = "Connect standard input and output to a peer, like nc.",
    .notes = "Example, with the same secret.key at both ends:\n"
             "    here$  duet pipe -k secret.key -l :4000 >copy\n"
             "    there$ duet pipe -k secret.key here:4000 <original\n",
    .most = 1,
    .run = pipe_run,
};
