/*
 * The log's lines: each format whole, hostile names made harmless, and no line over its bound.
 */
#include "record.h"

#include <arpa/inet.h>
#include <duet/duet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage from;
static const uint8_t id[DUET_SECRET_ID_SIZE] = {0xab, 1}, key[DUET_KEY_SIZE] = {4, 5, 6};

static struct record
whole(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(99)};

    in.sin_addr.s_addr = htonl(0xc0000201);
    memcpy(&from, &in, sizeof in);
    return (struct record){.tunnel = "web",
                           .id = 7,
                           .from = (const struct sockaddr *)&from,
                           .target = "db:5432",
                           .secret_id = id,
                           .peer_key = key,
                           .peer_name = "alice",
                           .bytes_in = 10,
                           .bytes_out = 20,
                           .duration_ms = 61005,
                           .setup_ms = 3,
                           .outcome = END_CUT,
                           .reason = "the network went"};
}

static void
test_each_format(void **state)
{
    struct record record = whole();
    char out[RECORD_LINE];

    (void)state;
    size_t size = record_format(out, LOG_TEXT, 1764100000123, RECORD_WARNING, &record, NULL);
    assert_string_equal(
        out, "2025-11-25T19:46:40.123Z tunnel web, id 7, from 192.0.2.1:99, target db:5432, "
             "secret ab01000000000000, identity BAUGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, "
             "peer alice, bytes_in 10, bytes_out 20, seconds 61.005, setup 0.003, outcome cut: "
             "the network went");
    assert_int_equal(size, strlen(out));
    size = record_format(out, LOG_LOGFMT, 1764100000123, RECORD_WARNING, &record, NULL);
    assert_string_equal(
        out, "time=2025-11-25T19:46:40.123Z level=warning event=connection tunnel=web id=7 "
             "from=192.0.2.1:99 target=db:5432 secret=ab01000000000000 "
             "identity=\"BAUGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\" peer=alice bytes_in=10 "
             "bytes_out=20 octets_in=10 octets_out=20 seconds=61.005 setup=0.003 outcome=cut "
             "reason=\"the network went\"");
    assert_int_equal(size, strlen(out));
    size = record_format(out, LOG_JSON, 0, RECORD_WARNING, &record, NULL);
    assert_string_equal(
        out, "{\"level\":\"warning\",\"event\":\"connection\",\"tunnel\":\"web\",\"id\":7,"
             "\"from\":\"192.0.2.1:99\",\"target\":\"db:5432\",\"secret\":\"ab01000000000000\","
             "\"identity\":\"BAUGAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"peer\":\"alice\","
             "\"bytes_in\":10,\"bytes_out\":20,\"octets_in\":10,\"octets_out\":20,\"seconds\":61."
             "005,\"setup\":0.003,"
             "\"outcome\":\"cut\",\"reason\":\"the network went\"}");
    assert_int_equal(size, strlen(out));
}

static void
test_what_is_not_known_is_left_out(void **state)
{
    struct record record = {.tunnel = "web", .outcome = END_UNAUTHENTICATED, .reason = "silent"};
    char out[RECORD_LINE];

    (void)state;
    record_format(out, LOG_LOGFMT, 0, RECORD_WARNING, &record, NULL);
    assert_string_equal(
        out, "level=warning event=connection tunnel=web id=0 bytes_in=0 "
             "bytes_out=0 octets_in=0 octets_out=0 seconds=0.000 outcome=stranger reason=silent");
}

static void
test_notes(void **state)
{
    char out[RECORD_LINE];

    (void)state;
    record_format(out, LOG_TEXT, 0, RECORD_ERROR, NULL, "no more descriptors");
    assert_string_equal(out, "error: no more descriptors");
    record_format(out, LOG_LOGFMT, 0, RECORD_INFO, NULL, "a \"quoted\" \\ word");
    assert_string_equal(out, "level=info message=\"a \\\"quoted\\\" \\\\ word\"");
    record_format(out, LOG_JSON, 0, RECORD_INFO, NULL, "a \"quoted\" \\ word");
    assert_string_equal(out, "{\"level\":\"info\",\"message\":\"a \\\"quoted\\\" \\\\ word\"}");
    record_format(out, LOG_LOGFMT, 0, RECORD_INFO, NULL, "");
    assert_string_equal(out, "level=info message=\"\"");
}

/** Every byte in a name: the line stays one line of harmless UTF-8, in every format. */
static void
test_hostile_names(void **state)
{
    static const char *const worse[] = {
        "\xed\xa0\x80", "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
        "\xc2\x85",     "\xe2\x82", "\x1b[2J",      "a\nlevel=info",    "\xff\xfe"};
    struct record record = whole();
    char out[RECORD_LINE], name[3] = "?x";

    (void)state;
    for (unsigned i = 1; i < 256 + sizeof worse / sizeof worse[0]; i++) {
        name[0] = (char)i;
        record.peer_name = record.reason = i < 256 ? name : worse[i - 256];
        for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
            size_t size = record_format(out, format, 0, RECORD_INFO, &record, NULL);
            assert_int_equal(size, strlen(out));
            for (size_t n = 0; n < size; n++)
                assert_true((unsigned char)out[n] >= ' ' && out[n] != 0x7f);
        }
        assert_int_equal(out[0], '{'); /* not the way out when jansson will not have a text */
        json_t *back = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(back);
        assert_non_null(json_string_value(json_object_get(back, "reason")));
        json_decref(back);
    }
}

static void
test_bounds(void **state)
{
    static char endless[9000];
    struct record record = whole();
    char out[RECORD_LINE + 1];

    (void)state;
    for (unsigned fill = 0; fill < 3; fill++) {
        memset(endless, "a\"\n"[fill], sizeof endless - 1);
        record.peer_name = record.reason = record.target = endless;
        for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
            out[RECORD_LINE] = '#';
            size_t size = record_format(out, format, 0, RECORD_INFO, &record, NULL);
            assert_true(size > 1000 && size < RECORD_LINE);
            assert_int_equal(size, strlen(out));
            assert_int_equal(out[RECORD_LINE], '#');
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_format), cmocka_unit_test(test_what_is_not_known_is_left_out),
        cmocka_unit_test(test_notes), cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_bounds)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
