/*
 * duet ctl: sends a request to a running service, and prints its answer as a table or as JSON, one
 * object in a line.
 */
#include "client.h"
#include "commands.h"
#include "log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables ---- */

static const char *
text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text != NULL ? printable(text) : "-";
}

static unsigned long long
number_of(const json_t *object, const char *name)
{
    return (unsigned long long)json_integer_value(json_object_get(object, name));
}

static double
time_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void
show_process(const json_t *line)
{
    printf("worker %llu of %llu: pid %llu, %s for %.0f s, %llu reloads, %llu failed; duet %s\n",
           number_of(line, "worker"), number_of(line, "workers"), number_of(line, "pid"),
           text_of(line, "state"), time_of(line, "uptime"), number_of(line, "reloads"),
           number_of(line, "reload_failures"), text_of(line, "version"));
}

/** Add a tunnel's numbers to those of other workers. Returns 0, or -1. */
static int
add_tunnel(json_t *tunnels, json_t *line)
{
    const char *name = json_string_value(json_object_get(line, "tunnel")), *key;
    json_t *sum = name != NULL ? json_object_get(tunnels, name) : NULL, *value;

    if (name == NULL)
        return -1;
    if (sum == NULL)
        return json_object_set(tunnels, name, line);
    json_object_foreach(line, key, value)
    {
        json_t *old = json_object_get(sum, key);
        if (json_is_integer(old))
            json_integer_set(old, json_integer_value(old) + json_integer_value(value));
    }
    return 0;
}

/** Print a list's words with commas between. Returns how many there are. */
static size_t
show_words(const json_t *tunnel, const char *name, const char *before)
{
    const json_t *list = json_object_get(tunnel, name);

    for (size_t i = 0; i < json_array_size(list); i++)
        printf("%s%s", i > 0 ? "," : before, printable(json_string_value(json_array_get(list, i))));
    return json_array_size(list);
}

static void
show_tunnels(json_t *tunnels)
{
    const char *name;
    json_t *t;

    printf("%-16s %-6s %9s %9s %9s %9s %9s %9s %15s %14s %14s %s %s\n", "TUNNEL", "SIDE", "OPEN",
           "HALF-OPEN", "ACCEPTED", "FAILED", "REFUSED", "UNREACHED", "UNAUTHENTICATED", "BYTES-IN",
           "BYTES-OUT", "LISTENS-ON", "TARGET");
    json_object_foreach(tunnels, name, t)
    {
        printf("%-16s %-6s %9llu %9llu %9llu %9llu %9llu %9llu %15llu %14llu %14llu ",
               printable(name), text_of(t, "side"), number_of(t, "open"), number_of(t, "half_open"),
               number_of(t, "accepted"), number_of(t, "failed"), number_of(t, "refused"),
               number_of(t, "unreached"), number_of(t, "strangers"), number_of(t, "bytes_in"),
               number_of(t, "bytes_out"));
        if (show_words(t, "bound", "") == 0)
            putchar('-');
        if (show_words(t, "target", " ") == 0 &&
            show_words(t, "allow_target", " by request: ") == 0)
            fputs(" -", stdout);
        putchar('\n');
    }
}

/** In two halves, as printable() has few rooms. */
static void
show_session(const json_t *s)
{
    printf("%-6llu %-12s %-10s %-22s %-22s ", number_of(s, "id"), text_of(s, "tunnel"),
           text_of(s, "state"), text_of(s, "from"), text_of(s, "target"));
    printf("%-16s %8.1f %8.1f %14llu %14llu %s\n", text_of(s, "secret"), time_of(s, "age"),
           time_of(s, "idle"), number_of(s, "bytes_in"), number_of(s, "bytes_out"),
           text_of(s, "identity"));
}

/** Each line of an answer. Returns 0; -1: one is no object, and the answer is not whole. */
static int
each_line(const struct replies *replies, int (*take)(json_t *line, void *context), void *context)
{
    int bad = 0;

    for (unsigned i = 0; i < replies->count; i++)
        for (const char *at = replies->list[i].body; *at != 0 && !bad;) {
            size_t size = strcspn(at, "\n");
            json_t *line = json_loadb(at, size, 0, NULL);
            bad = !json_is_object(line) || json_object_get(line, "error") != NULL ||
                  take(line, context) != 0;
            json_decref(line);
            at += size + (at[size] != 0);
        }
    return bad ? -1 : 0;
}

static int
take_status(json_t *line, void *tunnels)
{
    if (json_object_get(line, "tunnel") != NULL)
        return add_tunnel(tunnels, line);
    show_process(line);
    return 0;
}

static int
take_session(json_t *line, void *context)
{
    (void)context;
    show_session(line);
    return 0;
}

