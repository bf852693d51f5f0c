/*
 * The log (see record.h). A line is a list of fields first, which one of three writers formats. The
 * names of fields and the words of outcomes are an interface.
 */
#include "record.h"

#include "log.h"
#include "os/os.h"
#include "system_log.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { FIELDS_MOST = 24, NOTE_MOST = 2048 };

struct field {
    const char *name;
    const char *text; /* printable UTF-8; NULL: the number counts */
    uint64_t number;
    int is_ms; /* 1: the number is milliseconds, printed in seconds */
};

/** A line under construction, with room for the texts that are made for it. */
struct line {
    struct field fields[FIELDS_MOST];
    size_t count;
    char time[32], from[RECORD_ADDRESS], via[RECORD_ADDRESS];
    char secret[2 * DUET_SECRET_ID_SIZE + 1], key[DUET_KEY_TEXT_SIZE];
    char target[512], name[512], reason[NOTE_MOST];
};

static struct {
    enum log_format format;
    enum log_target target;
    uint64_t lost; /* lines that nobody read */
} state;

static const char *const outcomes[] = {[END_DONE] = "done",
                                       [END_CUT] = "cut",
                                       [END_REFUSED] = "refused",
                                       [END_UNAUTHENTICATED] = "stranger",
                                       [END_UNREACHED] = "unreached"};
static const char *const levels[] = {
    [RECORD_ERROR] = "error", [RECORD_WARNING] = "warning", [RECORD_INFO] = "info"};

/* ---- A line's fields ---- */

static void
add_text(struct line *line, const char *name, const char *text)
{
    if (text != NULL)
        line->fields[line->count++] = (struct field){name, text, 0, 0};
}

static void
add_number(struct line *line, const char *name, uint64_t number, int is_ms)
{
    line->fields[line->count++] = (struct field){name, NULL, number, is_ms};
}

/** A text from outside, made printable; NULL stays NULL. */
static const char *
printable_field(char *room, size_t cap, const char *text)
{
    return text != NULL ? printable_copy(room, cap, text) : NULL;
}

