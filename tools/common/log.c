/*
 * Messages to the user (see log.h): formatted, made printable, written as one line each.
 */
#include "log.h"

#include "base/utf8.h"

#include <duet/duet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int log_level;
int log_ascii;
const char *log_place;
void (*log_line)(enum log_kind kind, const char *text);

/** One write for the whole line, so that lines of several processes do not mix. */
static void
log_write(enum log_kind kind, const char *format, va_list arguments)
{
    char text[2048];
    int place = snprintf(text, sizeof text, "%s", log_place != NULL ? log_place : "");

    if (place < 0 || (size_t)place >= sizeof text ||
        vsnprintf(text + place, sizeof text - (size_t)place, format, arguments) < 0)
        return;
    if (log_line != NULL) {
        log_line(kind, text);
        return;
    }
    fflush(stdout); /* what was printed before comes first; finish_output() reports a failure */
    fprintf(stderr, "duet: %s\n", text);
}

int
log_error(int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_write(LOG_AS_ERROR, format, arguments);
    va_end(arguments);
    return code;
}

void
log_warning(const char *format, ...)
{
    va_list arguments;

    if (log_level < 0)
        return;
    va_start(arguments, format);
    log_write(LOG_AS_WARNING, format, arguments);
    va_end(arguments);
}

void
log_info(const char *format, ...)
{
    va_list arguments;

    if (log_level < 0)
        return;
    va_start(arguments, format);
    log_write(LOG_AS_INFO, format, arguments);
    va_end(arguments);
}

void
log_verbose(const char *format, ...)
{
    va_list arguments;

    if (log_level < 1)
        return;
    va_start(arguments, format);
    log_write(LOG_AS_INFO, format, arguments);
    va_end(arguments);
}

int
finish_output(int code)
{
    /* A failed write in the middle leaves its mark, though the last flush may succeed. */
    int bad = fflush(stdout) != 0;

    if (!bad && !ferror(stdout))
        return code;
    return log_error(EXIT_LOCAL, "standard output: %s; the output is not complete",
                     bad ? errno_text() : "a write failed");
}

const char *
errno_text(void)
{
    return strerror(errno);
}

/** What the options of either end can do about it, where the library's words name such a cause. */
static const char *
find_cure(const char *what)
{
    static const struct {
        const char *words, *cure;
    } cures[] = {
        {"pattern 0, which is not accepted",
         ": give --pattern secret to this end too, or leave it out at the peer"},
        {"pattern 1, which is not accepted",
         ": this end accepts identities only; give the peer -i FILE, or leave out --peers here"},
        {"pattern 2, which is not accepted",
         ": the peer has an identity; give this end -i FILE too, or leave out -i at the peer"},
        {"closed before it proved", ", or does not trust this end's identity"},
    };

    for (size_t i = 0; i < sizeof cures / sizeof cures[0]; i++)
        if (strstr(what, cures[i].words) != NULL)
            return cures[i].cure;
    return "";
}

const char *
channel_error(duet_channel *channel)
{
    static _Thread_local char text[768];
    const char *what = duet_session_detail(duet_channel_session(channel));
    const char *detail = duet_channel_detail(channel), *cure = find_cure(what);

    if (*what == 0)
        return detail;
    if (*cure != 0 || strstr(detail, what) != NULL || strstr(what, detail) != NULL)
        snprintf(text, sizeof text, "%s%s", what, cure);
    else
        snprintf(text, sizeof text, "%s (%s)", what, detail);
    return text;
}

/** 1 when an invisible character begins here, or one that turns the direction of writing: a name
 * with them looks like another name. */
