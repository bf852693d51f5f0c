/*
 * PROXY headers: each family read and written, every truncation, every byte altered, and what is
 * none; and who is trusted to send one.
 */
#include "network.h"
#include "proxy.h"

#include <arpa/inet.h>
#include <duet/duet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

static const uint8_t tcp4[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55,
                               0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x13, 192,  0,
                               2,    1,    198,  51,   100,  2,    0x30, 0x39, 0x01,
                               0xbb, 0x04, 0x00, 0x04, 1,    2,    3,    4};

static struct sockaddr_storage
in4(const char *address, unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_storage out = {0};

    assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
    memcpy(&out, &in, sizeof in);
    return out;
}

static struct sockaddr_storage
in6(const char *address, unsigned port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_storage out = {0};

    assert_int_equal(inet_pton(AF_INET6, address, &in.sin6_addr), 1);
    memcpy(&out, &in, sizeof in);
    return out;
}

static struct sockaddr_storage
local(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_storage out = {0};

    strncpy(un.sun_path, path, sizeof un.sun_path - 1);
    memcpy(&out, &un, sizeof un);
    return out;
}

static void
same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    assert_memory_equal(a, b, sizeof(struct sockaddr_un));
}

static int
parse(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used)
{
    const char *why;
    int result = proxy_parse(proxy, bytes, size, used, &why);

    assert_int_equal(result == DUET_E_FORMAT, why[0] != 0);
    if (result != DUET_OK)
        assert_int_equal(*used, 0);
    return result;
}

static void
test_reads_what_others_wrote(void **state)
{
    struct sockaddr_storage source = in4("192.0.2.1", 12345), target = in4("198.51.100.2", 443);
    struct proxy proxy;
    size_t used;

    (void)state;
    assert_int_equal(parse(&proxy, tcp4, sizeof tcp4, &used), DUET_OK);
    assert_int_equal(used, sizeof tcp4);
    assert_int_equal(proxy.known, 1);
    same_address(&proxy.source, &source);
    same_address(&proxy.destination, &target);
}

static void
test_waits_at_every_byte(void **state)
{
    struct proxy proxy;
    size_t used;

    (void)state;
    for (size_t size = 0; size < sizeof tcp4; size++)
        assert_int_equal(parse(&proxy, tcp4, size, &used), DUET_AGAIN);
}

static void
test_writes_what_it_reads(void **state)
{
    struct proxy pairs[] = {
        {.known = 1, .source = in4("192.0.2.1", 1), .destination = in4("192.0.2.2", 65535)},
        {.known = 1, .source = in6("2001:db8::1", 2), .destination = in6("::1", 3)},
        {.known = 1, .source = local("/a"), .destination = local("/run/b")},
        {.known = 0}};
    uint8_t id[DUET_SECRET_ID_SIZE] = {1, 2, 3}, key[DUET_KEY_SIZE] = {4, 5, 6};
    uint8_t out[PROXY_MOST + 4];
    struct proxy back;
    size_t used;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof pairs / sizeof pairs[0]; i++) {
        struct proxy *from = &pairs[i / 2];
        from->secret_id = i % 2 == 0 ? NULL : id;
        from->peer_key = i % 2 == 0 ? NULL : key;
        from->peer_name = i % 2 == 0 ? NULL : "alice";
        size_t size = proxy_write(out, from);
        memset(out + size, 'm', 4);
        assert_int_equal(parse(&back, out, size + 4, &used), DUET_OK);
        assert_int_equal(used, size);
        assert_int_equal(back.known, from->known);
        same_address(&back.source, &from->source);
        same_address(&back.destination, &from->destination);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(parse(&back, out, cut, &used), DUET_AGAIN);
    }
}

static void
test_tells_the_peer_in_fields(void **state)
{
    static const uint8_t fields[] = "\xe0\x00\x10"
                                    "0102030000000000"
                                    "\xe1\x00\x2c"
                                    "BAUGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
                                    "\xe2\x00\x05"
                                    "alice";
    uint8_t id[DUET_SECRET_ID_SIZE] = {1, 2, 3}, key[DUET_KEY_SIZE] = {4, 5, 6};
    struct proxy proxy = {.known = 1,
                          .source = in4("192.0.2.1", 1),
                          .destination = in4("192.0.2.2", 2),
                          .secret_id = id,
                          .peer_key = key,
                          .peer_name = "alice"};
    uint8_t out[PROXY_MOST];

    (void)state;
    size_t size = proxy_write(out, &proxy);
    assert_int_equal(size, 28 + sizeof fields - 1);
    assert_memory_equal(out + 28, fields, sizeof fields - 1);
}

