/*
 * The strict INI reader (see ini.h for the dialect).
 *
 * A line may hold digits of a secret, so the only branches on its bytes ask for blanks, comments
 * and line ends, and say so (base/public.h). No message quotes a value.
 */
#include "base/ini.h"

#include "base/public.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct duet__ini
duet__ini(const char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8's byte order mark */
    struct duet__ini ini = {.at = text, .end = text + size};

    if (size >= 3 && memcmp(text, mark, 3) == 0) /* public: no digit of base64 */
        ini.at += 3;
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

/* ---- Lines ---- */

/** Compare a byte that may be a secret's; whether it is one of these two is public. */
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

/** Where a comment begins, with the blank before it; or the end. */
static const char *
find_comment(const char *at, const char *end)
{
    for (; at + 1 < end; at++)
        if (is_blank(at[0]) && is_either(at[1], ';', ';'))
            return at;
    return end;
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
    const char *end = line.at + line.size;

    ini->kind = DUET__INI_SECTION;
    for (const char *at = line.at; at < end; at++) {
        if (*at != ']') /* first, or a line of blanks would take quadratic time */
            continue;
        struct duet__text rest = trim(at + 1, end);
        if (rest.size == 0 || rest.at[0] == ';' || rest.at[0] == '#') {
            ini->name = trim(line.at + 1, at);
            return DUET_OK;
        }
    }
    return duet__ini_refuse(ini, where, "a section must end with ] and nothing after it");
}

/** Names are letters and dashes, so that a line of a secret is seldom taken for one. */
static int
is_ini_name(struct duet__text name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!((name.at[i] >= 'A' && name.at[i] <= 'Z') ||
              (name.at[i] >= 'a' && name.at[i] <= 'z') || name.at[i] == '-'))
            return 0;
    return name.size > 0;
}

static int
read_value(struct duet__ini *ini, struct duet__text line, duet_where *where)
{
    const char *equals = memchr(line.at, '=', line.size), *end = line.at + line.size;

    if (equals != NULL)
        ini->name = trim(line.at, equals);
    if (!is_ini_name(ini->name)) {
        ini->name.size = 0;
        return duet__ini_refuse(ini, where,
                                "neither [Section] nor Name = value; a name is letters and dashes");
    }
    ini->text = trim(equals + 1, end);
    ini->value = trim(equals + 1, find_comment(equals + 1, end));
    if (ini->text.size == 0)
        return duet__ini_refuse(ini, where, "a name without a value");
    return DUET_OK;
}

int
duet__ini_next(struct duet__ini *ini, duet_where *where)
{
    while (ini->at < ini->end) {
        struct duet__text line = next_line(ini);
        struct duet__text content = trim(line.at, line.at + line.size);

        ini->kind = DUET__INI_VALUE; /* for an error's line */
        ini->name = (struct duet__text){line.at, 0};
        if (memchr(line.at, 0, line.size) != NULL)
            return duet__ini_refuse(ini, where, "a NUL byte: this is not a text file");
        if (content.size == 0 || is_either(content.at[0], '#', ';'))
            continue;
        if (ini->continues && is_blank(line.at[0])) {
            ini->kind = DUET__INI_CONTINUED;
            ini->value = ini->text = content;
            return DUET_OK;
        }
        ini->continues = 0;
        if (content.at[0] == '[')
            return read_section(ini, content, where);
        return read_value(ini, content, where);
    }
    ini->kind = DUET__INI_END;
    return DUET_OK;
}

/* ---- Sections ---- */

/** Refuse a name that the section does not have, and list those that it has. */
static int
refuse_unknown(const struct duet__ini *ini, duet_where *where, const struct duet__ini_field *field)
{
    char names[sizeof where->reason] = "";
    size_t size = 0;

    for (; field->name != NULL && size < sizeof names; field++)
        size += (size_t)snprintf(names + size, sizeof names - size, "%s%s", size > 0 ? ", " : "",
                                 field->name);
    return duet__ini_refuse(ini, where, "an unknown name; there are %s", names);
}

int
duet__ini_section(struct duet__ini *ini, duet_where *where, const struct duet__ini_field *fields,
                  void *into, unsigned *seen)
{
    const struct duet__ini_field *field = fields;
    int result;

    *seen = 0;
    while ((result = duet__ini_next(ini, where)) == DUET_OK) {
        if (ini->kind == DUET__INI_END || ini->kind == DUET__INI_SECTION)
            break;
        if (ini->kind == DUET__INI_VALUE) {
            for (field = fields; field->name != NULL && !duet__text_is(ini->name, field->name);)
                field++;
            if (field->name == NULL)
                return refuse_unknown(ini, where, fields);
            if (*seen & 1u << (field - fields))
                return duet__ini_refuse(ini, where, "%s is given twice: delete one", field->name);
            *seen |= 1u << (field - fields);
        }
        result = field->read(into, ini, where);
        if (result != DUET_OK)
            break;
    }
    for (field = fields; result == DUET_OK && field->name != NULL; field++)
        if (field->needed && !(*seen & 1u << (field - fields)))
            return duet__ini_refuse(ini, where, "%s is missing: is the file complete?",
                                    field->name);
    return result;
}

int
duet__ini_only_section(struct duet__ini *ini, duet_where *where, const char *section,
                       const struct duet__ini_field *fields, void *into, unsigned *seen)
{
    int result = duet__ini_next(ini, where);

    if (result != DUET_OK)
        return result;
    if (ini->kind != DUET__INI_SECTION || !duet__text_is(ini->name, section))
        return duet__ini_refuse(ini, where, "it must begin with [%s]", section);
    result = duet__ini_section(ini, where, fields, into, seen);
    if (result == DUET_OK && ini->kind != DUET__INI_END)
        return duet__ini_refuse(ini, where, "only Name = value may follow [%s]", section);
    return result;
}

int
duet__ini_version(void *into, struct duet__ini *ini, duet_where *where)
{
    (void)into;
    return duet__text_is(ini->value, "1")
               ? DUET_OK
               : duet__ini_refuse(ini, where, "Version is not 1: made by a later duet?");
}
