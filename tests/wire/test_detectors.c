/*
 * What today's detectors make of the first flights: the published rule against fully encrypted
 * traffic (Wu and others, "How the Great Firewall of China Detects and Blocks Fully Encrypted
 * Traffic", USENIX Security 2023), and constants of a pair of peers or of all pairs
 * (docs/protocol.md §6, docs/security.md "What a detector sees").
 */
#include "wire/flights.h"

#include "os/os.h"
#include "session/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECRETS = 100, CONNECTIONS = 20, SEGMENT = 1448 };

/* ---- The rule ---- */

static int
is_printable(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e;
}

static int
begins_like_a_known_protocol(const uint8_t *packet, size_t size)
{
    static const char *const words[] = {"GET ", "PUT ", "POST ", "HEAD ", "SSH-", "CONNECT "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (size > strlen(words[i]) && memcmp(packet, words[i], strlen(words[i])) == 0)
            return 1;
    return size > 2 && (packet[0] == 0x16 || packet[0] == 0x17) && packet[1] == 3 && packet[2] < 10;
}

/** 1 when the rule lets a connection through whose first packet this is. */
static int
is_exempt(const uint8_t *packet, size_t size)
{
    size_t bits = 0, printable = 0, run = 0, longest = 0, first = 0;

    for (size_t i = 0; i < size; i++) {
        bits += (size_t)__builtin_popcount(packet[i]);
        run = is_printable(packet[i]) ? run + 1 : 0;
        printable += run > 0;
        first += run == i + 1;
        longest = run > longest ? run : longest;
    }
    double share = (double)bits / (double)size;
    return share <= 3.4 || share >= 4.6 || first >= 6 || 2 * printable > size || longest > 20 ||
           begins_like_a_known_protocol(packet, size);
}

/* ---- First flights ---- */

struct flight {
    uint16_t secret, connection;
    size_t size; /* of all of it */
    uint8_t packet[SEGMENT];
};

static struct flight flights[2][SECRETS][CONNECTIONS];
static struct duet__range ranges[2][SECRETS]; /* of their sizes, but for a READY */

static void
draw(void *memory, size_t size)
{
    assert_int_equal(duet__os_random(memory, size), 0);
}

static size_t
keep(struct flight *flight, const uint8_t *bytes, size_t size)
{
    flight->size = size;
    size_t n = size < SEGMENT ? size : SEGMENT;
    memcpy(flight->packet, bytes, n);
    return n;
}

/** Make one connection of a secret; how many first packets the rule blocks. */
static unsigned
make_connection(struct pair *pair, size_t secret, size_t connection)
{
    unsigned blocked = 0;

    assert_int_equal(pair_sessions(pair), DUET_OK);
    for (int role = 0; role < 2; role++) {
        struct pair_end *from = &pair->end[role];
        struct flight *flight = &flights[role][secret][connection];
        assert_int_equal(pair_flush(from), DUET_OK);
        size_t n = keep(flight, from->wire, from->wire_size);
        blocked += !is_exempt(flight->packet, n);
        flight->secret = (uint16_t)secret;
        flight->connection = (uint16_t)connection;
        assert_int_equal(pair_carry(from, &pair->end[1 - role]), DUET_OK);
    }
    return blocked;
}

/** Draw secrets and their connections; how many first packets of either end the rule blocks. */
static unsigned
make_flights(int dialect, size_t secrets)
{
    static struct pair pair;
    unsigned blocked = 0;

    pair_draw = draw;
    for (size_t i = 0; i < secrets; i++) {
        uint8_t secret[64];
        draw(secret, sizeof secret);
        pair_open(&pair, &(struct pair_options){.pattern = (enum duet_pattern)(i % 3),
                                                .dialect = dialect,
                                                .secret = secret,
                                                .hello_size = dialect ? 0 : 1600});
        const struct duet__dialect *drawn = &pair.end[0].config->psks[0].dialect;
        for (int role = 0; role < 2; role++)
            ranges[role][i] = (struct duet__range){drawn->hello_size.least + drawn->size[role],
                                                   drawn->hello_size.most + drawn->size[role]};
        for (size_t k = 0; k < CONNECTIONS; k++)
            blocked += make_connection(&pair, i, k);
        pair_close(&pair);
    }
    return blocked;
}

/* Without a dialect the rule blocks what does not begin with six printable bytes by chance, which
 * 3 in 1,000 do. */
static void
plain(void **state)
{
    const unsigned whole = 30 * CONNECTIONS * 2;

    (void)state;
    unsigned blocked = make_flights(0, 30);
    printf("without a dialect: %u of %u first packets are blocked\n", blocked, whole);
    assert_true(blocked > whole * 9 / 10);
}

static void
with_dialect(void **state)
{
    (void)state;
    assert_int_equal(make_flights(1, SECRETS), 0);
}

/** The rule itself. */
static void
rule(void **state)
{
    uint8_t packet[SEGMENT];

    (void)state;
    for (size_t i = 0; i < sizeof packet; i++)
        packet[i] = (uint8_t)(0x87 + 8 * (i % 2)); /* 4 or 5 bits set, none printable */
    assert_false(is_exempt(packet, sizeof packet));
    memset(packet, 's', 6);
    assert_true(is_exempt(packet, sizeof packet));
    packet[5] = 0x87;
    assert_false(is_exempt(packet, sizeof packet));
    memset(packet + 700, 'q', 20);
    assert_false(is_exempt(packet, sizeof packet));
    memset(packet + 700, 'q', 21);
    assert_true(is_exempt(packet, sizeof packet));
    memset(packet, 0x80, sizeof packet); /* few bits */
    assert_true(is_exempt(packet, sizeof packet));
}

/* ---- Constants ---- */

enum { LOOKED = 160, GRAM = 4, GRAMS = LOOKED - GRAM + 1 };

struct gram {
    uint32_t bytes;
    uint16_t secret, connection;
};

static struct gram grams[SECRETS * CONNECTIONS * GRAMS];

static int
compare_grams(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct gram));
}

