/*
 * duet ping: each step to a peer, its outcome and how long it took; then round trips.
 */
#include "commands.h"
#include "link.h"
#include "os/os.h"
#include "say.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COUNT = 4, COUNT_MOST = 1000000, WAIT_MS = 5000, PAUSE_MS = 200 };

static const struct poptOption own[] = {
    {"count", 'c', POPT_ARG_STRING, &options.count, 0, "Round trips; default 4", "N"},
    POPT_TABLEEND};

struct trips {
    unsigned sent, received;
    double least, most, sum; /* milliseconds */
};

static double
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/** Receive until the answer is here; what else the peer sends is dropped. */
static int
await(struct link *link, int timeout_ms)
{
    static uint8_t dropped[1 << 20]; /* room for the largest frame that this side accepts */
    duet_session *session = duet_channel_session(link->channel);
    double end = now_ms() + timeout_ms;
    duet_info info;
    size_t got;

    do {
        int result = duet_recv(link->channel, dropped, sizeof dropped, &got, 0, 0);
        if (result != DUET_OK && result != DUET_AGAIN)
            return result;
        duet_session_info(session, &info);
        if (!info.pinging)
            return DUET_OK;
        duet__os_wait(link->rfd, link->wfd, DUET__OS_READ, 50);
    } while (now_ms() < end);
    return DUET_SLOW;
}

static int
ping_once(struct link *link, unsigned number, struct trips *trips, int json)
{
    duet_session *session = duet_channel_session(link->channel);
    uint8_t octets[DUET_PING_SIZE];

    memcpy(octets, &number, sizeof number);
    memset(octets + sizeof number, 0, sizeof octets - sizeof number);
    double begin = now_ms();
    int result = duet_session_ask(session, DUET_ASK_PING, octets);
    if (result == DUET_OK)
        result = duet_flush(link->channel, WAIT_MS);
    trips->sent++;
    if (result == DUET_OK)
        result = await(link, WAIT_MS);
    if (result != DUET_OK)
        return result;
    double took = now_ms() - begin;
    trips->received++;
    trips->sum += took;
    trips->least = trips->received == 1 || took < trips->least ? took : trips->least;
    trips->most = took > trips->most ? took : trips->most;
    if (!json)
        printf("round trip %u: %.3f ms\n", number, took);
    return DUET_OK;
}

static void
tell_open(const struct link *link, double took, int json)
{
    static const char *const patterns[] = {"secret", "ephemeral", "identity"};
    char key[DUET_KEY_TEXT_SIZE] = "", id[2 * DUET_SECRET_ID_SIZE + 1];
    duet_info info;

    duet_session_info(duet_channel_session(link->channel), &info);
    if (info.has_peer_key)
        duet_key_text(key, info.peer_key);
    to_hex(id, info.secret_id, sizeof info.secret_id);
    if (json)
        printf("{\"pattern\": \"%s\", \"secret\": \"%s\", \"peer\": \"%s\", \"open_ms\": %.3f",
               patterns[info.pattern], id, key, took);
    else
        printf("connected and authenticated in %.3f ms: secret %s, pattern %s%s%s\n", took, id,
               patterns[info.pattern], key[0] != 0 ? ", peer " : "", key);
}

static int
finish(struct link *link, const struct trips *trips, int json)
{
    double average = trips->received > 0 ? trips->sum / trips->received : 0;
    int result = duet_close(link->channel, WAIT_MS);

    if (json)
        printf(", \"sent\": %u, \"received\": %u, \"min_ms\": %.3f, \"avg_ms\": %.3f, "
               "\"max_ms\": %.3f}\n",
               trips->sent, trips->received, trips->least, average, trips->most);
    else
        printf("%u sent, %u received, min/avg/max %.3f/%.3f/%.3f ms\n", trips->sent,
               trips->received, trips->least, average, trips->most);
    if (fflush(stdout) != 0)
        return fail(EXIT_LOCAL, "standard output: %s", reason());
    return result == DUET_OK ? EXIT_DONE : link_fail(link, result);
}

static int
ping(struct link *link, uint64_t count, int json)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    struct trips trips = {0};
    int result = DUET_OK;

    for (unsigned i = 1; i <= count && result == DUET_OK; i++) {
        if (i > 1)
            nanosleep(&pause, NULL);
        result = ping_once(link, i, &trips, json);
    }
    if (result == DUET_CLOSED)
        return fail(EXIT_FAILED, "the peer closed before it answered");
    if (result == DUET_SLOW)
        return fail(EXIT_SLOW, "no answer within %d s: the peer is slow", WAIT_MS / 1000);
    return result == DUET_OK ? finish(link, &trips, json) : link_fail(link, result);
}

static int
run(struct options *o)
{
    struct link link;
    uint64_t count = COUNT;

    if (o->count != NULL && parse_number(&count, o->count, 1, COUNT_MOST) != 0)
        return fail(EXIT_USAGE, "ping: -c %s: not a number from 1 to %d", shown(o->count),
                    COUNT_MOST);
    double begin = now_ms();
    int code = link_open(&link, o, o->operand_count > 0 ? o->operands[0] : NULL);
    if (code == EXIT_DONE) {
        tell_open(&link, now_ms() - begin, o->json);
        code = ping(&link, count, o->json);
    }
    link_close(&link);
    return code;
}

const struct command cmd_ping = {
    .name = "ping",
    .usage = "-k FILE [-c N] HOST:PORT",
    .about = "The way to a peer, step by step, and the round trip.",
    .groups = OPTIONS_KEYS | OPTIONS_LINK | OPTIONS_JSON,
    .own = own,
    .most = 1,
    .run = run,
};
