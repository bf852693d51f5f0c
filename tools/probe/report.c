/*
 * What a probe prints: a row for each kind, then what was found; or the same as one JSON object.
 */
#include "log.h"
#include "probe.h"

#include <stdio.h>

const char *const probe_finding_names[FINDINGS] = {"answer", "replay", "reset", "tells",
                                                   "constant"};

static const char *const group_names[PROBE_GROUPS] = {"nothing",  "noise",    "cut",  "flipped",
                                                      "replayed", "protocol", "live", "answer"};

/** What a finding is called for a reader. */
static const char *const headings[FINDINGS] = {
    "answers what did not prove the secret", "answers a recorded flight again", "ends by RST",
    "its closes tell what was sent", "closes after a constant time"};

static void
print_row(const struct probe_kind *kind, const struct probe_sum *sum)
{
    printf("%-32s %5u %8u %5u %5u %5u %6u %9.3f %9.3f %9.3f\n", kind->name, sum->tries,
           sum->answered, sum->fin, sum->rst, sum->open, sum->failed, sum->low_ms / 1000,
           sum->median_ms / 1000, sum->high_ms / 1000);
}

static void
print_object(const struct probe_kind *kind, const struct probe_sum *sum, int is_first)
{
    char first[2 * PROBE_FIRST + 1] = "";

    if (sum->first != NULL)
        to_hex(first, sum->first, PROBE_FIRST);
    printf("%s{\"name\": \"%s\", \"group\": \"%s\", \"tries\": %u, \"answered\": %u, "
           "\"bytes\": %llu, \"first\": \"%s\", \"fin\": %u, \"rst\": %u, \"open\": %u, "
           "\"failed\": %u, \"low_ms\": %.3f, \"median_ms\": %.3f, \"high_ms\": %.3f}",
           is_first ? "" : ", ", kind->name, group_names[kind->group], sum->tries, sum->answered,
           (unsigned long long)sum->back, first, sum->fin, sum->rst, sum->open, sum->failed,
           sum->low_ms, sum->median_ms, sum->high_ms);
}

/** Print a text as JSON: one of our own, or one that printable() made harmless. */
static void
print_json_text(const char *text)
{
    putchar('"');
    for (const char *at = text; *at != 0; at++) {
        if (*at == '"' || *at == '\\')
            putchar('\\');
        putchar(*at);
    }
    putchar('"');
}

static void
print_verdict(const struct probe_verdict *verdict)
{
    int found = 0;

    puts("");
    for (unsigned i = 0; i < FINDINGS; i++) {
        if (verdict->text[i] == NULL)
            continue;
        printf("FOUND %s: %s\n", headings[i], verdict->text[i]);
        found = 1;
    }
    if (verdict->note != NULL)
        printf("note: %s\n", verdict->note);
    if (!found)
        puts(verdict->unjudged ? "nothing found in what could be judged" : "nothing found");
}

static void
print_json_verdict(const struct probe_verdict *verdict, int code)
{
    const char *joint = "";

    printf("], \"findings\": [");
    for (unsigned i = 0; i < FINDINGS; i++) {
        if (verdict->text[i] == NULL)
            continue;
        printf("%s{\"finding\": \"%s\", \"detail\": ", joint, probe_finding_names[i]);
        print_json_text(verdict->text[i]);
        printf("}");
        joint = ", ";
    }
    printf("], \"note\": ");
    print_json_text(verdict->note != NULL ? verdict->note : "");
    printf(", \"exit\": %d}\n", code);
}

int
probe_report(const struct probe *probe, const struct probe_verdict *verdict, int code,
             unsigned json)
{
    if (json) {
        printf("{\"address\": ");
        print_json_text(printable(probe->address));
        printf(", \"client\": %s, \"kinds\": [", probe->is_client ? "true" : "false");
    } else {
        printf("%-32s %5s %8s %5s %5s %5s %6s %9s %9s %9s\n", "sent", "tries", "answered", "FIN",
               "RST", "open", "failed", "10 %", "middle", "90 %, s");
    }
    for (unsigned kind = 0; kind < probe->kind_count; kind++) {
        struct probe_sum sum;
        if (probe_sum_up(probe, kind, &sum) != 0)
            return log_error(EXIT_LIMIT, "no memory");
        if (json)
            print_object(&probe->kinds[kind], &sum, kind == 0);
        else
            print_row(&probe->kinds[kind], &sum);
    }
    if (json)
        print_json_verdict(verdict, code);
    else
        print_verdict(verdict);
    return finish_output(code);
}