static void
test_local_tells_nothing(void **state)
{
    uint8_t bytes[sizeof tcp4];
    struct proxy proxy;
    size_t used;

    (void)state;
    memcpy(bytes, tcp4, sizeof tcp4);
    bytes[12] = 0x20; /* LOCAL */
    assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_OK);
    assert_int_equal(proxy.known, 0);
    assert_int_equal(used, sizeof bytes);
    bytes[12] = 0x21;
    bytes[13] = 0x00; /* UNSPEC */
    assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_OK);
    assert_int_equal(proxy.known, 0);
}

static void
test_refuses_each_altered_byte(void **state)
{
    uint8_t bytes[sizeof tcp4];
    struct proxy proxy;
    size_t used;

    (void)state;
    for (size_t i = 0; i < 12; i++) {
        memcpy(bytes, tcp4, sizeof tcp4);
        bytes[i] ^= 0x40;
        assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_E_FORMAT);
    }
    for (unsigned value = 0; value < 256; value++) {
        memcpy(bytes, tcp4, sizeof tcp4);
        bytes[12] = (uint8_t)value;
        int known = value == 0x20 || value == 0x21;
        assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used),
                         known ? DUET_OK : DUET_E_FORMAT);
        bytes[12] = 0x21;
        bytes[13] = (uint8_t)value;
        known = value == 0x00 || value == 0x11; /* the others need more bytes for addresses */
        assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used),
                         known ? DUET_OK : DUET_E_FORMAT);
    }
}

static void
test_bounds_the_length(void **state)
{
    uint8_t bytes[PROXY_MOST] = {0};
    struct proxy proxy;
    size_t used;

    (void)state;
    memcpy(bytes, tcp4, sizeof tcp4);
    for (unsigned length = 0; length < 12; length++) { /* shorter than the addresses */
        bytes[15] = (uint8_t)length;
        assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_E_FORMAT);
    }
    bytes[15] = 12; /* addresses alone */
    assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_OK);
    for (unsigned length = 13; length < 19; length++) { /* a field that is cut */
        bytes[15] = (uint8_t)length;
        assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_E_FORMAT);
        assert_int_equal(proxy.known, 0);
    }
    bytes[14] = (PROXY_MOST - PROXY_LEAST) >> 8;
    bytes[15] = (PROXY_MOST - PROXY_LEAST) & 0xff;
    bytes[30] = 0;
    bytes[29] = (PROXY_MOST - PROXY_LEAST - 12 - 3) >> 8;
    bytes[30] = (PROXY_MOST - PROXY_LEAST - 12 - 3) & 0xff;
    assert_int_equal(parse(&proxy, bytes, sizeof bytes, &used), DUET_OK);
    assert_int_equal(used, PROXY_MOST);
    bytes[15]++; /* one byte over the bound: refused at once, not waited for */
    assert_int_equal(parse(&proxy, bytes, PROXY_LEAST, &used), DUET_E_FORMAT);
}

/** Parse a line of version 1 with a byte after it. */
static int
parse_line(struct proxy *proxy, const char *line, size_t *used)
{
    char bytes[256];
    const char *why;

    int size = snprintf(bytes, sizeof bytes, "%sx", line);
    return proxy_parse(proxy, (const uint8_t *)bytes, (size_t)size, used, &why);
}