struct common {
    unsigned of_a_pair, of_pairs; /* connections, and pairs, that have one run in common, at most */
};

/** The run of four bytes that most connections of a pair, and most pairs, have anywhere in the
 * beginning of a role's flights. Numbers in memory order: equal ones lie together. */
static struct common
most_common(enum duet_role role)
{
    struct common most = {0, 0};
    size_t count = 0;
    unsigned pair = 0, pairs = 0;

    memset(grams, 0, sizeof grams);
    for (size_t i = 0; i < SECRETS; i++)
        for (size_t k = 0; k < CONNECTIONS; k++)
            for (size_t at = 0; at < GRAMS; at++) {
                struct gram *gram = &grams[count++];
                memcpy(&gram->bytes, flights[role][i][k].packet + at, GRAM);
                gram->secret = (uint16_t)i;
                gram->connection = (uint16_t)k;
            }
    qsort(grams, count, sizeof *grams, compare_grams);
    for (size_t i = 0; i < count; i++) {
        const struct gram *gram = &grams[i], *before = &grams[i > 0 ? i - 1 : 0];
        int same_run = i > 0 && gram->bytes == before->bytes;
        int same_pair = same_run && gram->secret == before->secret;
        pair = !same_pair ? 1 : pair + (gram->connection != before->connection);
        pairs = !same_run ? 1 : pairs + !same_pair;
        most.of_a_pair = pair > most.of_a_pair ? pair : most.of_a_pair;
        most.of_pairs = pairs > most.of_pairs ? pairs : most.of_pairs;
    }
    return most;
}

/* By chance: the smallest alphabet has 16 characters, so that a run of four has 65,536 forms. Of a
 * pair's 20 connections with 16 places each some five have one run in common once in 10^7 pairs;
 * over all pairs some 12,000 such runs lie in 65,536 places, and ten in one place are as rare. */
enum { PAIR_MOST = 5, PAIRS_MOST = 11 };

static void
constants(void **state)
{
    (void)state;
    make_flights(1, SECRETS);
    for (int role = 0; role < 2; role++) {
        struct common most = most_common((enum duet_role)role);
        printf("%s: a run of 4 bytes in %u of a pair's 20 connections at most, and in %u of 100 "
               "pairs\n",
               role == DUET_TOP ? "TOP" : "BOTTOM", most.of_a_pair, most.of_pairs);
        assert_true(most.of_a_pair <= PAIR_MOST);
        assert_true(most.of_pairs <= PAIRS_MOST);
    }
    for (size_t k = 0; k < CONNECTIONS; k++) /* the control: four bytes of one pair */
        memcpy(flights[DUET_TOP][7][k].packet + 3 * k, "Pair", GRAM);
    assert_true(most_common(DUET_TOP).of_a_pair == CONNECTIONS);
    for (size_t i = 0; i < SECRETS; i += 5) /* and of a fifth of all pairs */
        memcpy(flights[DUET_TOP][i][0].packet + i, "Each", GRAM);
    assert_true(most_common(DUET_TOP).of_pairs >= SECRETS / 5);
}

/* ---- Sizes ---- */

/** The sizes that were seen of a secret's flights. */
static struct duet__range
seen_sizes(const struct flight of[CONNECTIONS])
{
    struct duet__range seen = {UINT32_MAX, 0};

    for (size_t k = 0; k < CONNECTIONS; k++) {
        uint32_t size = (uint32_t)of[k].size;
        seen.least = size < seen.least ? size : seen.least;
        seen.most = size > seen.most ? size : seen.most;
    }
    return seen;
}

/** Check that a role's sizes vary within each range, and that all ranges have some in common. */
static void
check_sizes(int role)
{
    size_t least = 0, most = SIZE_MAX; /* what all ranges have in common */

    for (size_t i = 0; i < SECRETS; i++) {
        size_t begin = ranges[role][i].least, end = ranges[role][i].most;
        struct duet__range seen = seen_sizes(flights[role][i]);
        assert_true(begin <= seen.least && seen.most <= end + DUET_FRAME_OVERHEAD);
        assert_true(seen.most - seen.least > 50);
        least = begin + DUET_FRAME_OVERHEAD > least ? begin + DUET_FRAME_OVERHEAD : least;
        most = end < most ? end : most;
    }
    printf("sizes of first flights: all pairs have %zu to %zu bytes in common\n", least, most);
    assert_true(least + 50 < most);
}

/** No number tells the sizes of two pairs' first flights apart: each pair's sizes vary within the
 * range of its dialect, and any two ranges have sizes in common. */
static void
sizes(void **state)
{
    (void)state;
    make_flights(1, SECRETS);
    for (int role = 0; role < 2; role++)
        check_sizes(role);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule),      cmocka_unit_test(plain), cmocka_unit_test(with_dialect),
        cmocka_unit_test(constants), cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
