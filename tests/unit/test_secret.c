/*
 * The text forms of secret, identity and peers: read, written, and refused with the line
 * that is at fault (docs/protocol.md §2, §6).
 */
#include "secret/secret.h"

#include <duet/duet.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static uint8_t bytes[DUET_SECRET_MOST + 2];

static void
fill(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 167 + (i >> 8) * 13 + 5);
}

/* ---- Secrets ---- */

static char text[200000];

static size_t
format(const duet_key *secret)
{
    size_t need, size;

    assert_int_equal(duet_key_format(secret, NULL, 0, &need), DUET_E_ROOM);
    assert_int_equal(duet_key_format(secret, text, need - 1, &size), DUET_E_ROOM);
    assert_int_equal(duet_key_format(secret, text, need, &size), DUET_OK);
    assert_int_equal(size, need);
    text[size] = 0;
    return size;
}

static void
secret_sizes(void **state)
{
    static const size_t good[] = {64, 66, 128, 1024, 1026, 65534, 65536};
    static const size_t bad[] = {0, 2, 62, 63, 65, 65535, 65538};
    duet_key *secret, *back;
    duet_where where;

    (void)state;
    fill();
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, good[i], 0), DUET_OK);
        size_t size = format(secret);
        assert_int_equal(duet_kind_of(text, size), DUET_KIND_SECRET);
        assert_int_equal(duet_key_parse(&back, DUET_KIND_SECRET, text, size, &where), DUET_OK);
        assert_int_equal(duet_key_size(back), good[i]);
        assert_memory_equal(duet_key_bytes(back), bytes, good[i]);
        assert_memory_equal(duet_key_id(back), duet_key_id(secret), DUET_SECRET_ID_SIZE);
        duet_key_free(secret);
        duet_key_free(back);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, bad[i], 0), DUET_E_LENGTH);
        assert_null(secret);
    }
    duet_key_free(NULL);
}

static void
secret_id(void **state)
{
    uint8_t joined[9 + 64], digest[32];
    unsigned size;
    duet_key *secret;

    (void)state;
    fill();
    for (size_t i = 0; i < 9; i++)
        joined[i] = (uint8_t) "duet/1 id"[i];
    memcpy(joined + 9, bytes, 64);
    assert_int_equal(EVP_Digest(joined, sizeof joined, digest, &size, EVP_sha256(), NULL), 1);
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, 64, 0), DUET_OK);
    assert_memory_equal(duet_key_id(secret), digest, DUET_SECRET_ID_SIZE);
    duet_key_free(secret);
}

/** A secret's text with a line in the place of another, which begins with `old`; "" drops it. */
static void
edit(const char *old, const char *new)
{
    duet_key *secret;

    fill();
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, bytes, 128, 1), DUET_OK);
    secret->secret.allow_keylog = 1;
    format(secret);
    duet_key_free(secret);
    char *at = strstr(text, old);
    assert_non_null(at);
    char *end = strchr(at, '\n') + 1;
    char *rest = strdup(end);
    snprintf(at, sizeof text - (size_t)(at - text), "%s%s", new, rest);
    free(rest);
}

static void
assert_refused(unsigned line, const char *why)
{
    duet_key *secret;
    duet_where where;

    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text), &where),
                     DUET_E_FORMAT);
    assert_null(secret);
    assert_int_equal(where.line, line);
    if (strstr(where.reason, why) == NULL)
        fail_msg("'%s' does not speak of '%s'", where.reason, why);
    assert_null(strstr(where.reason, "BazTek")); /* of the secret's bytes */
}

