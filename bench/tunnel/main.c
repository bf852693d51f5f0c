/*
 * duet-load: puts load on a tunnel, and is the target service.
 *
 * For bench/tunnel and tests/tunnel. Prints names and values with a tab between; exits with 0 only
 * when nothing was refused, cut or altered. ADDRESS is 127.0.0.1:4000 or unix:/path.
 */
#include "bench/tunnel/load.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* What an operand sets. */
enum operand { END, COUNT, BYTES, SECONDS, TRIPS };

static const struct command {
    const char *name, *usage, *about;
    int (*run)(const struct load_task *task);
    enum operand operands[5];
    struct load_task defaults;
} commands[] = {
    {"serve", "", "echo, sink and verify, until SIGTERM", load_serve, {END}, {.count = 1}},
    {"bulk",
     "STREAMS SECONDS",
     "bytes per second, one way",
     load_bulk,
     {COUNT, SECONDS},
     {.count = 0}},
    {"upload",
     "STREAMS BYTES",
     "streams of a size, verified",
     load_upload,
     {COUNT, BYTES},
     {.count = 0}},
    {"rate",
     "AT-A-TIME SECONDS",
     "connections per second, one byte each",
     load_rate,
     {COUNT, SECONDS},
     {.bytes = 1, .trips = 1}},
    {"latency",
     "CONNECTIONS BYTES SECONDS",
     "round trips of a size",
     load_latency,
     {COUNT, BYTES, SECONDS},
     {.count = 0}},
    {"hold",
     "CONNECTIONS BYTES",
     "idle ones; once a line is read, a request on each",
     load_hold,
     {COUNT, BYTES},
     {.count = 0}},
    {"steady",
     "CONNECTIONS BYTES SECONDS TRIPS",
     "requests of 1 to BYTES; a connection ends after TRIPS of them (0: never)",
     load_steady,
     {COUNT, BYTES, SECONDS, TRIPS},
     {.count = 0}},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int
usage(void)
{
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stderr, "duet-load %s ADDRESS %s: %s\n", commands[i].name, commands[i].usage,
                commands[i].about);
    return 2;
}

/** Returns 0, or -1: not a number. */
static int
take(struct load_task *task, enum operand operand, const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (*text == 0 || *end != 0 || !(value >= 0 && value < 1e12))
        return -1;
    switch (operand) {
    case COUNT:
        task->count = (unsigned)value;
        break;
    case BYTES:
        task->bytes = (size_t)value;
        break;
    case SECONDS:
        task->seconds = value;
        break;
    case TRIPS:
        task->trips = (unsigned)value;
        break;
    case END:
        return -1;
    }
    return 0;
}

static void
raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int
run(const struct command *command, int argc, char **argv)
{
    struct load_task task = command->defaults;
    int i = 0;

    if (load_address(&task.address, argv[2]) != 0)
        return usage();
    for (; command->operands[i] != END; i++)
        if (i + 3 >= argc || take(&task, command->operands[i], argv[i + 3]) != 0)
            return usage();
    if (i + 3 != argc || task.count == 0)
        return usage();
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    return load_loop() != 0 ? 1 : command->run(&task);
}

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc >= 3 && i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc, argv);
    return usage();
}
