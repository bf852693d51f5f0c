/*
 * The text form of a profile: read, and refused with the line that is at fault (docs/protocol.md
 * §6).
 */
#include "secret/secret.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int
profile_of(const char *lines, duet_key **profile, duet_where *where)
{
    char content[4096];

    snprintf(content, sizeof content, "[Profile]\n%s", lines);
    return duet_key_parse(profile, DUET_KIND_PROFILE, content, strlen(content), where);
}

static void
profiles(void **state)
{
    duet_key *profile;
    duet_where where;
    size_t size;

    (void)state;
    assert_int_equal(profile_of("", &profile, &where), DUET_OK);
    assert_int_equal(profile->profile.hello_least, 1536);
    assert_int_equal(profile->profile.hello_most, 3072);
    assert_int_equal(profile->profile.dialect, 0);
    assert_int_equal(profile->profile.first, 0);
    duet_key_free(profile);
    assert_int_equal(
        profile_of("Label = acme 2026 \xe2\x9c\x93\nPreludeTop = GET / HTTP/1.1\\x0d\\x0A"
                   "\\\\\nPreludeBottom = \\x00\nHelloSize = 7 16000\nDialect = secret\n"
                   "First = 16 \t 500 501\nRotateFrames = 1\nRotateBlocks = 30\n",
                   &profile, &where),
        DUET_OK);
    assert_int_equal(profile->profile.label_size, 13);
    assert_int_equal(profile->profile.prelude_size[DUET_TOP], 17);
    assert_memory_equal(profile->profile.prelude[DUET_TOP], "GET / HTTP/1.1\r\n\\", 17);
    assert_int_equal(profile->profile.prelude_size[DUET_BOTTOM], 1);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_HELLO_LEAST), 7);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_HELLO_MOST), 16000);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_HELLO_GIVEN), 1);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_DIALECT), 1);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_FIRST), 16);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_FIRST_LEAST), 500);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_FIRST_MOST), 501);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_FIRST_GIVEN), 1);
    assert_int_equal(duet_key_profile_number(profile, (enum duet_profile_number)99), 0);
    assert_int_equal(profile->profile.rotate_frames, 1);
    assert_int_equal(profile->profile.rotate_blocks, 30);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_ROTATE_BLOCKS), 30);
    assert_memory_equal(duet_key_profile_text(profile, DUET_PROFILE_PRELUDE_TOP, &size), "GET /",
                        5);
    assert_int_equal(size, 17);
    duet_key_free(profile);
    assert_int_equal(
        profile_of("Label = a ; b # c\nPreludeTop = x ;\nDialect = secret ; a comment\n", &profile,
                   &where),
        DUET_OK);
    assert_int_equal(profile->profile.label_size, 9); /* free text is the whole line */
    assert_int_equal(profile->profile.prelude_size[DUET_TOP], 3);
    assert_int_equal(profile->profile.dialect, 1);
    assert_int_equal(profile->profile.hello_given, 0);
    assert_int_equal(profile->profile.first_given, 0);
    duet_key_free(profile);
    assert_int_equal(profile_of("Dialect = none ; a comment\nFirst = none\n", &profile, &where),
                     DUET_OK);
    assert_int_equal(profile->profile.dialect, 0);
    assert_int_equal(profile->profile.first, 0);
    assert_int_equal(profile->profile.first_given, 1);
    duet_key_free(profile);
    duet_key_free(NULL);
}

/** A line of an earlier version is refused, with what to do. */
static void
assert_gone(const char *line, const char *reason)
{
    duet_key *profile;
    duet_where where;

    assert_int_equal(profile_of(line, &profile, &where), DUET_E_FORMAT);
    assert_int_equal(where.line, 2);
    assert_non_null(strstr(where.reason, reason));
}

static void
profile_refusals(void **state)
{
    static const char *const bad[] = {
        "HelloSize = 1\n",
        "HelloSize =\n",
        "HelloSize = 2 1\n",
        "HelloSize = 0 16001\n",
        "HelloSize = 0 1 2\n",
        "HelloSize = -1 5\n",
        "Dialect =\n",
        "Dialect = Secret\n",
        "Dialect = label\n",
        "First = 1\n",
        "First = 1 2\n",
        "First = 17 1 2\n",
        "First = 1 3 2\n",
        "First = 1 2 16001\n",
        "First = 1 2 3 4\n",
        "First = some\n",
        "RotateFrames = 0\n",
        "RotateFrames = 31\n",
        "RotateBlocks = x\n",
        "PreludeTop = a\\\n",
        "PreludeTop = \\x0\n",
        "PreludeTop = \\xg0\n",
        "PreludeTop = \\n\n",
        "Label = \xff\n",
        "Label = \xc0\x80\n",
        "Label = \xed\xa0\x80\n",
        "Label = \xe2\x9c\n",
        "Labels = x\n",
        "[Profile]\n",
        "  x\n",
        "RotateFrames = 99999999999999999999\n",
    };
    duet_key *profile;
    duet_where where;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (profile_of(bad[i], &profile, &where) != DUET_E_FORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(where.line, 2);
        assert_true(strlen(where.reason) > 0);
    }
    assert_gone("HelloPad = 0 100\n", "HelloSize");
    assert_gone("Pad = none\n", "Pad is no longer known");
    assert_gone("Cover = off\n", "Cover is no longer known");
    assert_int_equal(profile_of("Label = a\nLabel = b\n", &profile, &where), DUET_E_FORMAT);
    assert_int_equal(where.line, 3);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles),
        cmocka_unit_test(profile_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