static void
secret_refusals(void **state)
{
    (void)state;
    edit("[Secret]", "[Secrets]\n"), assert_refused(1, "[Secret]");
    edit("[Secret]", "[Secret\n"), assert_refused(1, "]");
    edit("[Secret]", ""), assert_refused(1, "[Secret]");
    edit("Version", "Version = 2\n"), assert_refused(2, "Version");
    edit("Version", ""), assert_refused(0, "missing");
    edit("Version", "Version = 1\nVersion = 1\n"), assert_refused(3, "twice");
    edit("Version", "Version =\n"), assert_refused(2, "without a value");
    edit("Version", "Versions = 1\n"), assert_refused(2, "unknown name");
    edit("Version", "version = 1\n"), assert_refused(2, "unknown name");
    edit("Version", "Version = 1\n[Peer x]\n"), assert_refused(3, "missing");
    edit("Version", "Version = 1\n  more\n"), assert_refused(3, "Name = value");
    edit("Version", "  Version\n"), assert_refused(2, "Name = value");
    edit("Version", "Ver sion = 1\n"), assert_refused(2, "Name = value");
    edit("Id", "Id = 0123456789abcde\n"), assert_refused(3, "16 hex");
    edit("Id", "Id = 0123456789abcdeg\n"), assert_refused(3, "16 hex");
    edit("Id", "Id = 0123456789ABCDEF\n"), assert_refused(3, "16 hex");
    edit("Id", "Id = 0123456789abcdef\n"), assert_refused(0, "does not match Secret");
    edit("Id", ""), assert_refused(0, "missing");
    edit("NotAfter", "NotAfter = 2027-13-01\n"), assert_refused(4, "NotAfter");
    edit("NotAfter", "NotAfter = 2027-02-29\n"), assert_refused(4, "NotAfter");
    edit("NotAfter", "NotAfter = 2027-2-9\n"), assert_refused(4, "NotAfter");
    edit("NotAfter", "NotAfter = tomorrow\n"), assert_refused(4, "NotAfter");
    edit("AllowKeylog", "AllowKeylog = maybe\n"), assert_refused(5, "AllowKeylog");
    edit("Secret =", ""), assert_refused(6, "Name = value");
    edit("Secret =", "Secret = AAAA\n"), assert_refused(0, "bytes");
    edit("Secret =", "Secret = !!!!\n"), assert_refused(0, "base64");
    edit("    ", "  !!!!\n"), assert_refused(0, "base64");
    edit("    ", ""), assert_refused(0, "does not match Secret");
}

static void
secret_tolerates(void **state)
{
    duet_key *secret;
    duet_where where;

    (void)state;
    edit("[Secret]", "# a comment\n; another\n\n   \n[Secret]  \n");
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text), &where),
                     DUET_OK);
    assert_int_equal(secret->secret.allow_keylog, 1);
    assert_int_equal(duet_key_not_after(secret), 86399);
    duet_key_free(secret);
    edit("Version", "Version=1\r\n");
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text) - 1, &where),
                     DUET_OK);
    duet_key_free(secret);
    edit("Version", "\tVersion=1 ; a comment\n");
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text), &where),
                     DUET_OK);
    duet_key_free(secret);
    edit("[Secret]", "\xef\xbb\xbf[Secret] ; a comment\n");
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text), &where),
                     DUET_OK);
    duet_key_free(secret);
    edit("    ", "  ; a comment\n"), assert_refused(0, "does not match Secret");
    assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, 0, &where), DUET_E_FORMAT);
}

static void
dates(void **state)
{
    duet_key *secret;
    duet_where where;

    (void)state;
    for (time_t day = 0; day < 200000; day += 97) { /* to the year 2517 */
        char line[64];
        struct tm tm;
        time_t noon = day * 86400 + 43200;
        gmtime_r(&noon, &tm);
        strftime(line, sizeof line, "NotAfter = %Y-%m-%d\n", &tm);
        edit("NotAfter", line);
        assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, text, strlen(text), &where),
                         DUET_OK);
        assert_int_equal(duet_key_not_after(secret), day * 86400 + 86399);
        format(secret);
        assert_non_null(strstr(text, line));
        duet_key_free(secret);
    }
}

