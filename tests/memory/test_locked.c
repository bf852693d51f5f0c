/*
 * The memory of a key and of a configuration is locked, and is in no core dump, also in a forked
 * child that uses it; a limit that leaves no room changes nothing but that.
 *
 * What the kernel says of the mapping in which a byte lies is read from /proc/self/smaps.
 */
#include "session/config.h"

#include <duet/duet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { KEYS = 3000 };

/** 1 when the mapping of *at has a flag of two letters. */
static int
has_flag(const void *at, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    char line[512];
    int inside = 0, found = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL) {
        char *end;
        uintmax_t from = strtoumax(line, &end, 16);
        if (*end == '-')
            inside = (uintptr_t)at >= from && (uintptr_t)at < strtoumax(end + 1, NULL, 16);
        else if (inside && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, flag) != NULL;
    }
    fclose(maps);
    return found;
}

/** Skip a test where nothing can be locked, or the system does not say what is. */
static void
need_locks(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    static uint8_t room[1 << 17]; /* a whole page of it lies in the middle, whatever its size */
    if (limit.rlim_cur < 64 * 1024 || mlock(room + sizeof room / 2, 1) != 0 ||
        !has_flag(room + sizeof room / 2, " lo")) {
        puts("skipped: RLIMIT_MEMLOCK is too small, or /proc/self/smaps says nothing");
        skip();
    }
}

static void
locked(void **state)
{
    duet_key *secret, *identity;

    (void)state;
    need_locks();
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 1024, 0), DUET_OK);
    assert_int_equal(duet_key_new(&identity, DUET_KIND_IDENTITY, NULL, 0, 0), DUET_OK);
    assert_false(has_flag(state, " lo")); /* as other memory is */
    assert_true(has_flag(duet_key_bytes(secret), " lo"));
    assert_true(has_flag(duet_key_bytes(secret) + 1023, " lo"));
    assert_true(has_flag(duet_key_bytes(identity), " lo"));
    assert_true(has_flag(duet_key_bytes(secret), " dd"));
    duet_config *config = duet_config_new();
    assert_non_null(config);
    assert_true(has_flag(config, " lo"));
    duet_config_free(config);
    duet_key_free(secret);
    duet_key_free(identity);
}

/** In a child: make a session. Returns 0 when all of its configuration is locked. */
static int
use_in_child(const duet_config *config)
{
    uint8_t random[DUET_RANDOM_SIZE] = {1};
    duet_session *session;

    if (duet_session_new(&session, config, DUET_BOTTOM, random, 0) != DUET_OK)
        return 1;
    if (!has_flag(config, " lo"))
        return 2;
    if (!has_flag(config->psks, " lo"))
        return 3;
    return has_flag(config->psks[0].secret, " lo") ? 0 : 4;
}

static void
locked_in_child(void **state)
{
    duet_config *config = duet_config_new();
    duet_key *secret;
    int status;

    (void)state;
    need_locks();
    assert_int_equal(duet_key_new(&secret, DUET_KIND_SECRET, NULL, 1024, 0), DUET_OK);
    assert_int_equal(duet_config_add(config, secret), DUET_OK);
    duet_key_free(secret);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(use_in_child(config));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    duet_config_free(config);
}

/** Far more than may be locked. */
static void
beyond_the_limit(void **state)
{
    static duet_key *keys[KEYS];
    const struct rlimit little = {64 * 1024, 64 * 1024};

    (void)state;
    if (setrlimit(RLIMIT_MEMLOCK, &little) != 0) {
        puts("skipped: RLIMIT_MEMLOCK is smaller already, and may not be raised");
        skip();
    }
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(duet_key_new(&keys[i], DUET_KIND_SECRET, NULL, 64, 0), DUET_OK);
    for (int i = 0; i < KEYS; i++)
        duet_key_free(keys[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locked), cmocka_unit_test(locked_in_child),
                                       cmocka_unit_test(beyond_the_limit)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
