/*
 * Answers to requests for monitoring (see http_answer.h). All come from what the workers count in
 * shared memory, so that any of them answers for all.
 */
#include "http_answer.h"

#include "metrics.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    enum http_status status;
    const char *words;
    const char *text; /* the body; NULL: it is made */
} lines[] = {
    {HTTP_OK, "OK", NULL},
    {HTTP_BAD, "Bad Request", "this is no HTTP/1.1 request that is understood here\n"},
    {HTTP_FORBIDDEN, "Forbidden",
     "the Host header must be an address or localhost: a name could be a foreign page's\n"},
    {HTTP_NOT_FOUND, "Not Found", "there are /metrics, /healthz and /readyz\n"},
    {HTTP_NO_METHOD, "Method Not Allowed", "only GET and HEAD are answered\n"},
    {HTTP_LATE, "Request Timeout", "the request did not come in time\n"},
    {HTTP_TOO_LARGE, "Request Header Fields Too Large", "the request's head is above 8 KiB\n"},
    {HTTP_NOT_READY, "Service Unavailable", NULL},
    {HTTP_NO_VERSION, "HTTP Version Not Supported", "only HTTP/1.1 and HTTP/1.0 are spoken\n"}};

/* ---- Is the service ready? ---- */

/** What a worker counts for a tunnel; NULL: it does not serve it yet. */
static const struct counters *
counters_of(const struct worker_counters *worker, const struct tunnel_settings *t)
{
    for (size_t row = 0; row < TUNNEL_ROWS; row++)
        if (strcmp(worker->tunnels[row].name, t->name) == 0)
            return &worker->tunnels[row];
    return NULL;
}

/** Why a worker's tunnel cannot serve; NULL: it can. */
static const char *
tunnel_unready(const struct worker_counters *worker, const struct tunnel_settings *t)
{
    const struct counters *c = counters_of(worker, t);

    if (c == NULL)
        return "has not begun";
    if (c->listening < settings_address_count(t))
        return "does not listen on all its addresses";
    if (t->dial.count > 0 && c->waiting == 0 && c->open == 0)
        return "has reached no other end that it dials";
    if (t->health_ms >= 0 && c->targets_up == 0)
        return "has no target that answers its health check";
    return NULL;
}

/** Begin a line. */
static void
put_worker(FILE *out, const struct admin_view *view, unsigned worker)
{
    if (view->workers > 1)
        fprintf(out, "worker %u: ", worker);
}

static unsigned
put_unready_worker(FILE *out, const struct admin_view *view, unsigned number)
{
    const struct worker_counters *worker = &view->counted[number];
    const struct settings *settings = view->settings;
    unsigned count = 0;

    if (worker->process.pid == 0 || worker->process.accept_paused) {
        put_worker(out, view, number);
        fprintf(out, "%s\n",
                worker->process.pid == 0
                    ? "it does not run"
                    : "it accepts nothing, for a lack of descriptors or memory");
        return 1;
    }
    for (size_t i = 0; i < settings->tunnel_count; i++) {
        const char *why = tunnel_unready(worker, &settings->tunnels[i]);
        if (why == NULL)
            continue;
        put_worker(out, view, number);
        fprintf(out, "the tunnel %s %s\n", settings->tunnels[i].name, why);
        count++;
    }
    return count;
}

unsigned
http_put_unready(FILE *out, const struct admin_view *view)
{
    unsigned count = 0;

    if (view->draining) {
        fprintf(out, "the service is ending\n");
        return 1;
    }
    for (unsigned i = 0; i < view->workers; i++)
        count += put_unready_worker(out, view, i);
    return count;
}

/* ---- Answers ---- */

/** The body of what was asked for. Returns the status. */
static enum http_status
put_body(FILE *out, const struct admin_view *view, const struct http_request *request,
         enum http_status status)
{
    if (status != HTTP_OK) {
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            if (lines[i].status == status && lines[i].text != NULL)
                fputs(lines[i].text, out);
    } else if (request->path == HTTP_METRICS) {
        metrics_put(out, view);
    } else if (request->path == HTTP_HEALTHZ) {
        fputs("alive\n", out);
    } else {
        if (http_put_unready(out, view) > 0)
            return HTTP_NOT_READY;
        fputs("ready\n", out);
    }
    return status;
}

static void
put_head(FILE *out, const struct http_request *request, enum http_status status, size_t body)
{
    time_t now = time(NULL);
    const char *words = "";
    char date[40] = "";
    struct tm utc;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (lines[i].status == status)
            words = lines[i].words;
    if (gmtime_r(&now, &utc) != NULL)
        (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    fprintf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", (int)status, words, date);
    if (status == HTTP_NO_METHOD)
        fprintf(out, "Allow: GET, HEAD\r\n");
    fprintf(out,
            "Content-Type: text/plain; %scharset=utf-8\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            "Connection: close\r\n\r\n",
            status == HTTP_OK && request->path == HTTP_METRICS ? "version=0.0.4; " : "", body);
}

/** Close a text that was printed; NULL: none. Returns 1 when all of it is there. */
static int
finish(FILE *out)
{
    if (out == NULL)
        return 0;
    int bad = ferror(out);
    return fclose(out) == 0 && !bad;
}

char *
http_answer(const struct admin_view *view, const struct http_request *request,
            enum http_status status, size_t *size)
{
    char *body = NULL, *text = NULL;
    size_t body_size = 0;
    FILE *out = open_memstream(&body, &body_size);

    if (out != NULL)
        status = put_body(out, view, request, status);
    int is_whole = finish(out);
    out = is_whole ? open_memstream(&text, size) : NULL;
    if (out != NULL) {
        put_head(out, request, status, body_size);
        if (!request->is_head)
            fwrite(body, 1, body_size, out);
    }
    is_whole = finish(out);
    free(body);
    if (is_whole)
        return text;
    free(text);
    return NULL;
}
