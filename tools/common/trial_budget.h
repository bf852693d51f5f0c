/*
 * How many secrets a second a listener tries for peers that have not authenticated (--trial-rate).
 *
 * A first header costs one trial for each secret. A peer is charged for all of them when its first
 * bytes come, and given them back once it has proven itself. Beyond the budget peers wait, in the
 * same silence as all others: first the one whose source has fewest connections, so that a flood
 * from one place holds up only itself.
 */
#ifndef DUET_TOOL_TRIAL_BUDGET_H
#define DUET_TOOL_TRIAL_BUDGET_H

#include <stdint.h>

/** All zero at first: then a whole second's trials are there. */
struct trial_budget {
    uint64_t milli;     /* thousandths of trials that are left */
    uint64_t filled_ms; /* when they were last counted; 0: never */
};

/** Take so many trials at a time. rate: trials that come back in a second; 0: no limit. What one
 * peer needs is there after a while, however large. Returns 1; 0: too few are left, so it waits. */
int trial_budget_take(struct trial_budget *budget, unsigned rate, unsigned trials, uint64_t now_ms);

/** Give back what a peer took that has proven itself. */
void trial_budget_give(struct trial_budget *budget, unsigned trials);

/** The choice of who is next, begun with zeros. */
struct trial_choice {
    unsigned seen;        /* connections offered so far */
    unsigned connections; /* of the best one's source */
};

/** Offer the next one that waits, the oldest first, with its source's connections. Returns 1 when
 * it is the best so far. */
int trial_offer(struct trial_choice *choice, unsigned connections);

#endif
