/*
 * What is tried: random bytes, first flights that are cut or changed or recorded, the openings of
 * other protocols, and what a dialling client gets as an answer. A kind has one row here; all tries
 * are planned before the first, in random order.
 */
#include "log.h"
#include "os/os.h"
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTHING_MORE = 3 };                     /* times as many tries of the reference */
enum { CUT_EACH = 80, CUT_SPREAD = 20 };       /* lengths one by one, then spread over the rest */
enum { LOOKS_LEAST = 200, LOOKS_MOST = 1500 }; /* bytes of what looks like a first flight */
enum { TAIL_MOST = 300 };

static const unsigned noise_sizes[] = {1, 16, 47, 48, 49, 64, 100, 200, 500, 1000, 2000, 20000};

/** Bytes that another protocol's client opens with; padding random bytes follow. */
static const struct opening {
    const char *name, *bytes;
    unsigned size, padding;
} protocols[] = {
#define OPENING(name, bytes, padding)                                                              \
    {                                                                                              \
        name, bytes, sizeof(bytes) - 1, padding                                                    \
    }
    OPENING("TLS", "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03", 194),
    OPENING("HTTP", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 0),
    OPENING("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 0),
    OPENING("HTTP proxy", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n", 0),
    OPENING("ssh", "SSH-2.0-OpenSSH_9.2\r\n", 0),
    OPENING("SMTP", "EHLO example.org\r\n", 0),
    OPENING("FTP", "USER anonymous\r\n", 0),
    OPENING("SOCKS4", "\x04\x01\x00\x50\x0a\x00\x00\x01\x00", 0),
    OPENING("SOCKS5", "\x05\x01\x00", 0),
    OPENING("RDP", "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00",
            0),
    OPENING("DNS",
            "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
            "example\x03org\x00\x00\x01\x00\x01",
            0),
    OPENING("PostgreSQL", "\x00\x00\x00\x08\x04\xd2\x16\x2f", 0),
    OPENING("BitTorrent",
            "\x13"
            "BitTorrent protocol",
            48),
    OPENING("OpenVPN", "\x00\x0e\x38", 13),
    OPENING("lines", "\r\n\r\n", 0),
    OPENING("zeros",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            0),
};

static const struct opening answers[] = {
    OPENING("nothing", "", 0),
    OPENING("16 bytes", "", 16),
    OPENING("47 bytes", "", 47),
    OPENING("48 bytes", "", 48),
    OPENING("200 bytes", "", 200),
    OPENING("2000 bytes", "", 2000),
    OPENING("70000 bytes", "", 70000),
    OPENING("HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 0),
#undef OPENING
};

enum { NOISES = sizeof noise_sizes / sizeof noise_sizes[0] };
enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };
enum { ANSWERS = sizeof answers / sizeof answers[0] };

uint32_t
probe_draw(uint32_t limit)
{
    uint64_t draw = 0;

    (void)duet__os_random((uint8_t *)&draw, sizeof draw); /* chance that decides nothing secret */
    return (uint32_t)(draw % limit);
}

/* ---- The plan ---- */

/** Add one try of a kind. Returns 0, or -1: no memory. */
static int
plan_try(struct probe *probe, unsigned kind, uint32_t length)
{
    if (probe->try_count == probe->try_room) {
        size_t room = probe->try_room > 0 ? 2 * probe->try_room : 256;
        struct probe_try *tries = realloc(probe->tries, room * sizeof *tries);
        if (tries == NULL)
            return -1;
        probe->tries = tries;
        probe->try_room = room;
    }
    probe->tries[probe->try_count++] = (struct probe_try){.kind = kind, .length = length};
    return 0;
}

/** Add a kind, without tries. Returns its number. */
static unsigned
plan_kind(struct probe *probe, const char *name, enum probe_group group, unsigned argument, int fin)
{
    struct probe_kind *kind = &probe->kinds[probe->kind_count];

    (void)snprintf(kind->name, sizeof kind->name, "%s", name);
    kind->group = group;
    kind->argument = argument;
    kind->fin = fin;
    return probe->kind_count++;
}

static int
plan(struct probe *probe, const char *name, enum probe_group group, unsigned argument, int fin)
{
    unsigned kind = plan_kind(probe, name, group, argument, fin);
    unsigned times = group == PROBE_NOTHING && !fin ? NOTHING_MORE * probe->times : probe->times;
    int failed = 0;

    for (unsigned i = 0; i < times && !failed; i++)
        failed = plan_try(probe, kind, 0);
    return failed;
}

/** A first flight cut at each length: a few tries of each, as neighbours tell together. */
static int
plan_cuts(struct probe *probe, uint32_t whole)
{
    unsigned kind = plan_kind(probe, "first flight, cut", PROBE_CUT, 0, 0);
    unsigned times = 1 + probe->times / 20;
    uint32_t rest = whole > CUT_EACH + CUT_SPREAD ? (whole - CUT_EACH) / CUT_SPREAD : 1;
    int failed = 0;

    for (unsigned i = 0; i < times && !failed; i++) {
        for (uint32_t at = 1; at < whole && at <= CUT_EACH && !failed; at++)
            failed = plan_try(probe, kind, at);
        for (uint32_t at = CUT_EACH + rest; at < whole && !failed; at += rest)
            failed = plan_try(probe, kind, at);
    }
    return failed || plan(probe, "first flight, cut, FIN", PROBE_CUT, 0, 1);
}

static int
plan_openings(struct probe *probe)
{
    char name[PROBE_NAME];
    int failed = plan(probe, "nothing", PROBE_NOTHING, 0, 0) ||
                 plan(probe, "nothing, FIN", PROBE_NOTHING, 0, 1) ||
                 plan(probe, "random bytes, FIN", PROBE_NOISE, 0, 1);

    for (unsigned i = 0; i < NOISES && !failed; i++) {
        (void)snprintf(name, sizeof name, "%u random bytes", noise_sizes[i]);
        failed = plan(probe, name, PROBE_NOISE, noise_sizes[i], 0);
    }
    for (unsigned i = 0; i < PROTOCOLS && !failed; i++)
        failed = plan(probe, protocols[i].name, PROBE_PROTOCOL, i, 0);
    return failed;
}

static int
plan_flights(struct probe *probe)
{
    size_t whole = LOOKS_LEAST;
    int failed = 0;

    if (probe->config != NULL) {
        uint8_t *flight = live_flight(probe->config, &whole);
        if (flight == NULL)
            return -1;
        free(flight);
        failed = plan(probe, "first flight, one bit changed", PROBE_FLIPPED, 0, 0);
    }
    if (probe->flight != NULL) {
        whole = probe->flight_size;
        failed = failed || plan(probe, "recorded flight", PROBE_REPLAYED, 0, 0) ||
                 plan(probe, "recorded flight, more bytes", PROBE_REPLAYED, 1, 0) ||
                 plan(probe, "recorded flight, one bit changed", PROBE_FLIPPED, 1, 0);
    }
    return failed || plan_cuts(probe, (uint32_t)whole);
}

static int
plan_lives(struct probe *probe)
{
    int failed = 0;

    probe->live_first = probe->try_count;
    for (unsigned i = 0; probe->config != NULL && live_bend_name(i) != NULL && !failed; i++)
        failed = plan(probe, live_bend_name(i), PROBE_LIVE, i, 0);
    return failed;
}

static void
shuffle(struct probe_try *tries, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = probe_draw((uint32_t)i);
        struct probe_try kept = tries[i - 1];
        tries[i - 1] = tries[other];
        tries[other] = kept;
    }
}

int
probe_plan(struct probe *probe)
{
    int failed = 0;

    if (probe->is_client) {
        for (unsigned i = 0; i < ANSWERS && !failed; i++)
            failed = plan(probe, answers[i].name, PROBE_ANSWER, i, 0);
        probe->live_first = probe->try_count;
    } else {
        failed = plan_openings(probe) || plan_flights(probe) || plan_lives(probe);
    }
    if (failed)
        return log_error(EXIT_LIMIT, "no memory, or no first flight could be made");
    shuffle(probe->tries, probe->live_first);
    shuffle(probe->tries + probe->live_first, probe->try_count - probe->live_first);
    return EXIT_DONE;
}

/* ---- The bytes ---- */

static uint8_t *
make_noise(size_t size)
{
    uint8_t *bytes = malloc(size + 1); /* none is memory too */

    if (bytes != NULL && size > 0 && duet__os_random(bytes, size) != 0) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static uint8_t *
make_known(const struct opening *opening, struct probe_try *try)
{
    try->length = opening->size + opening->padding;
    uint8_t *bytes = make_noise(try->length);
    if (bytes != NULL)
        memcpy(bytes, opening->bytes, opening->size);
    return bytes;
}

/** A first flight: the recorded one, one that the key makes, or random bytes that look like one. */
static uint8_t *
make_flight(const struct probe *probe, int recorded, size_t *size)
{
    if (probe->flight != NULL && (recorded || probe->config == NULL)) {
        *size = probe->flight_size;
        uint8_t *bytes = make_noise(*size + TAIL_MOST);
        if (bytes != NULL)
            memcpy(bytes, probe->flight, *size);
        return bytes;
    }
    if (probe->config != NULL)
        return live_flight(probe->config, size);
    *size = LOOKS_LEAST + probe_draw(LOOKS_MOST - LOOKS_LEAST);
    return make_noise(*size);
}

static uint8_t *
make_from_flight(const struct probe *probe, const struct probe_kind *kind, struct probe_try *try)
{
    int recorded = kind->group == PROBE_REPLAYED || kind->argument == 1;
    size_t size = 0;
    uint8_t *bytes = make_flight(probe, recorded, &size);

    if (bytes == NULL || size < 2)
        return bytes;
    if (kind->group == PROBE_CUT) {
        uint32_t cut = try->length > 0 ? try->length : 1 + probe_draw((uint32_t)size - 1);
        try->length = cut < size ? cut : (uint32_t)size - 1;
        return bytes;
    }
    if (kind->group == PROBE_FLIPPED)
        bytes[probe_draw((uint32_t)size)] ^= (uint8_t)(1u << probe_draw(8));
    if (kind->group == PROBE_REPLAYED && kind->argument == 1)
        size += 1 + probe_draw(TAIL_MOST);
    try->length = (uint32_t)size;
    return bytes;
}

uint8_t *
probe_opening(struct probe *probe, struct probe_try *try)
{
    const struct probe_kind *kind = &probe->kinds[try->kind];

    switch (kind->group) {
    case PROBE_NOTHING:
    case PROBE_LIVE: /* its bytes are made after the handshake */
        return make_noise(0);
    case PROBE_NOISE:
        try->length = kind->argument > 0 ? kind->argument : 1 + probe_draw(2000);
        return make_noise(try->length);
    case PROBE_PROTOCOL:
        return make_known(&protocols[kind->argument], try);
    case PROBE_ANSWER:
        return make_known(&answers[kind->argument], try);
    default:
        return make_from_flight(probe, kind, try);
    }
}
