/*
 * duet ping: each step to a peer, its outcome and how long it took; then round trips.
 */
#include "commands.h"
#include "interrupt.h"
#include "link.h"
#include "log.h"
#include "os/os.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 5000, PAUSE_MS = 200, END_MS = 1000 };

static uint8_t dropped[1 << 20]; /* room for the largest frame that this side accepts */

struct ping {
    struct link link;
    unsigned json;
    int fields; /* of the JSON object, so far */
    unsigned sent, received;
    uint64_t least, most, sum; /* microseconds */
};

/* ---- Telling: a line for each step, or one object that is whole whatever happens ---- */

static double
us_to_ms(uint64_t us)
{
    return (double)us / 1000.0;
}

/** A field of the object: name, and a value that is JSON already. */
static void __attribute__((format(printf, 3, 4)))
ping_field(struct ping *p, const char *name, const char *format, ...)
{
    va_list arguments;

    if (!p->json)
        return;
    printf("%s\"%s\": ", p->fields++ == 0 ? "{" : ", ", name);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

static void __attribute__((format(printf, 2, 3)))
ping_line(const struct ping *p, const char *format, ...)
{
    va_list arguments;

    if (p->json)
        return;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

/** The steps up to an authenticated channel, as far as they were reached. */
static void
tell_way(struct ping *p)
{
    const struct dialled *c = &p->link.dialled;

    if (c->resolve_us > 0) {
        ping_line(p, "resolve       %.3f ms\n", us_to_ms(c->resolve_us));
        ping_field(p, "resolve_ms", "%.3f", us_to_ms(c->resolve_us));
    }
    if (c->connect_us > 0) {
        ping_line(p, "connect       %.3f ms, %s\n", us_to_ms(c->connect_us), c->at);
        ping_field(p, "connect_ms", "%.3f", us_to_ms(c->connect_us));
        ping_field(p, "address", "\"%s\"", c->at);
    }
}

static void
tell_proof(struct ping *p)
{
    char key[DUET_KEY_TEXT_SIZE] = "", room[DUET_KEY_TEXT_SIZE], id[2 * DUET_SECRET_ID_SIZE + 1];
    const char *name = link_peer_name(&p->link, room);
    double took = us_to_ms(p->link.handshake_us);
    duet_info info;

    duet_session_info(duet_channel_session(p->link.channel), &info);
    if (info.has_peer_key)
        duet_key_text(key, info.peer_key);
    to_hex(id, info.secret_id, sizeof info.secret_id);
    ping_line(p, "handshake     %.3f ms, authenticated: pattern %s%s, secret %s%s%s\n", took,
              pattern_names[info.pattern], info.hybrid ? " with ML-KEM-768" : "", id,
              name != NULL ? ", peer " : "", name != NULL ? name : "");
    ping_field(p, "handshake_ms", "%.3f", took);
    ping_field(p, "pattern", "\"%s\"", pattern_names[info.pattern]);
    ping_field(p, "hybrid", "%s", info.hybrid ? "true" : "false");
    ping_field(p, "secret", "\"%s\"", id);
    ping_field(p, "peer", "\"%s\"", key);
}

static void
tell_trips(struct ping *p)
{
    double average = p->received > 0 ? us_to_ms(p->sum) / p->received : 0;

    ping_field(p, "sent", "%u", p->sent);
    ping_field(p, "received", "%u", p->received);
    if (p->received == 0)
        return;
    ping_line(p, "round trips   %u sent, %u received, min/avg/max %.3f/%.3f/%.3f ms\n", p->sent,
              p->received, us_to_ms(p->least), average, us_to_ms(p->most));
    ping_field(p, "min_ms", "%.3f", us_to_ms(p->least));
    ping_field(p, "avg_ms", "%.3f", average);
    ping_field(p, "max_ms", "%.3f", us_to_ms(p->most));
}

/* ---- Round trips ---- */

/** Receive until the answer is here; what else the peer sends is dropped. */
static int
await_pong(struct link *link, int timeout_ms)
{
    duet_session *session = duet_channel_session(link->channel);
    uint64_t end = duet__os_now_ms() + (unsigned)timeout_ms;
    duet_info info;
    size_t got;

    do {
        int result = duet_channel_recv(link->channel, dropped, sizeof dropped, &got, 0, 0);
        if (result != DUET_OK && result != DUET_AGAIN)
            return result;
        duet_session_info(session, &info);
        if (!info.pinging)
            return DUET_OK;
        duet__os_wait(link->rfd, link->wfd, -1, DUET__OS_READ, 50);
    } while (duet__os_now_ms() < end);
    return DUET_SLOW;
}

static int
ping_once(struct ping *p, unsigned number)
{
    duet_session *session = duet_channel_session(p->link.channel);
    uint8_t bytes[DUET_PING_SIZE] = {0};

    memcpy(bytes, &number, sizeof number);
    uint64_t begin = duet__os_now_us();
    int result = duet_session_ping(session, bytes);
    if (result == DUET_OK)
        do
            result = duet_channel_flush(p->link.channel, WAIT_MS);
        while (result == DUET_AGAIN && !interrupted()); /* a signal that ends nothing */
    p->sent++;
    if (result == DUET_OK)
        result = await_pong(&p->link, WAIT_MS);
    if (result != DUET_OK)
        return result;
    uint64_t took = duet__os_now_us() - begin;
    p->sum += took;
    p->least = p->received == 0 || took < p->least ? took : p->least;
    p->most = took > p->most ? took : p->most;
    p->received++;
    ping_line(p, "round trip %u: %.3f ms\n", number, us_to_ms(took));
    return DUET_OK;
}

/** A peer that has closed its direction cannot answer; it is there and authenticated all the same.
 */
static int
go_to_and_fro(struct ping *p, unsigned count)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    int result = DUET_OK;

    for (unsigned i = 1; i <= count && result == DUET_OK; i++) {
        if (i > 1)
            nanosleep(&pause, NULL);
        result = ping_once(p, i);
    }
    tell_trips(p);
    if (result == DUET_SLOW)
        return log_error(EXIT_SLOW, "no answer within %d s: the peer is slow; try again",
                         WAIT_MS / 1000);
    if (result == DUET_CLOSED)
        ping_line(
            p, "round trips   no answer any more: the peer has nothing to send and has closed\n");
    return result == DUET_OK || result == DUET_CLOSED ? EXIT_DONE : link_fail(&p->link, result);
}

/** Take what the peer still sends, such as the greeting of a service that speaks first, until its
 * end: closed with bytes unread, the connection would be reset, and its end a cut there. */
static void
take_rest(struct link *link)
{
    uint64_t end = duet__os_now_ms() + END_MS, now = end - END_MS;
    int result = DUET_OK;
    size_t got;

    while ((result == DUET_OK || result == DUET_AGAIN) && now < end && !interrupted()) {
        result =
            duet_channel_recv(link->channel, dropped, sizeof dropped, &got, 1, (int)(end - now));
        now = duet__os_now_ms();
    }
}

static int
close_duly(struct ping *p)
{
    duet_info info;
    int result;

    do
        result = duet_channel_close(p->link.channel, WAIT_MS);
    while (result == DUET_AGAIN && !interrupted());
    duet_session_info(duet_channel_session(p->link.channel), &info);
    ping_field(p, "refreshes", "%" PRIu64, info.refreshes);
    if (info.refreshes > 0)
        ping_line(p, "refreshes     %" PRIu64 "\n", info.refreshes);
    ping_field(p, "closed", result == DUET_OK ? "true" : "false");
    if (result != DUET_OK)
        return link_fail(&p->link, result);
    take_rest(&p->link);
    ping_line(p, "close         done\n");
    return EXIT_DONE;
}

static int
ping_run(struct options *o)
{
    static struct ping p;

    p.json = o->json;
    int code = link_open(&p.link, o, o->operand_count > 0 ? o->operands[0] : NULL);
    tell_way(&p);
    if (code == EXIT_DONE) {
        tell_proof(&p);
        code = go_to_and_fro(&p, o->count);
    }
    if (code == EXIT_DONE)
        code = close_duly(&p);
    ping_field(&p, "exit", "%d", code);
    if (p.json)
        puts("}");
    link_close(&p.link);
    return finish_output(code);
}

const struct command cmd_ping = {
    .name = "ping",
    .user = FOR_PING,
    .usage = "-k FILE [-c N] HOST:PORT",
    .about = "Test the way to a peer step by step, and measure round trips.",
    .most = 1,
    .run = ping_run,
};
