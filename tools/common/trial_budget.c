/*
 * The budget of trials (see trial_budget.h): a bucket that holds a second's trials, or one peer's
 * where those are more.
 */
#include "trial_budget.h"

int
trial_budget_take(struct trial_budget *budget, unsigned rate, unsigned trials, uint64_t now_ms)
{
    uint64_t most = 1000 * (uint64_t)(rate > trials ? rate : trials);
    uint64_t spent_ms = now_ms - budget->filled_ms;

    if (rate == 0)
        return 1;
    /* a time after which it is full; more would not fit into 64 bits */
    if (budget->filled_ms == 0 || spent_ms > most / rate)
        budget->milli = most;
    else
        budget->milli += spent_ms * rate;
    if (budget->milli > most)
        budget->milli = most;
    budget->filled_ms = now_ms;
    if (budget->milli < 1000 * (uint64_t)trials)
        return 0;
    budget->milli -= 1000 * (uint64_t)trials;
    return 1;
}

void
trial_budget_give(struct trial_budget *budget, unsigned trials)
{
    budget->milli += 1000 * (uint64_t)trials; /* the next take bounds it */
}

int
trial_offer(struct trial_choice *choice, unsigned connections)
{
    if (choice->seen++ > 0 && connections >= choice->connections)
        return 0;
    choice->connections = connections;
    return 1;
}
