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
    assert_int_equal(profile->profile.hello_pad_most, 1000);
    duet_key_free(profile);
    assert_int_equal(
        profile_of("Label = acme 2026 \xe2\x9c\x93\nPreludeTop = GET / HTTP/1.1\\x0d\\x0A"
                   "\\\\\nPreludeBottom = \\x00\nHelloPad = 7 16000\nPad = block:512\n"
                   "Cover = 500 100\nRotateFrames = 1\nRotateBlocks = 30\n",
                   &profile, &where),
        DUET_OK);
    assert_int_equal(profile->profile.label_size, 13);
    assert_int_equal(profile->profile.prelude_size[DUET_TOP], 17);
    assert_memory_equal(profile->profile.prelude[DUET_TOP], "GET / HTTP/1.1\r\n\\", 17);
    assert_int_equal(profile->profile.prelude_size[DUET_BOTTOM], 1);
    assert_int_equal(profile->profile.hello_pad_least, 7);
    assert_int_equal(profile->profile.hello_pad_most, 16000);
    assert_int_equal(profile->profile.unsupported, 1); /* Pad and Cover */
    assert_int_equal(profile->profile.rotate_frames, 1);
    assert_int_equal(profile->profile.rotate_blocks, 30);
    assert_int_equal(duet_key_profile_number(profile, DUET_PROFILE_ROTATE_BLOCKS), 30);
    assert_memory_equal(duet_key_profile_text(profile, DUET_PROFILE_PRELUDE_TOP, &size), "GET /",
                        5);
    assert_int_equal(size, 17);
    duet_key_free(profile);
    assert_int_equal(profile_of("Label = a ; b # c\nPreludeTop = x ;\nPad = power2 ; a comment\n",
                                &profile, &where),
                     DUET_OK);
    assert_int_equal(profile->profile.label_size, 9); /* free text is the whole line */
    assert_int_equal(profile->profile.prelude_size[DUET_TOP], 3);
    assert_int_equal(profile->profile.unsupported, 1);
    duet_key_free(profile);
    assert_int_equal(profile_of("Pad = none ; a comment\nCover = off\n", &profile, &where),
                     DUET_OK);
    assert_int_equal(profile->profile.unsupported, 0);
    duet_key_free(profile);
    duet_key_free(NULL);
}

static void
profile_refusals(void **state)
{
    static const char *const bad[] = {
        "HelloPad = 1\n",
        "HelloPad = 2 1\n",
        "HelloPad = 0 16001\n",
        "HelloPad = 0 1 2\n",
        "HelloPad = -1 5\n",
        "Pad = block\n",
        "Pad = block:\n",
        "Pad = block:0\n",
        "Pad = block:65537\n",
        "Pad = power3\n",
        "Cover = 9 1\n",
        "Cover = on\n",
        "Cover = 500\n",
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
