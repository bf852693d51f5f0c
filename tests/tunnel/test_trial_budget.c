/*
 * The budget of trials (trial_budget.h): what a second holds, what comes back, and who is next.
 */
#include "trial_budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { NOW = 5000 };

static void
test_a_second(void **state)
{
    struct trial_budget budget = {0};

    (void)state;
    for (int i = 0; i < 10; i++)
        assert_true(trial_budget_take(&budget, 100, 10, NOW));
    assert_false(trial_budget_take(&budget, 100, 10, NOW));
    assert_false(trial_budget_take(&budget, 100, 10, NOW + 99));
    assert_true(trial_budget_take(&budget, 100, 10, NOW + 100));
    assert_false(trial_budget_take(&budget, 100, 1, NOW + 100));
}

static void
test_no_more_than_a_second(void **state)
{
    struct trial_budget budget = {0};

    (void)state;
    assert_true(trial_budget_take(&budget, 100, 100, NOW));
    assert_true(trial_budget_take(&budget, 100, 60, NOW + 3600000));
    assert_false(trial_budget_take(&budget, 100, 60, NOW + 3600000));
    assert_true(trial_budget_take(&budget, 100, 60, UINT64_MAX));
}

/** More secrets than the rate: one peer at a time, and each in its time. */
static void
test_many_secrets(void **state)
{
    struct trial_budget budget = {0};

    (void)state;
    assert_true(trial_budget_take(&budget, 100, 1000, NOW));
    assert_false(trial_budget_take(&budget, 100, 1000, NOW + 9999));
    assert_true(trial_budget_take(&budget, 100, 1000, NOW + 10000));
}

static void
test_given_back(void **state)
{
    struct trial_budget budget = {0};

    (void)state;
    assert_true(trial_budget_take(&budget, 100, 100, NOW));
    trial_budget_give(&budget, 100);
    assert_true(trial_budget_take(&budget, 100, 100, NOW));
    assert_false(trial_budget_take(&budget, 100, 1, NOW));
    for (int i = 0; i < 50; i++)
        trial_budget_give(&budget, 100);
    assert_true(trial_budget_take(&budget, 100, 100, NOW));
    assert_false(trial_budget_take(&budget, 100, 1, NOW)); /* a second holds no more */
}

static void
test_no_limit(void **state)
{
    struct trial_budget budget = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        assert_true(trial_budget_take(&budget, 0, 1024, NOW));
}

static void
test_who_is_next(void **state)
{
    struct trial_choice choice = {0};

    (void)state;
    assert_true(trial_offer(&choice, 50));
    assert_false(trial_offer(&choice, 50)); /* the oldest of equals */
    assert_false(trial_offer(&choice, 51));
    assert_true(trial_offer(&choice, 2));
    assert_false(trial_offer(&choice, 3));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_second),     cmocka_unit_test(test_no_more_than_a_second),
        cmocka_unit_test(test_many_secrets), cmocka_unit_test(test_given_back),
        cmocka_unit_test(test_no_limit),     cmocka_unit_test(test_who_is_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
