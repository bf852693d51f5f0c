/*
 * A forked child is noticed where MADV_WIPEONFORK fails, and where it succeeds and does nothing (as
 * under qemu-user). madvise() is taken over by the linker (--wrap).
 *
 * The guard is set up once in a process, by its first channel, so each case runs in a child that
 * has none yet.
 */
#include "channel/ends.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum advice { ADVICE_TAKEN, ADVICE_IGNORED, ADVICE_REFUSED };

static enum advice advice;
static unsigned asked; /* calls for MADV_WIPEONFORK */

int __real_madvise(void *start, size_t size, int what);
int __wrap_madvise(void *start, size_t size, int what);

int
__wrap_madvise(void *start, size_t size, int what)
{
#ifdef MADV_WIPEONFORK
    if (what == MADV_WIPEONFORK) {
        asked++;
        if (advice == ADVICE_IGNORED)
            return 0;
        if (advice == ADVICE_REFUSED) {
            errno = EINVAL;
            return -1;
        }
    }
#endif
    return __real_madvise(start, size, what);
}

/** A copy of the channels is refused by every call, and so is a copy of that copy. Returns 0. */
static int
copy_is_refused(struct ends *ends, int depth)
{
    uint8_t byte;
    size_t n;
    int status = 0;

    pid_t child = fork();
    if (child < 0)
        return 1;
    if (child > 0)
        return waitpid(child, &status, 0) == child ? status : 1;
    if (duet_channel_send(ends->top, "x", 1, &n, 0) != DUET_E_FORKED ||
        duet_channel_recv(ends->bottom, &byte, 1, &n, 1, 0) != DUET_E_FORKED)
        _exit(1);
    _exit(depth > 0 && copy_is_refused(ends, depth - 1) != 0);
}

/** All of one case; the exit status of the process that runs it. */
static int
guard_works(void)
{
    struct ends ends;
    uint8_t byte;
    size_t n;

    ends_open_direct(&ends);
    ends_handshake(&ends);
#if defined(__linux__) && defined(MADV_WIPEONFORK) && !defined(DUET_PORTABLE)
    if (asked != 1) /* else this tests nothing */
        return 2;
#endif
    for (int i = 0; i < 2; i++)
        if (copy_is_refused(&ends, 1) != 0 || ends_waiting(ends.bottom_fd) != 0)
            return 3;
    if (duet_channel_send(ends.top, "x", 1, &n, 0) != DUET_OK ||
        duet_channel_recv(ends.bottom, &byte, 1, &n, 1, 0) != DUET_OK || byte != 'x')
        return 4;
    ends_close(&ends);
    return 0;
}

static void
a_copy_is_noticed(void **state)
{
    (void)state;
    for (int i = ADVICE_TAKEN; i <= ADVICE_REFUSED; i++) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            advice = (enum advice)i;
            _exit(guard_works());
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_copy_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