const char *
record_address(char room[RECORD_ADDRESS], const struct sockaddr *address)
{
    char host[128], port[16];

    if (address == NULL)
        return NULL;
    socklen_t size =
        address->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        getnameinfo(address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return "unix";
    snprintf(room, RECORD_ADDRESS, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    return room;
}

static void
add_time(struct line *line, uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm;

    if (unix_ms == 0 || gmtime_r(&seconds, &tm) == NULL)
        return;
    size_t n = strftime(line->time, sizeof line->time, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(line->time + n, sizeof line->time - n, ".%03uZ", (unsigned)(unix_ms % 1000));
    add_text(line, "time", line->time);
}

static void
add_connection(struct line *line, const struct record *r, int for_program)
{
    add_text(line, "event", "connection");
    add_text(line, "tunnel", r->tunnel);
    add_number(line, "id", r->id, 0);
    add_text(line, "from", record_address(line->from, r->from));
    add_text(line, "via", record_address(line->via, r->via));
    add_text(line, "target", printable_field(line->target, sizeof line->target, r->target));
    if (r->secret_id != NULL) {
        to_hex(line->secret, r->secret_id, DUET_SECRET_ID_SIZE);
        add_text(line, "secret", line->secret);
    }
    if (r->peer_key != NULL) {
        duet_key_text(line->key, r->peer_key);
        add_text(line, "identity", line->key);
    }
    add_text(line, "peer", printable_field(line->name, sizeof line->name, r->peer_name));
    add_number(line, "bytes_in", r->bytes_in, 0);
    add_number(line, "bytes_out", r->bytes_out, 0);
    if (for_program) { /* names that 0.1.0 had */
        add_number(line, "octets_in", r->bytes_in, 0);
        add_number(line, "octets_out", r->bytes_out, 0);
    }
    add_number(line, "seconds", r->duration_ms, 1);
    if (r->setup_ms > 0)
        add_number(line, "setup", r->setup_ms, 1);
    if (r->is_hybrid)
        add_text(line, "hybrid", "ml-kem-768");
    add_text(line, "outcome", outcomes[r->outcome]);
    add_text(line, "reason", printable_field(line->reason, sizeof line->reason, r->reason));
}

/* ---- Formats ---- */

/** Append, as far as there is room. */
static void __attribute__((format(printf, 3, 4)))
append(char out[RECORD_LINE], size_t *size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int n = vsnprintf(out + *size, RECORD_LINE - *size, format, arguments);
    va_end(arguments);
    if (n > 0)
        *size = *size + (size_t)n < RECORD_LINE ? *size + (size_t)n : RECORD_LINE - 1;
}

static void
put_number(char out[RECORD_LINE], size_t *size, const struct field *field)
{
    if (field->is_ms)
        append(out, size, "%llu.%03u", (unsigned long long)(field->number / 1000),
               (unsigned)(field->number % 1000));
    else
        append(out, size, "%llu", (unsigned long long)field->number);
}

/** logfmt: a value with anything but plain characters stands in quotes. */
static void
put_quoted(char out[RECORD_LINE], size_t *size, const char *text)
{
    if (*text != 0 && strpbrk(text, " \"=\\") == NULL) {
        append(out, size, "%s", text);
        return;
    }
    append(out, size, "\"");
    for (; *text != 0; text++)
        append(out, size, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    append(out, size, "\"");
}

static size_t
format_logfmt(char out[RECORD_LINE], const struct line *line)
{
    size_t size = 0;

    for (size_t i = 0; i < line->count; i++) {
        append(out, &size, "%s%s=", i > 0 ? " " : "", line->fields[i].name);
        if (line->fields[i].text != NULL)
            put_quoted(out, &size, line->fields[i].text);
        else
            put_number(out, &size, &line->fields[i]);
    }
    return size;
}

static json_t *
json_of(const struct field *field)
{
    if (field->text != NULL)
        return json_string(field->text);
    if (field->is_ms)
        return json_real((double)field->number / 1000);
    return json_integer((json_int_t)field->number);
}

static size_t
format_json(char out[RECORD_LINE], const struct line *line)
{
    json_t *object = json_object();
    size_t size = 0;
    int bad = object == NULL;

    for (size_t i = 0; i < line->count && !bad; i++)
        bad = json_object_set_new(object, line->fields[i].name, json_of(&line->fields[i])) != 0;
    if (!bad)
        size = json_dumpb(object, out, RECORD_LINE - 1, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (bad || size >= RECORD_LINE)
        return format_logfmt(out, line); /* no memory, or no room */
    out[size] = 0;
    return size;
}

/** For people: a connection's fields in the order of a sentence. */
static size_t
format_text(char out[RECORD_LINE], const struct line *line)
{
    size_t size = 0;

    for (size_t i = 0; i < line->count; i++) {
        const struct field *field = &line->fields[i];
        const char *name = field->name;
        if (strcmp(name, "event") == 0)
            continue;
        int bare = strcmp(name, "time") == 0 || strcmp(name, "message") == 0;
        int last = strcmp(name, "reason") == 0;
        append(out, &size, "%s", i == 0 ? "" : last ? ": " : " ");
        if (strcmp(name, "level") == 0) {
            append(out, &size, "%s:", field->text);
            continue;
        }
        if (!bare && !last)
            append(out, &size, "%s ", name);
        if (field->text != NULL)
            append(out, &size, "%s", field->text);
        else
            put_number(out, &size, field);
        if (!bare && !last && i + 2 < line->count)
            append(out, &size, ",");
    }
    return size;
}

size_t
record_format(char out[RECORD_LINE], enum log_format format, uint64_t unix_ms,
              enum record_level level, const struct record *record, const char *note)
{
    struct line line = {.count = 0};

    out[0] = 0;
    add_time(&line, unix_ms);
    if (record == NULL || format != LOG_TEXT)
        add_text(&line, "level", levels[level]);
    if (record != NULL)
        add_connection(&line, record, format != LOG_TEXT);
    else
        add_text(&line, "message", printable_field(line.reason, sizeof line.reason, note));
    if (format == LOG_JSON)
        return format_json(out, &line);
    return format == LOG_LOGFMT ? format_logfmt(out, &line) : format_text(out, &line);
}

/* ---- Writing ---- */

/** Write a line to standard error if that would not block. Returns 0, or -1. */
static int
write_line(char text[RECORD_LINE], size_t size)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&fd, 1, 0) != 1 || (fd.revents & POLLOUT) == 0)
        return -1;
    text[size] = '\n';
    return write(STDERR_FILENO, text, size + 1) == (ssize_t)(size + 1) ? 0 : -1;
}

/** Send a line to syslog, which has a time of its own. Returns 0, or -1. */
static int
log_to_syslog(enum record_level level, const struct record *record, const char *note)
{
    static const int priorities[] = {
        [RECORD_ERROR] = LOG_ERR, [RECORD_WARNING] = LOG_WARNING, [RECORD_INFO] = LOG_INFO};
    char text[RECORD_LINE];

    record_format(text, state.format, 0, level, record, note);
    return system_log_write(priorities[level], text);
}

static int
log_to_stderr(enum record_level level, const struct record *record, const char *note)
{
    char text[RECORD_LINE];
    size_t size = record_format(text, state.format, duet__os_unix_ms(), level, record, note);

    return write_line(text, size);
}

/** Returns 0, or -1: nobody took the line. */
static int
log_line_to_target(enum record_level level, const struct record *record, const char *note)
{
    return state.target == LOG_SYSTEM ? log_to_syslog(level, record, note)
                                      : log_to_stderr(level, record, note);
}

/** Log a connection, or a note where record is NULL; first how many lines were lost before. errno
 * stays. */
static void
log_record(enum record_level level, const struct record *record, const char *note)
{
    char lost[64];
    int error = errno;

    if (state.lost > 0) {
        snprintf(lost, sizeof lost, "%llu lines were lost, as nobody read them",
                 (unsigned long long)state.lost);
        if (log_line_to_target(RECORD_WARNING, NULL, lost) == 0)
            state.lost = 0;
    }
    state.lost += log_line_to_target(level, record, note) != 0;
    errno = error;
}

/** Take a line of log.h. */
static void
log_note(enum log_kind kind, const char *text)
{
    static const enum record_level level[] = {[LOG_AS_ERROR] = RECORD_ERROR,
                                              [LOG_AS_WARNING] = RECORD_WARNING,
                                              [LOG_AS_INFO] = RECORD_INFO};

    log_record(level[kind], NULL, text);
}

void
record_start(enum log_format format, enum log_target target)
{
    state.format = format;
    state.target = target;
    log_line = log_note;
}

void
record_write(const struct record *record)
{
    if (log_level >= 0)
        log_record(record->outcome == END_DONE ? RECORD_INFO : RECORD_WARNING, record, NULL);
}

void
record_note(enum record_level level, const char *format, ...)
{
    char text[NOTE_MOST];
    va_list arguments;

    if (level == RECORD_INFO && log_level < 0)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_record(level, NULL, text);
}
