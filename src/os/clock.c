/*
 * The two clocks: a monotonic one for deadlines, and the wall clock, whose times peers can compare.
 *
 * Timers are not here: callers pass times in. A clock that cannot be read gives 0.
 */
#include "os/os.h"

#include <time.h>

static uint64_t
clock_us(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t
duet__os_now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000u;
}

uint64_t
duet__os_coarse_ms(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
    return clock_us(CLOCK_MONOTONIC_COARSE) / 1000u;
#else
    return duet__os_now_ms();
#endif
}

uint64_t
duet__os_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t
duet__os_unix_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000u;
}