static int
is_invisible(const char *name)
{
    static const struct {
        const char *first, *last; /* in UTF-8, of one size */
    } ranges[] = {
        {"\xc2\xad", "\xc2\xad"},                 /* U+00AD */
        {"\xcd\x8f", "\xcd\x8f"},                 /* U+034F */
        {"\xd8\x9c", "\xd8\x9c"},                 /* U+061C */
        {"\xe1\x85\x9f", "\xe1\x85\xa0"},         /* U+115F, U+1160 */
        {"\xe1\xa0\x8b", "\xe1\xa0\x8f"},         /* U+180B to U+180F */
        {"\xe2\x80\x8b", "\xe2\x80\x8f"},         /* U+200B to U+200F */
        {"\xe2\x80\xa8", "\xe2\x80\xae"},         /* U+2028 to U+202E */
        {"\xe2\x81\xa0", "\xe2\x81\xaf"},         /* U+2060 to U+206F */
        {"\xe3\x85\xa4", "\xe3\x85\xa4"},         /* U+3164 */
        {"\xef\xbb\xbf", "\xef\xbb\xbf"},         /* U+FEFF */
        {"\xef\xbe\xa0", "\xef\xbe\xa0"},         /* U+FFA0 */
        {"\xef\xbf\xb9", "\xef\xbf\xbb"},         /* U+FFF9 to U+FFFB */
        {"\xf3\xa0\x80\x80", "\xf3\xa0\xbf\xbf"}, /* U+E0000 to U+E0FFF */
    };

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        size_t size = strlen(ranges[i].first);
        if (strncmp(name, ranges[i].first, size) >= 0 && strncmp(name, ranges[i].last, size) <= 0)
            return 1;
    }
    return 0;
}

/** Bytes of the character that begins the name; 0: it is no UTF-8, a control character, or not
 * ASCII while log_ascii is set. */
static size_t
printable_size(const char *name)
{
    const unsigned char *p = (const unsigned char *)name;

    if (*p < ' ' || *p == 0x7f || (*p >= 0x80 && log_ascii) || (*p == 0xc2 && p[1] < 0xa0) ||
        is_invisible(name))
        return 0;
    return duet__utf8_size(name, strnlen(name, 4));
}

const char *
printable_copy(char *out, size_t cap, const char *name)
{
    size_t put = 0;

    for (size_t size; *name != 0 && put + 5 <= cap; name += size) {
        size = printable_size(name);
        if (size > 0)
            memcpy(out + put, name, size);
        else
            snprintf(out + put, 5, "\\x%02x", (unsigned char)*name);
        put += size > 0 ? size : 4;
        size += size == 0;
    }
    out[put] = 0;
    return out;
}

const char *
printable(const char *name)
{
    static _Thread_local char rooms[4][512];
    static _Thread_local unsigned turn;

    return *name == 0 ? "\"\"" : printable_copy(rooms[turn++ % 4], sizeof rooms[0], name);
}

int
looks_secret(const char *word)
{
    enum { ROW = 40, MARKED = 10 }; /* a 32-byte key has 44 digits, a line of a key file 64 */
    const char *host = strstr(word, "://");
    static const char small[] = "abcdefghijklmnopqrstuvwxyz/";
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+";

    if (host != NULL && strchr(host, '@') != NULL)
        return 1; /* a URL with a name and a password */
    for (size_t row; *word != 0; word += row + (word[row] != 0)) {
        row = strspn(word, digits);
        size_t marked = 0; /* what is rare in paths */
        for (size_t i = 0; i < row; i++)
            marked += strchr(small, word[i]) == NULL;
        if (row >= ROW && (marked >= MARKED || word[row] == '='))
            return 1;
    }
    return 0;
}

const char *
printable_word(const char *word)
{
    return looks_secret(word) ? "(it looks like a key or a password, so it is not shown)"
                              : printable(word);
}

void
to_hex(char *out, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

int
exit_of(int result)
{
    switch (result) {
    case DUET_OK:
    case DUET_CLOSED:
        return EXIT_DONE;
    case DUET_AGAIN:
    case DUET_SLOW:
        return EXIT_SLOW;
    case DUET_E_UNAUTHENTICATED:
        return EXIT_STRANGER;
    case DUET_E_UNTRUSTED:
        return EXIT_POLICY;
    case DUET_E_TRUNCATED:
        return EXIT_TRUNCATED;
    case DUET_E_FORGED:
    case DUET_E_SEQUENCE:
    case DUET_E_CHECKSUM:
    case DUET_E_TOO_LONG:
    case DUET_E_PROTOCOL:
    case DUET_E_CODE:
        return EXIT_INTEGRITY;
    case DUET_E_IO:
        return EXIT_LOCAL;
    case DUET_E_MEMORY:
        return EXIT_LIMIT;
    default:
        return EXIT_FAILED;
    }
}