static int
show_status(const struct replies *replies)
{
    json_t *tunnels = json_object();
    int bad = each_line(replies, take_status, tunnels);

    show_tunnels(tunnels);
    json_decref(tunnels);
    return bad;
}

static int
show_sessions(const struct replies *replies)
{
    printf("%-6s %-12s %-10s %-22s %-22s %-16s %8s %8s %14s %14s %s\n", "ID", "TUNNEL", "STATE",
           "FROM", "TARGET", "SECRET", "AGE", "IDLE", "BYTES-IN", "BYTES-OUT", "IDENTITY");
    return each_line(replies, take_session, NULL);
}

/* ---- Answers ---- */

static void
show_as_it_came(const struct replies *replies)
{
    for (unsigned i = 0; i < replies->count; i++)
        fputs(replies->list[i].body, stdout);
}

/** What a process says of itself: "STATE", or "worker N of COUNT: STATE". Returns the state. */
static const char *
read_health(const char *body, unsigned long *processes)
{
    const char *count = strstr(body, " of "), *state = strstr(body, ": ");

    if (strncmp(body, "worker ", 7) != 0 || count == NULL || state == NULL)
        return body;
    *processes = strtoul(count + 4, NULL, 10);
    return state + 2;
}

/** Healthy is a service all of whose processes answer that they serve. Returns an exit code. */
static int
show_health(const struct replies *replies)
{
    unsigned long processes = 1, asked = replies->count + replies->missing;
    static const char word[] = "serving\n"; /* limits that are reached may follow */
    unsigned serving = 0;

    for (unsigned i = 0; i < replies->count; i++)
        serving +=
            strncmp(read_health(replies->list[i].body, &processes), word, sizeof word - 1) == 0;
    show_as_it_came(replies);
    if (asked < processes)
        return log_error(EXIT_FAILED, "health: %lu of %lu workers have no control socket now",
                         processes - asked, processes);
    return serving == replies->count ? EXIT_DONE : EXIT_FAILED;
}

static int
show_answers(const struct replies *replies, const struct options *o, enum request_kind kind)
{
    int bad = 0;

    if (kind == REQUEST_HEALTH)
        return show_health(replies);
    if (kind == REQUEST_STATUS && !o->json)
        bad = show_status(replies);
    else if (kind == REQUEST_SESSIONS && !o->json)
        bad = show_sessions(replies);
    else
        show_as_it_came(replies);
    return bad ? log_error(EXIT_FAILED, "an answer is not whole; ask again") : EXIT_DONE;
}

/** What the answers' first lines say. Returns an exit code. */
static int
report_replies(const struct replies *replies, enum request_kind kind)
{
    const struct reply *refused = NULL;
    unsigned done = 0;

    for (unsigned i = 0; i < replies->count; i++) {
        done += replies->list[i].code == 0;
        if (replies->list[i].code != 0)
            refused = &replies->list[i];
    }
    if (refused == NULL || (kind == REQUEST_KILL && done > 0))
        return EXIT_DONE; /* a connection is one worker's alone */
    return log_error(refused->code, "%s: %s", request_name(kind), printable(refused->reason));
}

static int
read_request(struct request *request, const struct options *o)
{
    char line[256];
    const char *why;

    int n = snprintf(line, sizeof line, "%s%s%s", o->operands[0], o->operand_count > 1 ? " " : "",
                     o->operand_count > 1 ? o->operands[1] : "");
    if (n >= 0 && (size_t)n < sizeof line && request_parse(request, line, (size_t)n, &why) == 0)
        return EXIT_DONE;
    if (request->kind != REQUESTS)
        return log_error(
            EXIT_USAGE,
            "ctl %s: kill needs the ID of a connection, which duet ctl sessions prints, or "
            "tunnel=NAME, secret=ID or identity=KEY; the others take no argument",
            printable(line));
    return log_error(EXIT_USAGE, "ctl %s: it is one of " REQUEST_USAGE, printable(line));
}

static int
ctl_run(struct options *o)
{
    struct replies replies;
    struct request request = {.kind = REQUESTS};

    int code = read_request(&request, o);
    if (code != EXIT_DONE)
        return code;
    code = client_ask(&replies, o->control, &request);
    if (replies.count > 0) {
        int refused = report_replies(&replies, request.kind);
        if (refused == EXIT_DONE)
            refused = show_answers(&replies, o, request.kind);
        if (code == EXIT_DONE)
            code = refused;
    }
    replies_free(&replies);
    return finish_output(code);
}

const struct command cmd_ctl = {.name = "ctl",
                                .user = FOR_CTL,
                                .usage = REQUEST_USAGE,
                                .about = "Ask or control a running duet client, server or run.",
                                .least = 1,
                                .most = 2,
                                .run = ctl_run};