static void
test_version_1(void **state)
{
    static const char *const good[] = {"PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n",
                                       "PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "PROXY UNKNOWN\r\n"};
    static const char *const bad[] = {
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",   "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY TCP4 2001:db8::1 ::1 1 2\r\n",         "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",     "PROXY \r\n"};
    uint8_t out[PROXY_MOST];
    struct proxy proxy, again;
    const char *why;
    size_t used;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t size = strlen(good[i]);
        assert_int_equal(parse_line(&proxy, good[i], &used), DUET_OK);
        assert_int_equal(used, size); /* and not the byte after it */
        assert_int_equal(proxy.known, i < 2);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(proxy_parse(&again, (const uint8_t *)good[i], cut, &used, &why),
                             DUET_AGAIN);
        assert_int_equal(proxy_write_v1(out, &proxy), size);
        assert_memory_equal(out, good[i], size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse_line(&proxy, bad[i], &used), DUET_E_FORMAT);
    snprintf((char *)out, sizeof out, "PROXY UNKNOWN%*s", PROXY_V1_MOST, "");
    assert_int_equal(proxy_parse(&proxy, out, PROXY_V1_MOST - 1, &used, &why), DUET_AGAIN);
    assert_int_equal(proxy_parse(&proxy, out, PROXY_V1_MOST, &used, &why), DUET_E_FORMAT);
}

static void
test_says_what_else_it_is(void **state)
{
    struct proxy proxy;
    const char *why;
    size_t used;

    (void)state;
    assert_int_equal(proxy_parse(&proxy, (const uint8_t *)"GET /", 5, &used, &why), DUET_E_FORMAT);
    assert_non_null(strstr(why, "no PROXY header"));
    assert_int_equal(proxy_parse(&proxy, (const uint8_t *)"POST /", 6, &used, &why), DUET_E_FORMAT);
    assert_non_null(strstr(why, "no PROXY header"));
}

static int
trusts(const struct strlist *words, struct sockaddr_storage peer)
{
    return proxy_trusted(words, (const struct sockaddr *)&peer);
}

static void
test_trusts_loopback_or_the_list(void **state)
{
    struct strlist none = {0}, list = {0};

    (void)state;
    assert_int_equal(trusts(&none, in4("127.0.0.9", 1)), 1);
    assert_int_equal(trusts(&none, in6("::1", 1)), 1);
    assert_int_equal(trusts(&none, in6("::ffff:127.0.0.1", 1)), 1);
    assert_int_equal(trusts(&none, local("/x")), 1);
    assert_int_equal(trusts(&none, in4("128.0.0.1", 1)), 0);
    assert_int_equal(trusts(&none, in6("::2", 1)), 0);

    assert_int_equal(strlist_add(&list, "192.0.2.128/25"), 0);
    assert_int_equal(strlist_add(&list, "2001:db8::/33"), 0);
    assert_int_equal(trusts(&list, in4("192.0.2.128", 1)), 1);
    assert_int_equal(trusts(&list, in4("192.0.2.127", 1)), 0);
    assert_int_equal(trusts(&list, in6("2001:db8:7fff::9", 1)), 1);
    assert_int_equal(trusts(&list, in6("2001:db8:8000::9", 1)), 0);
    assert_int_equal(trusts(&list, in4("127.0.0.1", 1)), 0);
    strlist_free(&list);
}

static void
test_reads_networks(void **state)
{
    static const char *const good[] = {"192.0.2.1", "0.0.0.0/0", "::/0", "::1/128", "192.0.2.1/32"};
    static const char *const bad[] = {"",       "/8",          "192.0.2/24", "192.0.2.1/33",
                                      "::/129", "192.0.2.1/",  "host/8",     "192.0.2.1/-1",
                                      "::1/a",  "192.0.2.1/8x"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(network_parse(&(struct network){0}, good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(network_parse(&(struct network){0}, bad[i]), -1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads_what_others_wrote),
                                       cmocka_unit_test(test_waits_at_every_byte),
                                       cmocka_unit_test(test_writes_what_it_reads),
                                       cmocka_unit_test(test_tells_the_peer_in_fields),
                                       cmocka_unit_test(test_local_tells_nothing),
                                       cmocka_unit_test(test_refuses_each_altered_byte),
                                       cmocka_unit_test(test_bounds_the_length),
                                       cmocka_unit_test(test_version_1),
                                       cmocka_unit_test(test_says_what_else_it_is),
                                       cmocka_unit_test(test_trusts_loopback_or_the_list),
                                       cmocka_unit_test(test_reads_networks)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