/** Whatever is done to a text, it is refused or read, and nothing else happens. */
static void
mutations(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        duet_key *secret;
        duet_key *identity;
        duet_key *peers;
        duet_key *profile;
        duet_where where;
        edit("Version", "Version = 1\n");
        size_t size = strlen(text);
        for (unsigned k = 0; k <= i % 3; k++) {
            seed = seed * 1664525u + 1013904223u;
            text[(seed >> 8) % size] = i % 5 == 0 ? "\n[]="[seed >> 24 & 3] : (char)(seed >> 24);
        }
        if (duet_key_parse(&secret, DUET_KIND_SECRET, text, size, &where) == DUET_OK)
            duet_key_free(secret);
        else
            assert_true(strlen(where.reason) > 0);
        duet_kind_of(text, size);
        assert_int_equal(duet_key_parse(&identity, DUET_KIND_IDENTITY, text, size, &where),
                         DUET_E_FORMAT);
        assert_int_equal(duet_key_parse(&peers, DUET_KIND_PEERS, text, size, &where),
                         DUET_E_FORMAT);
        assert_int_equal(duet_key_parse(&profile, DUET_KIND_PROFILE, text, size, &where),
                         DUET_E_FORMAT);
    }
}

/* ---- Identities ---- */

static int
identity_of(const char *content, duet_key **identity, duet_where *where)
{
    return duet_key_parse(identity, DUET_KIND_IDENTITY, content, strlen(content), where);
}

#define PRIVATE     "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=" /* of RFC 7748 §6.1 */
#define PUBLIC      "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define PRIME       "7f///////////////////////////////////////38=" /* 2^255 - 19: no key */
#define BELOW_PRIME "7P///////////////////////////////////////38=" /* the greatest one */
#define LAST_BIT    "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA=" /* 9 in another form */

static void
identities(void **state)
{
    duet_key *identity, *back;
    duet_where where;
    char key[DUET_KEY_TEXT_SIZE], out[256];
    size_t size;

    (void)state;
    assert_int_equal(identity_of(PRIVATE "\n", &identity, &where), DUET_OK); /* as wg genkey */
    duet_key_text(key, duet_key_public_key(identity, 0));
    assert_string_equal(key, PUBLIC);
    assert_int_equal(duet_key_format(identity, NULL, 0, &size), DUET_E_ROOM);
    assert_true(size < sizeof out);
    assert_int_equal(duet_key_format(identity, out, size, &size), DUET_OK);
    assert_int_equal(duet_kind_of(out, size), DUET_KIND_IDENTITY);
    assert_int_equal(duet_key_parse(&back, DUET_KIND_IDENTITY, out, size, &where), DUET_OK);
    assert_memory_equal(back, identity, sizeof *back);
    duet_key_free(back);
    duet_key_free(identity);
    duet_key_free(NULL);
    assert_int_equal(
        identity_of("[Identity]\nPrivateKey = " PRIVATE "\nVersion = 1\n", &back, &where), DUET_OK);
    duet_key_free(back);
}

struct refusal {
    const char *content;
    unsigned line;
    const char *why;
};

static void
assert_where(const struct refusal *bad, int result, const duet_where *where)
{
    assert_int_equal(result, DUET_E_FORMAT);
    assert_int_equal(where->line, bad->line);
    if (strstr(where->reason, bad->why) == NULL)
        fail_msg("'%s' does not speak of '%s'", where->reason, bad->why);
}

static void
identity_refusals(void **state)
{
    static const struct refusal bad[] = {
        {"", 0, "[Identity]"},
        {"[Identity]\nVersion = 1\n", 0, "missing"},
        {"[Identity]\nPrivateKey = " PRIVATE "\n", 0, "missing"},
        {"[Identity]\nVersion = 1\nPrivateKey = abc\n", 3, "44 digits"},
        {"[Identity]\nVersion = 1\nPrivateKey = " PRIVATE "\nPublicKey = " PRIVATE "\n", 0,
         "does not belong"},
        {"[Identity]\nVersion = 1\nPrivateKey = " PRIVATE "\nPrivateKey = " PRIVATE "\n", 4,
         "twice"},
        {"[Identity]\nVersion = 1\nPrivateKey = " PRIVATE "\nPublicKey = " PRIME "\n", 4,
         "never gives"},
        {"[Identity]\nVersion = 3\n", 2, "Version"},
        {"[Identity]\nName = x\n", 2, "unknown name"},
        {"[Identity]\nwords\n", 2, "neither"},
        {"!wdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=", 1, "44 digits"},
    };
    duet_key *identity;
    duet_where where;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_where(&bad[i], identity_of(bad[i].content, &identity, &where), &where);
}

/* ---- Peers ---- */

