/*
 * Limits that are reached, in the log and in numbers (see limit_log.h); and the rate limit of the
 * log itself for what peers that have not authenticated can cause.
 */
#include "limit_log.h"

#include "tunnel.h"

#include "os/os.h"
#include "record.h"

enum { LOG_EVERY_MS = 60000 };

/** What a limit means, for the log. */
static void
log_limit(const struct tunnel *tunnel, enum limit_kind kind, unsigned more)
{
    const struct tunnel_settings *t = tunnel->settings;
    const unsigned most[] = {[LIMIT_CONNECTIONS] = t->most_connections,
                             [LIMIT_SOURCE] = t->most_from_source,
                             [LIMIT_HALF_OPEN] = t->most_half_open,
                             [LIMIT_SECRET] = t->most_from_secret,
                             [LIMIT_TRIALS] = t->trial_rate};
    static const char *const means[] = {
        [LIMIT_CONNECTIONS] = "further connections wait or are refused until one ends",
        [LIMIT_SOURCE] = "further connections from the same source are refused until one ends",
        [LIMIT_HALF_OPEN] = "further connections wait until one has authenticated or is older",
        [LIMIT_SECRET] = "further connections with the same secret are refused until one ends",
        [LIMIT_TRIALS] = "further peers wait until their secret can be looked for"};

    if (more > 0)
        record_note(RECORD_WARNING,
                    "%s: the limit %s = %u is reached, %u more times since the last "
                    "such line: %s",
                    t->name, counters_limit_name(kind), most[kind], more, means[kind]);
    else
        record_note(RECORD_WARNING, "%s: the limit %s = %u is reached: %s", t->name,
                    counters_limit_name(kind), most[kind], means[kind]);
}

void
limit_reached(struct tunnel *tunnel, enum limit_kind kind)
{
    struct limit_log *log = &tunnel->limits[kind];
    uint64_t now = uv_now(&tunnel->service->loop);

    tunnel->counters->limit_reached[kind]++;
    tunnel->counters->limit_unix_ms[kind] = duet__os_unix_ms();
    if (log->logged_ms != 0 && now < log->logged_ms + LOG_EVERY_MS) {
        log->since++;
        return;
    }
    log_limit(tunnel, kind, log->since);
    *log = (struct limit_log){.logged_ms = now};
}

void
limit_log_rest(struct service *service)
{
    unsigned count = gate_left_out(&service->gate_log);

    if (count > 0)
        record_note(RECORD_WARNING,
                    "%u more connections that had not authenticated were not logged", count);
}

int
limit_may_log(struct service *service)
{
    if (!gate_may_log(&service->gate_log, uv_now(&service->loop)))
        return 0;
    limit_log_rest(service);
    return 1;
}
