/*
 * Which kernel is chosen: the first that the processor carries and that answers rightly, or the one
 * that DUET_KERNEL names.
 */
#include "kernel/kernel.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIES = 7, FEATURE = 1, OTHER = 2 };

static int
wrong_stream(const struct duet__key *key, const uint8_t block[16], uint8_t out[64])
{
    int result = duet__kernel_portable.keystream(key, block, out);
    out[63] ^= 1;
    return result;
}

static int
wrong_seal(const struct duet__run *run)
{
    int result = duet__kernel_portable.seal(run);
    if (run->groups > 2)
        run->out[2 * 64] ^= 0x80;
    return result;
}

/* The chain alone is wrong, in both directions the same, so that its own bytes open again. */
static int
wrong_chain(const struct duet__run *run)
{
    int result = duet__kernel_portable.open(run);
    run->chain[7] ^= 1;
    return result;
}

static int
wrong_both(const struct duet__run run[2])
{
    return wrong_seal(&run[0]) | duet__kernel_portable.seal(&run[1]);
}

static int
wrong_open(const struct duet__run run[2])
{
    return duet__kernel_portable.open(&run[0]) | wrong_chain(&run[1]);
}

static void
wrong_second(uint32_t chain[2][8], const uint8_t *const in[2], size_t groups)
{
    duet__kernel_portable.compress2(chain, in, groups);
    chain[1][0] ^= 1;
}

static int
no_libcrypto(const struct duet__run *run)
{
    (void)run;
    return -1;
}

/** The portable kernel with one function that is wrong. */
static void
liars(struct duet__kernel lies[LIES])
{
    for (size_t i = 0; i < LIES; i++) {
        lies[i] = duet__kernel_portable;
        lies[i].name = "liar";
    }
    lies[0].keystream = wrong_stream;
    lies[1].seal = wrong_seal;
    lies[2].open = wrong_chain;
    lies[3].seal2 = wrong_both;
    lies[4].open2 = wrong_open;
    lies[5].open = no_libcrypto;
    lies[6].compress2 = wrong_second;
}

static void
liars_are_dropped(void **state)
{
    struct duet__kernel lies[LIES];

    (void)state;
    liars(lies);
    for (size_t i = 0; i < LIES; i++) {
        struct duet__kernel_entry table[] = {{&lies[i], 0}, {&duet__kernel_portable, 0}};
        assert_ptr_equal(duet__kernel_pick(table, 2, 0, NULL), &duet__kernel_portable);
        assert_null(duet__kernel_pick(table, 2, 0, "liar"));
    }
}

static void
features_decide(void **state)
{
    struct duet__kernel first = duet__kernel_portable, second = duet__kernel_portable;
    struct duet__kernel_entry table[] = {{&first, FEATURE | OTHER}, {&second, FEATURE}};

    (void)state;
    first.name = "first";
    second.name = "second";
    assert_ptr_equal(duet__kernel_pick(table, 2, FEATURE | OTHER, NULL), &first);
    assert_ptr_equal(duet__kernel_pick(table, 2, FEATURE, NULL), &second);
    assert_null(duet__kernel_pick(table, 2, OTHER, NULL));
    assert_ptr_equal(duet__kernel_pick(table, 2, FEATURE | OTHER, "second"), &second);
    assert_null(duet__kernel_pick(table, 2, FEATURE, "first"));
    assert_null(duet__kernel_pick(table, 2, FEATURE, "third"));
}

/** What a process of its own chooses under this DUET_KERNEL. */
static void
assert_chosen(const char *named, const char *expected)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        setenv("DUET_KERNEL", named, 1);
        _exit(strcmp(duet_kernel_name(), expected) == 0 ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
environment_overrides(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t i = 0; (kernel = duet__kernel_at(i)) != NULL; i++)
        assert_chosen(kernel->name, kernel->name);
    assert_chosen("no-such-kernel", duet__kernel_at(0)->name);
}

/** Without a word the best one that fits is taken. The last test: it initialises this process. */
static void
best_is_first(void **state)
{
    (void)state;
    unsetenv("DUET_KERNEL");
    assert_string_equal(duet_kernel_name(), duet__kernel_at(0)->name);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environment_overrides),
        cmocka_unit_test(best_is_first),
        cmocka_unit_test(liars_are_dropped),
        cmocka_unit_test(features_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