static void
peers_lists(void **state)
{
    static const struct refusal bad[] = {
        {"", 0, "no peer"},
        {"[Peer a]\n", 0, "PublicKey is missing"},
        {"[Peer a]\n[Peer b]\n", 2, "PublicKey is missing"},
        {"[Peer a]\nPublicKey = " PUBLIC "\n[Peer a]\n", 3, "twice"},
        {"[Peer a]\nPublicKey = " PUBLIC "\nPublicKey = " PUBLIC "\n", 3, "twice"},
        {"[Peer a]\nPublicKey = " PUBLIC "\n[Peer b]\nPublicKey = " PUBLIC "\n", 0, "same"},
        {"[Peer a]\nPublicKey = zzz\n", 2, "44 digits"},
        {"[Peer a]\nPublicKey = " PRIME "\n", 2, "never gives"},
        {"[Peer a]\nPublicKey = " PUBLIC "\n[Peer b]\nPublicKey = " LAST_BIT "\n", 4,
         "never gives"},
        {"[Peer a]\nKey = " PUBLIC "\n", 2, "unknown name"},
        {"PublicKey = " PUBLIC "\n", 1, "sections like"},
        {"[Friend a]\n", 1, "sections like"},
        {"[Peer ]\n", 1, "sections like"},
        {"[Peer a\x1b]\n", 1, "control"},
    };
    duet_key *peers;
    duet_where where;
    const char *greatest = "[Peer a]\nPublicKey = " BELOW_PRIME "\n";
    const char *good = "# ours\n[Peer alice]\nPublicKey = " PUBLIC "\n\n[Peer bob b.]\nPublicKey = "
                       "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=\n";

    (void)state;
    assert_int_equal(duet_key_parse(&peers, DUET_KIND_PEERS, good, strlen(good), &where), DUET_OK);
    assert_int_equal(duet_key_count(peers), 2);
    assert_string_equal(duet_key_name(peers, 1), "bob b.");
    assert_int_equal(duet_key_public_key(peers, 0)[0], 0x85);
    assert_string_equal(duet_key_find(peers, duet_key_public_key(peers, 1)), "bob b.");
    assert_null(duet_key_find(peers, bytes));
    assert_null(duet_key_name(peers, 2));
    assert_null(duet_key_public_key(peers, 2));
    assert_int_equal(duet_kind_of(good, strlen(good)), DUET_KIND_PEERS);
    duet_key_free(peers);
    duet_key_free(NULL);
    assert_int_equal(duet_key_parse(&peers, DUET_KIND_PEERS, greatest, strlen(greatest), &where),
                     DUET_OK);
    duet_key_free(peers);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_where(
            &bad[i],
            duet_key_parse(&peers, DUET_KIND_PEERS, bad[i].content, strlen(bad[i].content), &where),
            &where);
}

/* ---- Long lines ---- */

/* Time must grow with the text, not with its square: these would take hours, and the test's time
 * limit is what notices. */
static void
long_lines(void **state)
{
    static const char *const lines[] = {"[", "]", " ", "=", ";", " ;", "] ", "[ ]x", "a ="};
    const size_t size = (size_t)8 << 20;
    char *line = malloc(size);
    duet_key *secret;
    duet_where where;

    (void)state;
    assert_non_null(line);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (size_t at = 0; at < size; at++)
            line[at] = lines[i][at % strlen(lines[i])];
        line[size - 1] = 'x';
        for (int bracket = 0; bracket < 2; bracket++) {
            assert_int_equal(duet_kind_of(line, size), DUET_KIND_UNKNOWN);
            assert_int_equal(duet_key_parse(&secret, DUET_KIND_SECRET, line, size, &where),
                             DUET_E_FORMAT);
            line[0] = '[';
        }
    }
    free(line);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_sizes),    cmocka_unit_test(secret_id),
        cmocka_unit_test(secret_refusals), cmocka_unit_test(secret_tolerates),
        cmocka_unit_test(dates),           cmocka_unit_test(mutations),
        cmocka_unit_test(identities),      cmocka_unit_test(identity_refusals),
        cmocka_unit_test(peers_lists),     cmocka_unit_test(long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
