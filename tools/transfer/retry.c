/*
 * Trying again (see retry.h), with pauses that grow and are drawn at random, so that many senders
 * that lost one receiver do not come back at the same moment.
 */
#include "retry.h"

#include "interrupt.h"
#include "log.h"
#include "os/os.h"

#include <poll.h>

enum { PAUSE_LEAST_MS = 500, PAUSE_MOST_MS = 30000 };

/** 1 when another try may end otherwise. */
static int
may_help(int code)
{
    return code == EXIT_CONNECT || code == EXIT_STRANGER || code == EXIT_TRUNCATED ||
           code == EXIT_SLOW || code == EXIT_INTEGRITY;
}

/** Wait, but for a signal no longer than until it comes. Returns 1 when one came. */
static int
pause_for(int ms)
{
    struct pollfd fd = {.fd = interrupt_fd(), .events = POLLIN};

    (void)poll(&fd, 1, ms);
    return interrupted() != 0;
}

/** Between half of ms and all of it. */
static int
drawn_pause(int ms)
{
    uint32_t random = 0;

    if (duet__os_random((uint8_t *)&random, sizeof random) != 0)
        return ms;
    return ms / 2 + (int)(random % (uint32_t)(ms / 2 + 1));
}

int
retry_run(struct options *o, int (*once)(void *context, const char *address), void *context,
          const char *address)
{
    int pause = PAUSE_LEAST_MS, code = EXIT_DONE;

    if (o->retry > 0 || o->keep)
        interrupt_catch(); /* a signal between two tries ends them */
    for (unsigned tries = 0;;) {
        code = once(context, address);
        if (interrupted())
            return code;
        int again = may_help(code) && tries < o->retry;
        /* The peer may have used up a secret that this end still has. */
        o->files.turn += o->files.one_time && code == EXIT_STRANGER;
        if (again) {
            int ms = drawn_pause(pause);
            tries++;
            log_info("try %u of %u follows in %.1f s", tries, o->retry, ms / 1000.0);
            pause = pause < PAUSE_MOST_MS / 2 ? 2 * pause : PAUSE_MOST_MS;
            if (pause_for(ms))
                return EXIT_INTERRUPTED;
        } else if (o->keep && code != EXIT_CONNECT && code != EXIT_KEY && code != EXIT_USAGE &&
                   code != EXIT_LIMIT) {
            tries = 0;
            pause = PAUSE_LEAST_MS;
            if (code != EXIT_DONE && pause_for(pause))
                return EXIT_INTERRUPTED;
        } else {
            return code;
        }
    }
}
