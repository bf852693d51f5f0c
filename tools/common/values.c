/*
 * Numbers and times as text (see values.h).
 */
#include "values.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int
parse_number(uint64_t *number, const char *text, uint64_t least, uint64_t most)
{
    *number = 0;
    if (*text == 0)
        return -1;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || *number > most / 10)
            return -1;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return *number >= least && *number <= most ? 0 : -1;
}

int
parse_seconds(int *ms, const char *text)
{
    static const struct {
        const char *name;
        double ms;
    } units[] = {{"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 6e4}, {"h", 36e5}};
    char *end;

    if (*text < '0' || *text > '9')
        return -1;
    double number = strtod(text, &end);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        double milliseconds = number * units[i].ms;
        if (!(milliseconds >= 0 && milliseconds <= 1e9))
            return -1;
        *ms = (int)(milliseconds + 0.5);
        return 0;
    }
    return -1;
}

int
parse_size(uint64_t *bytes, const char *text)
{
    static const char letters[] = "kMGT";
    size_t size = strlen(text);
    const char *letter = size > 1 ? strchr(letters, text[size - 1]) : NULL;
    unsigned shift = letter != NULL ? 10 * (unsigned)(letter - letters + 1) : 0;
    char digits[32];

    size -= letter != NULL;
    if (size == 0 || size >= sizeof digits)
        return -1;
    memcpy(digits, text, size);
    digits[size] = 0;
    if (parse_number(bytes, digits, 0, UINT64_MAX >> shift) != 0)
        return -1;
    *bytes <<= shift;
    return 0;
}
