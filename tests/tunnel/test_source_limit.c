/*
 * Connections by source: the limit of each, networks of IPv6, and many that come and go.
 */
#include "source_limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 20000 };

static struct sockaddr_storage
v4(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)address)};
    struct sockaddr_storage out = {0};

    in.sin_addr.s_addr = htonl(address);
    memcpy(&out, &in, sizeof in);
    return out;
}

static struct sockaddr_storage
v6(const char *text)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6};
    struct sockaddr_storage out = {0};

    assert_int_equal(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
    memcpy(&out, &in, sizeof in);
    return out;
}

static int
take(struct source_limit *sources, struct sockaddr_storage from, unsigned most)
{
    return source_limit_take(sources, (const struct sockaddr *)&from, most);
}

static void
give(struct source_limit *sources, struct sockaddr_storage from)
{
    source_limit_give(sources, (const struct sockaddr *)&from);
}

static void
test_each_has_its_limit(void **state)
{
    struct source_limit sources = {0};

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(take(&sources, v4(1), 3), 0);
    assert_int_equal(take(&sources, v4(1), 3), -1);
    assert_int_equal(take(&sources, v4(2), 3), 0);
    give(&sources, v4(1));
    assert_int_equal(take(&sources, v4(1), 3), 0);
    assert_int_equal(take(&sources, v4(1), 0), 0); /* no limit */
    source_limit_free(&sources);
}

static void
test_networks_of_ipv6_are_one(void **state)
{
    struct source_limit sources = {0};

    (void)state;
    assert_int_equal(take(&sources, v6("2001:db8::1"), 1), 0);
    assert_int_equal(take(&sources, v6("2001:db8::ffff:1:2:3"), 1), -1);
    assert_int_equal(take(&sources, v6("2001:db8:0:1::1"), 1), 0);
    assert_int_equal(take(&sources, v6("::ffff:0.0.0.9"), 1), 0); /* IPv4, however it comes */
    assert_int_equal(take(&sources, v4(9), 1), -1);
    assert_int_equal(take(&sources, v4(10), 1), 0);
    source_limit_free(&sources);
}

static void
test_unix_peers_are_not_counted(void **state)
{
    struct source_limit sources = {0};
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(take(&sources, peer, 1), 0);
    give(&sources, peer);
    source_limit_free(&sources);
}

/** After any order of coming and going, who is left is found again, and nothing else is. */
static void
test_many_come_and_go(void **state)
{
    struct source_limit sources = {0};

    (void)state;
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(take(&sources, v4(i), 1), 0);
    for (uint32_t i = 0; i < MANY; i++)
        if (i % 7 != 0)
            give(&sources, v4((i * 7919) % MANY));
    for (uint32_t i = 0; i < MANY; i++) {
        int there = i % 7 == 0;
        assert_int_equal(take(&sources, v4((i * 7919) % MANY), 1), there ? -1 : 0);
        if (!there)
            give(&sources, v4((i * 7919) % MANY));
    }
    give(&sources, v4(MANY + 1)); /* who never came */
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(take(&sources, v4((i * 7919) % MANY), 1), i % 7 == 0 ? -1 : 0);
    for (uint32_t i = 0; i < MANY; i++)
        give(&sources, v4(i));
    for (uint32_t i = 0; i < MANY; i++)
        assert_int_equal(take(&sources, v4(i), 1), 0);
    source_limit_free(&sources);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_has_its_limit), cmocka_unit_test(test_networks_of_ipv6_are_one),
        cmocka_unit_test(test_unix_peers_are_not_counted), cmocka_unit_test(test_many_come_and_go)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
