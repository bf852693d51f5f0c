/*
 * The strict reader of small files (see ini.h).
 */
#include "secret/ini.h"

#include "base/public.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN = 40 }; /* characters of a name that an error quotes */

struct duet__ini
duet__ini(const char *text, size_t size)
{
    struct duet__ini ini = {.at = text, .end = text + size};
    return ini;
}

int
duet__ini_refuse(const struct duet__ini *ini, duet_where *where, const char *format, ...)
{
    va_list arguments;

    where->line = ini->kind == DUET__INI_END ? 0 : ini->line;
    va_start(arguments, format);
    vsnprintf(where->reason, sizeof where->reason, format, arguments);
    va_end(arguments);
    return DUET_E_FORMAT;
}

int
duet__text_is(struct duet__text text, const char *word)
{
    /* public: names and words, never a secret */
    return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

int
duet__text_number(uint64_t *number, struct duet__text text, uint64_t most)
{
    *number = 0;
    if (text.size == 0)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');
        if (digit > 9 || *number > most / 10)
            return -1;
        *number = *number * 10 + digit;
        if (*number > most)
            return -1;
    }
    return 0;
}

int
duet__ini_once(const struct duet__ini *ini, duet_where *where, unsigned *seen, unsigned bit)
{
    if (*seen & bit)
        return duet__ini_refuse(ini, where, "%.*s stands there twice: delete one",
                                (int)(ini->name.size < SHOWN ? ini->name.size : SHOWN),
                                ini->name.at);
    *seen |= bit;
    return DUET_OK;
}

/** Lines may hold digits of a secret: that these are no blanks and no line ends is all that shows.
 */
static int
is_either(char c, char a, char b)
{
    int is = (c == a) | (c == b);

    DUET__PUBLIC(&is, sizeof is);
    return is;
}

static int
is_blank(char c)
{
    return is_either(c, ' ', '\t');
}

static struct duet__text
trim(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    while (end > at && is_blank(end[-1]))
        end--;
    return (struct duet__text){at, (size_t)(end - at)};
}

/** Cut the next line off, without its end. */
static struct duet__text
next_line(struct duet__ini *ini)
{
    const char *newline = memchr(ini->at, '\n', (size_t)(ini->end - ini->at));
    const char *stop = newline != NULL ? newline : ini->end;
    struct duet__text line = {ini->at, (size_t)(stop - ini->at)};

    ini->at = newline != NULL ? newline + 1 : ini->end;
    ini->line++;
    if (line.size > 0 && is_either(line.at[line.size - 1], '\r', '\r'))
        line.size--;
    return line;
}

static int
read_section(struct duet__ini *ini, struct duet__text line, duet_where *where)
{
    if (line.at[line.size - 1] != ']')
        return duet__ini_refuse(ini, where, "the section's ] must end the line");
    ini->kind = DUET__INI_SECTION;
    ini->name = trim(line.at + 1, line.at + line.size - 1);
    return DUET_OK;
}

/** Names are letters, so that a byte of a secret is never taken, or shown, for one. */
static int
is_name(struct duet__text name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!((name.at[i] >= 'A' && name.at[i] <= 'Z') || (name.at[i] >= 'a' && name.at[i] <= 'z')))
            return 0;
    return name.size > 0;
}

static int
read_value(struct duet__ini *ini, struct duet__text line, duet_where *where)
{
    const char *equals = memchr(line.at, '=', line.size);

    ini->kind = DUET__INI_VALUE;
    if (equals == NULL)
        return duet__ini_refuse(ini, where, "neither [Section] nor Name = value");
    ini->name = trim(line.at, equals);
    ini->value = trim(equals + 1, line.at + line.size);
    if (!is_name(ini->name))
        return duet__ini_refuse(ini, where, "neither [Section] nor Name = value");
    if (ini->value.size == 0)
        return duet__ini_refuse(ini, where, "a name without a value");
    return DUET_OK;
}

int
duet__ini_next(struct duet__ini *ini, duet_where *where)
{
    int had_value = ini->kind == DUET__INI_VALUE || ini->kind == DUET__INI_MORE;

    while (ini->at < ini->end) {
        struct duet__text line = next_line(ini);
        struct duet__text content = trim(line.at, line.at + line.size);

        ini->kind = DUET__INI_VALUE; /* for an error's line */
        if (memchr(line.at, 0, line.size) != NULL)
            return duet__ini_refuse(ini, where, "a NUL byte: this is not a text file");
        if (content.size == 0 || line.at[0] == '#' || line.at[0] == ';')
            continue;
        if (is_blank(line.at[0])) {
            if (!had_value)
                return duet__ini_refuse(ini, where, "an indented line without a value above it");
            ini->kind = DUET__INI_MORE;
            ini->value = content;
            return DUET_OK;
        }
        return content.at[0] == '[' ? read_section(ini, content, where)
                                    : read_value(ini, content, where);
    }
    ini->kind = DUET__INI_END;
    return DUET_OK;
}
