/*
 * duet probe: tries a listener, or a client, of one's own as a censor would, and reports what it
 * gives away. What is tried and judged is in tools/probe.
 */
#include "commands.h"
#include "interrupt.h"
#include "keys.h"
#include "log.h"
#include "probe.h"

#include <stdlib.h>

enum { WATCH_MS = 100000 }; /* longer than a listener's silence */

static int
check_options(const struct options *o)
{
    if (o->exec != NULL && !o->as_client)
        return log_error(EXIT_USAGE, "--exec starts the client that --client answers: give both");
    if (o->as_client && (o->capture != NULL || o->files.keys.count > 0))
        return log_error(EXIT_USAGE,
                         "--client answers by random bytes: leave -k and --capture out");
    if (o->files.keys.count == 0 &&
        (o->files.identity != NULL || o->files.peers != NULL || o->files.profile != NULL ||
         o->files.pattern != NULL || o->files.hybrid != NULL))
        return log_error(EXIT_USAGE, "identity, peers, pattern, hybrid and profile need -k FILE");
    return EXIT_DONE;
}

static int
prepare(struct probe *probe, const struct options *o)
{
    int code = check_options(o);

    probe->address = o->operands[0];
    probe->times = o->tries;
    probe->parallel = o->parallel;
    probe->timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : WATCH_MS;
    probe->is_client = o->as_client != 0;
    probe->command = o->exec;
    if (code == EXIT_DONE && o->files.keys.count > 0)
        code = keys_config(&probe->config, NULL, &o->files, DUET_TOP);
    if (code == EXIT_DONE && o->capture != NULL)
        code = capture_read(probe, o->capture);
    return code == EXIT_DONE ? probe_plan(probe) : code;
}

static int
probe_run(struct options *o)
{
    static struct probe probe;
    struct probe_verdict verdict;

    interrupt_catch();
    int code = prepare(&probe, o);
    if (code == EXIT_DONE) {
        log_info("%zu connections, %u at a time, each watched for %g s at most", probe.try_count,
                 probe.parallel, probe.timeout_ms / 1000.0);
        code = probe.is_client ? probe_client(&probe) : probe_listener(&probe);
    }
    if (code == EXIT_DONE) {
        code = probe_judge(&probe, &verdict);
        code = probe_report(&probe, &verdict, code, o->json);
        probe_verdict_free(&verdict);
    }
    duet_config_free(probe.config);
    free(probe.flight);
    free(probe.tries);
    return code;
}

const struct command cmd_probe = {
    .name = "probe",
    .user = FOR_PROBE,
    .usage = "[-k FILE] [--capture FILE] [--client] ADDRESS",
    .about = "Try a listener of your own as a censor would, and report what it gives away.",
    .notes = "Probe only what is yours. With -k it also changes bits of authenticated sessions: at "
             "a server each\nof them reaches the target, and a pipe or recv that listens ends with "
             "the first.\n",
    .least = 1,
    .most = 1,
    .run = probe_run,
};
