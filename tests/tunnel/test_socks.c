/*
 * Targets that are asked for: rules of allow-target, addresses that are global, the opening of
 * SOCKS5 cut at every byte, and the message between the ends.
 */
#include "settings.h"
#include "socks_request.h"
#include "target_rule.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- Rules ---- */

static void
test_rules_that_are_none(void **state)
{
    static const char *const bad[] = {
        "",        ":80",      "a:",           "a:0",         "a:65536",    "a:9-8",  "a:8-",
        "a:-8",    "a:8-9-10", "a:x",          "*a.b",        "a.*.b",      "*.",     "**",
        "a b",     "a/8",      "10.0.0",       "10.0.0.0/33", "1.2.3.4/x",  "[::1",   "[a]:80",
        "[::1]80", "[]:80",    "a..b",         ".a",          "-a:b:c",     "::/129", "[::/0]:",
        "a\tb",    "a:80:90",  "10.0.0.0/8/8", "[1.2.3.4:80", "*.10.0.0.1", "a.b.1"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (target_rule_fault(bad[i]) == NULL)
            fail_msg("'%s' is taken for a rule", bad[i]);
}

static int
names(const char *text, const char *name, unsigned port)
{
    struct target_rule rule;

    assert_int_equal(target_rule_parse(&rule, text), 0);
    return target_rule_names(&rule, name, port);
}

static void
test_rules_of_names(void **state)
{
    (void)state;
    assert_true(names("www.example.org", "www.example.org", 1));
    assert_true(names("www.example.org", "WWW.Example.ORG.", 65535));
    assert_true(names("www.example.org.", "www.example.org", 80));
    assert_false(names("www.example.org", "example.org", 80));
    assert_false(names("www.example.org", "a.www.example.org", 80));
    assert_true(names("*.example.org:443", "a.b.example.org", 443));
    assert_false(names("*.example.org:443", "a.example.org", 80));
    assert_false(names("*.example.org", "example.org", 80));
    assert_false(names("*.example.org", ".example.org", 80));
    assert_false(names("*.example.org", "badexample.org", 80));
    assert_false(names("*.example.org", "example.org.evil.net", 80));
    assert_true(names("*:22-25", "any-thing_1.else", 22));
    assert_true(names("*:22-25", "a", 25));
    assert_false(names("*:22-25", "a", 26));
    assert_false(names("*:22-25", "a", 21));
    assert_false(names("10.0.0.0/8", "10.0.0.1", 21));
}

static int
holds(const char *text, const char *address, unsigned port)
{
    struct target_rule rule;
    struct network network;

    assert_int_equal(target_rule_parse(&rule, text), 0);
    assert_int_equal(network_parse(&network, address), 0);
    return target_rule_holds(&rule, network.at, port);
}

static void
test_rules_of_networks(void **state)
{
    (void)state;
    assert_true(holds("10.0.0.0/8", "10.255.0.1", 9));
    assert_true(holds("10.0.0.0/8", "::ffff:10.255.0.1", 9));
    assert_false(holds("10.0.0.0/8", "11.0.0.1", 9));
    assert_true(holds("127.0.0.1:80-81", "127.0.0.1", 81));
    assert_false(holds("127.0.0.1:80-81", "127.0.0.1", 82));
    assert_false(holds("127.0.0.1", "127.0.0.2", 80));
    assert_true(holds("2001:db8::/32", "2001:db8:1::1", 80));
    assert_true(holds("[2001:db8::/32]:80", "2001:db8:1::1", 80));
    assert_false(holds("[2001:db8::/32]:80", "2001:db8:1::1", 81));
    assert_false(holds("[::1]:80", "127.0.0.1", 80));
    assert_false(holds("*", "127.0.0.1", 80));
}

static void
test_global_addresses(void **state)
{
    static const char *const global[] = {"8.8.8.8",         "192.88.98.1",  "172.15.0.1",
                                         "223.255.255.255", "2606:4700::1", "2a00::1",
                                         "::ffff:8.8.8.8"};
    static const char *const special[] = {
        "0.0.0.0",          "10.1.2.3",        "100.64.0.1",      "127.0.0.1",   "127.255.0.1",
        "169.254.169.254",  "172.16.0.1",      "172.31.255.255",  "192.168.1.1", "198.19.0.1",
        "224.0.0.1",        "240.0.0.1",       "255.255.255.255", "::",          "::1",
        "::ffff:127.0.0.1", "::127.0.0.1",     "fe80::1",         "fc00::1",     "fd12::1",
        "ff02::1",          "64:ff9b::7f00:1", "2002:7f00:1::",   "2001::1",     "2001:db8::1"};
    struct network network;

    (void)state;
    for (size_t i = 0; i < sizeof global / sizeof *global; i++) {
        assert_int_equal(network_parse(&network, global[i]), 0);
        if (!network_is_global(network.at))
            fail_msg("%s is not global", global[i]);
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        assert_int_equal(network_parse(&network, special[i]), 0);
        if (network_is_global(network.at))
            fail_msg("%s is global", special[i]);
    }
}

/* ---- What is allowed ---- */

/** Read a request for a host from its message. */
static void
ask(struct socks_request *r, const char *host, unsigned port)
{
    uint8_t message[SOCKS_MESSAGE_MOST] = {1, 1, (uint8_t)(port >> 8), (uint8_t)port, 3};
    size_t size = strnlen(host, SOCKS_NAME_MOST);

    memset(r, 0, sizeof *r);
    memcpy(message + 5, host, size);
    assert_int_equal(socks_message_read(r, message, 5 + size), 0);
}

static int
allowed(const struct tunnel_settings *t, const char *host, unsigned port, const char *address)
{
    struct socks_request r;
    struct network network;

    ask(&r, host, port);
    assert_int_equal(network_parse(&network, address), 0);
    int result = socks_is_allowed(t, &r) && socks_address_allowed(t, &r, network.at);
    strlist_free(&r.target);
    return result;
}

static void
test_what_is_allowed(void **state)
{
    struct tunnel_settings t;

    (void)state;
    memset(&t, 0, sizeof t);
    assert_false(allowed(&t, "www.example.org", 80, "8.8.8.8"));
    assert_false(allowed(&t, "8.8.8.8", 80, "8.8.8.8"));
    strlist_add(&t.allow_targets, "*.example.org:443");
    assert_true(allowed(&t, "www.example.org", 443, "8.8.8.8"));
    assert_false(allowed(&t, "www.example.org", 80, "8.8.8.8"));
    assert_false(allowed(&t, "www.example.net", 443, "8.8.8.8"));
    /* a name that leads to this machine or a private network */
    assert_false(allowed(&t, "www.example.org", 443, "127.0.0.1"));
    assert_false(allowed(&t, "www.example.org", 443, "::ffff:127.0.0.1"));
    assert_false(allowed(&t, "www.example.org", 443, "169.254.169.254"));
    assert_false(allowed(&t, "www.example.org", 443, "10.0.0.1"));
    /* an address is not allowed by a rule of names, whatever its form */
    assert_false(allowed(&t, "8.8.8.8", 443, "8.8.8.8"));
    strlist_add(&t.allow_targets, "*");
    assert_true(allowed(&t, "www.example.net", 80, "8.8.8.8"));
    assert_false(allowed(&t, "8.8.8.8", 80, "8.8.8.8"));
    assert_false(allowed(&t, "127.0.0.1", 80, "127.0.0.1"));
    strlist_add(&t.allow_targets, "10.0.0.0/8:80");
    assert_true(allowed(&t, "www.example.org", 80, "10.0.0.1"));
    assert_false(allowed(&t, "www.example.org", 443, "10.0.0.1"));
    assert_true(allowed(&t, "10.0.0.1", 80, "10.0.0.1"));
    assert_false(allowed(&t, "10.0.0.1", 81, "10.0.0.1"));
    strlist_free(&t.allow_targets);
    /* by its network alone: only addresses in there */
    strlist_add(&t.allow_targets, "10.0.0.0/8:80");
    assert_true(allowed(&t, "any.example.net", 80, "10.0.0.1"));
    assert_false(allowed(&t, "any.example.net", 80, "8.8.8.8"));
    assert_false(allowed(&t, "any.example.net", 81, "10.0.0.1"));
    strlist_free(&t.allow_targets);
}

/* ---- The message ---- */

static void
test_messages(void **state)
{
    static const uint8_t good[][8] = {{1, 1, 0, 80, 3, 'a', '.', 'b'}};
    uint8_t long_name[SOCKS_MESSAGE_MOST + 1] = {1, 1, 0, 80, 3}, out[SOCKS_MESSAGE_MOST];
    struct socks_request r;

    (void)state;
    ask(&r, "a.b", 80);
    assert_true(r.is_name);
    assert_string_equal(r.target.at[0], "a.b:80");
    assert_int_equal(socks_message_write(out, &r), sizeof good[0]);
    assert_memory_equal(out, good[0], sizeof good[0]);
    strlist_free(&r.target);
    ask(&r, "::1", 443); /* an address in the form of a name is an address */
    assert_false(r.is_name);
    assert_string_equal(r.target.at[0], "[::1]:443");
    assert_int_equal(socks_message_write(out, &r), 21);
    assert_int_equal(out[4], 4);
    strlist_free(&r.target);
    ask(&r, "::ffff:127.0.0.1", 443); /* and one of IPv4 is that */
    assert_string_equal(r.target.at[0], "127.0.0.1:443");
    assert_int_equal(socks_message_write(out, &r), 9);
    strlist_free(&r.target);

    for (size_t size = 0; size < 5; size++)
        assert_int_equal(socks_message_read(&(struct socks_request){0}, good[0], size), -1);
    memset(long_name + 5, 'n', sizeof long_name - 5);
    assert_int_equal(socks_message_read(&r, long_name, sizeof long_name - 1), 0);
    strlist_free(&r.target);
    assert_int_equal(socks_message_read(&r, long_name, sizeof long_name), -1);
    static const struct {
        uint8_t bytes[24];
        size_t size;
        unsigned reply;
    } bad[] = {{{2, 1, 0, 80, 3, 'a'}, 6, SOCKS_NO_COMMAND},
               {{1, 2, 0, 80, 3, 'a'}, 6, SOCKS_NO_COMMAND},
               {{1, 1, 0, 0, 3, 'a'}, 6, SOCKS_FAILED},
               {{1, 1, 0, 80, 2, 'a'}, 6, SOCKS_NO_ADDRESS_TYPE},
               {{1, 1, 0, 80, 3}, 5, SOCKS_FAILED},
               {{1, 1, 0, 80, 3, 'a', 0}, 7, SOCKS_FAILED},
               {{1, 1, 0, 80, 3, 'a', '\n'}, 7, SOCKS_FAILED},
               {{1, 1, 0, 80, 3, '1', '2', '7', '.', '1'}, 10, SOCKS_FAILED},
               {{1, 1, 0, 80, 3, '0', 'x', '7', 'f'}, 9, SOCKS_DONE}, /* a name to be looked up */
               {{1, 1, 0, 80, 1, 127, 0, 0}, 8, SOCKS_FAILED},
               {{1, 1, 0, 80, 1, 127, 0, 0, 1, 1}, 10, SOCKS_FAILED},
               {{1, 1, 0, 80, 4, 127, 0, 0, 1}, 9, SOCKS_FAILED}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memset(&r, 0, sizeof r);
        int result = socks_message_read(&r, bad[i].bytes, bad[i].size);
        assert_int_equal(result, bad[i].reply == SOCKS_DONE ? 0 : -1);
        if (result != 0)
            assert_int_equal(r.reply, bad[i].reply);
        strlist_free(&r.target);
    }
}

/* ---- The opening ---- */

static int ends[2]; /* a program's socket, and the one that is read */

static void
open_pair(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void
close_pair(void)
{
    close(ends[0]);
    close(ends[1]);
}

static void
put(const void *bytes, size_t size)
{
    assert_int_equal(send(ends[0], bytes, size, 0), size);
}

/** What the program has been answered is this. */
static void
got(const void *bytes, size_t size)
{
    uint8_t answer[64];

    assert_int_equal(recv(ends[0], answer, sizeof answer, MSG_DONTWAIT), size);
    assert_memory_equal(answer, bytes, size);
}

static enum socks_result
take(struct socks_request *r)
{
    const char *why = "";
    enum socks_result result = socks_opening_read(r, ends[1], &why);

    if (result == SOCKS_BAD)
        assert_true(why[0] != 0);
    return result;
}

static const uint8_t methods[] = {5, 2, 2, 0}, chosen[] = {5, 0};
static const uint8_t name_request[] = {5, 1, 0, 3, 3, 'a', '.', 'b', 1, 187};
static const uint8_t v4_request[] = {5, 1, 0, 1, 127, 0, 0, 1, 0, 80};
static const uint8_t v6_request[] = {5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0,
                                     0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80};

/** A request that comes byte by byte, with bytes of the stream behind it that stay where they are.
 */
static void
whole_opening(const uint8_t *request, size_t size, const char *host, unsigned port)
{
    struct socks_request *r = socks_request_new();
    char rest[8];

    open_pair();
    for (size_t i = 0; i < sizeof methods; i++) {
        assert_int_equal(take(r), SOCKS_AGAIN);
        put(methods + i, 1);
    }
    assert_int_equal(take(r), SOCKS_AGAIN);
    got(chosen, sizeof chosen);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(take(r), SOCKS_AGAIN);
        put(request + i, 1);
    }
    put("stream", 6);
    assert_int_equal(take(r), SOCKS_WHOLE);
    assert_string_equal(r->host, host);
    assert_int_equal(r->port, port);
    assert_int_equal(recv(ends[1], rest, sizeof rest, MSG_DONTWAIT), 6);
    assert_int_equal(socks_opening_answer(r, ends[1], SOCKS_DONE), 0);
    got("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10);
    socks_request_free(r);
    close_pair();
}

static void
test_openings(void **state)
{
    (void)state;
    whole_opening(name_request, sizeof name_request, "a.b", 443);
    whole_opening(v4_request, sizeof v4_request, "127.0.0.1", 80);
    whole_opening(v6_request, sizeof v6_request, "::1", 80);
}

/** A program that closes after so many bytes. */
static void
test_openings_cut(void **state)
{
    uint8_t all[sizeof methods + sizeof name_request];

    (void)state;
    memcpy(all, methods, sizeof methods);
    memcpy(all + sizeof methods, name_request, sizeof name_request);
    for (size_t size = 0; size < sizeof all; size++) {
        struct socks_request *r = socks_request_new();
        open_pair();
        put(all, size);
        shutdown(ends[0], SHUT_WR);
        assert_int_equal(take(r), size == 0 ? SOCKS_GONE : SOCKS_BAD);
        socks_request_free(r);
        close_pair();
    }
}

/** A program that sends this after `first`, and is answered so. */
static void
refused(const uint8_t *request, size_t size, unsigned reply)
{
    struct socks_request *r = socks_request_new();
    const uint8_t answer[10] = {5, (uint8_t)reply, 0, 1};

    open_pair();
    put(methods, sizeof methods);
    assert_int_equal(take(r), SOCKS_AGAIN);
    got(chosen, sizeof chosen);
    put(request, size);
    assert_int_equal(take(r), SOCKS_BAD);
    assert_int_equal(r->reply, reply);
    assert_int_equal(socks_opening_answer(r, ends[1], (enum socks_reply)r->reply), 0);
    got(answer, sizeof answer);
    socks_request_free(r);
    close_pair();
}

static void
test_requests_that_are_refused(void **state)
{
    static const uint8_t first[] = {4, 5, 0x16, 'G', 0};
    static const char *const reasons[] = {"SOCKS4", "login", "TLS", "HTTP", "does not speak"};

    (void)state;
    refused((const uint8_t *)"\x05\x02\x00\x01\x7f", 5, SOCKS_NO_COMMAND);
    refused((const uint8_t *)"\x05\x03\x00\x01\x7f", 5, SOCKS_NO_COMMAND);
    refused((const uint8_t *)"\x05\x01\x00\x02\x7f", 5, SOCKS_NO_ADDRESS_TYPE);
    refused((const uint8_t *)"\x05\x01\x00\x03\x00", 5, SOCKS_FAILED);
    refused((const uint8_t *)"\x04\x01\x00\x01\x00", 5, SOCKS_FAILED);
    refused((const uint8_t *)"\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x00", 10, SOCKS_FAILED);
    refused((const uint8_t *)"\x05\x01\x00\x03\x02\x1b[\x00\x50", 9, SOCKS_FAILED);
    for (size_t i = 0; i < sizeof first; i++) {
        struct socks_request *r = socks_request_new();
        const char *why = "";
        open_pair();
        put(first + i, 1);
        put("\x01\x02", 2);
        assert_int_equal(socks_opening_read(r, ends[1], &why), SOCKS_BAD);
        assert_non_null(strstr(why, reasons[i]));
        if (first[i] == 5)
            got("\x05\xff", 2);
        assert_int_equal(socks_opening_answer(r, ends[1], SOCKS_FAILED), 0);
        assert_int_equal(recv(ends[0], &(char){0}, 1, MSG_DONTWAIT), -1); /* nothing */
        socks_request_free(r);
        close_pair();
    }
}

static void
test_replies(void **state)
{
    (void)state;
    assert_int_equal(socks_reply_of(ECONNREFUSED), SOCKS_NO_SERVICE);
    assert_int_equal(socks_reply_of(EHOSTUNREACH), SOCKS_NO_HOST);
    assert_int_equal(socks_reply_of(ETIMEDOUT), SOCKS_NO_HOST);
    assert_int_equal(socks_reply_of(ENETUNREACH), SOCKS_NO_NETWORK);
    assert_int_equal(socks_reply_of(EACCES), SOCKS_NOT_ALLOWED);
    assert_int_equal(socks_reply_of(EMFILE), SOCKS_FAILED);
    for (unsigned i = 0; i < SOCKS_REPLIES; i++)
        assert_true(socks_reply_text(i)[0] != 0);
    assert_non_null(strstr(socks_reply_text(SOCKS_REPLIES), "malformed"));
    assert_non_null(strstr(socks_reply_text(255), "malformed"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules_that_are_none),
                                       cmocka_unit_test(test_rules_of_names),
                                       cmocka_unit_test(test_rules_of_networks),
                                       cmocka_unit_test(test_global_addresses),
                                       cmocka_unit_test(test_what_is_allowed),
                                       cmocka_unit_test(test_messages),
                                       cmocka_unit_test(test_openings),
                                       cmocka_unit_test(test_openings_cut),
                                       cmocka_unit_test(test_requests_that_are_refused),
                                       cmocka_unit_test(test_replies)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
