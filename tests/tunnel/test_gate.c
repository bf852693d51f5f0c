/*
 * Which half-open connection makes room for a new one (gate.h): one that has had a second, that was
 * not answered, and whose source has most connections.
 */
#include "gate.h"

#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void
test_a_second(void **state)
{
    struct gate_choice choice = {0};

    (void)state;
    assert_int_equal(gate_offer(&choice, GATE_EVICT_AFTER_MS - 1, 0, 10), 0);
    assert_true(choice.waits);
    choice = (struct gate_choice){0};
    assert_int_equal(gate_offer(&choice, GATE_EVICT_AFTER_MS, 0, 10), 1);
    assert_int_equal(gate_offer(&choice, GATE_EVICT_AFTER_MS - 1, 0, 10), 0);
    assert_false(choice.waits);
}

static void
test_answered(void **state)
{
    struct gate_choice choice = {0};

    (void)state;
    assert_int_equal(gate_offer(&choice, 9999, 10000, 1000), 0);
    assert_int_equal(gate_offer(&choice, 10000, 10000, 1), 1);
}

static void
test_shares(void **state)
{
    struct gate_choice choice = {0};

    (void)state;
    assert_int_equal(gate_offer(&choice, 5000, 0, 1), 1);
    assert_int_equal(gate_offer(&choice, 4000, 0, 200), 1);
    assert_int_equal(gate_offer(&choice, 3000, 0, 200), 0); /* the oldest of equals */
    assert_int_equal(gate_offer(&choice, 2000, 0, 3), 0);
    assert_false(choice.waits);
    assert_int_equal(gate_offer(&choice, 999, 0, 300), 0); /* the fair share of a younger one */
    assert_true(choice.waits);
}

/** However large the table is, a new connection costs a bounded search. */
static void
test_bounded(void **state)
{
    struct gate_choice choice = {0};
    int offers = 0;

    (void)state;
    while (gate_offer(&choice, 5000, 0, 1) >= 0)
        offers++;
    assert_between(offers, 1, 1000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second),
        cmocka_unit_test(test_answered),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
