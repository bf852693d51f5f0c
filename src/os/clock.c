/*
 * The two clocks: one for deadlines, that never goes back, and one that peers can compare.
 */
#include "os/os.h"

#include <time.h>

static uint64_t
microseconds(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0 || now.tv_sec < 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t
duet__os_now_ms(void)
{
    return microseconds(CLOCK_MONOTONIC) / 1000u;
}

uint64_t
duet__os_now_us(void)
{
    return microseconds(CLOCK_MONOTONIC);
}

uint64_t
duet__os_unix_ms(void)
{
    return microseconds(CLOCK_REALTIME) / 1000u;
}
