/*
 * Values of options by their kind: read from text, checked, defaulted and released. Which options
 * there are is in option_table.c.
 */
#include "address.h"
#include "log.h"
#include "option_table.h"
#include "strlist.h"
#include "values.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int __attribute__((format(printf, 2, 3)))
value_refuse(char why[OPTION_WHY], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, OPTION_WHY, format, arguments);
    va_end(arguments);
    return -1;
}

/** Find a choice's place. Returns 0; -1 with the choices as the reason. */
static int
find_choice(unsigned *place, const char *const *choices, const char *value, char why[OPTION_WHY])
{
    size_t size = 0;

    for (unsigned i = 0; choices[i] != NULL; i++)
        if (choices[i][0] != 0 && strcmp(choices[i], value) == 0) {
            *place = i;
            return 0;
        }
    for (unsigned i = 0; choices[i] != NULL && size < OPTION_WHY; i++) {
        const char *before = choices[i + 1] == NULL ? " or " : ", ";
        if (choices[i][0] != 0)
            size += (size_t)snprintf(why + size, OPTION_WHY - size, "%s%s",
                                     size == 0 ? "must be " : before, choices[i]);
    }
    return -1;
}

static int
set_seconds(const struct option *o, int *ms, const char *value, char why[OPTION_WHY])
{
    int never = o->kind == OPTION_SECONDS_OR_NEVER;

    if (never && strcmp(value, "never") == 0) {
        *ms = -1;
        return 0;
    }
    if (parse_seconds(ms, value) == 0 && (uint64_t)*ms >= o->least && (uint64_t)*ms <= o->most)
        return 0;
    return value_refuse(
        why, "must be a time such as 10, 0.5, 500ms or 2m, from %.10g to %.10g seconds%s",
        (double)o->least / 1000, (double)o->most / 1000, never ? ", or never" : "");
}

static int
set_range(const struct option *o, uint32_t *ms, const char *value, char why[OPTION_WHY])
{
    char copy[64];
    int least, most;

    int n = snprintf(copy, sizeof copy, "%s", value);
    char *dash = n > 0 && (size_t)n < sizeof copy ? strchr(copy, '-') : NULL;
    if (dash != NULL)
        *dash = 0;
    if (dash == NULL || parse_seconds(&least, copy) != 0 || parse_seconds(&most, dash + 1) != 0 ||
        least > most || (uint64_t)most > o->most)
        return value_refuse(why, "must be two numbers of seconds such as 30-90");
    ms[0] = (uint32_t)least;
    ms[1] = (uint32_t)most;
    return 0;
}

static int
set_number(const struct option *o, unsigned *out, const char *value, char why[OPTION_WHY])
{
    uint64_t number;

    if (o->choices != NULL && strcmp(value, o->choices[0]) == 0) { /* a word for the most */
        *out = (unsigned)o->most;
        return 0;
    }
    if (parse_number(&number, value, o->least, o->most) != 0)
        return value_refuse(why, "must be a number from %llu to %llu%s%s",
                            (unsigned long long)o->least, (unsigned long long)o->most,
                            o->choices != NULL ? ", or " : "",
                            o->choices != NULL ? o->choices[0] : "");
    *out = (unsigned)number;
    return 0;
}

static int
set_size(const struct option *o, uint64_t *out, const char *value, char why[OPTION_WHY])
{
    if (parse_size(out, value) != 0 || *out < o->least)
        return value_refuse(why, "must be a number such as 1000, 500k or 2G, at least %llu",
                            (unsigned long long)o->least);
    return 0;
}

static int
set_flag(unsigned *out, const char *value, char why[OPTION_WHY])
{
    int yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0)
        return value_refuse(why, "must be yes or no");
    *out = (unsigned)yes;
    return 0;
}

static int
set_text(const struct option *o, char **out, const char *value, char why[OPTION_WHY])
{
    unsigned place;

    const char *fault = o->fault != NULL ? o->fault(value) : NULL;

    if (fault != NULL)
        return value_refuse(why, "%s", fault);
    if (o->choices != NULL && find_choice(&place, o->choices, value, why) != 0)
        return -1;
    free(*out);
    *out = strdup(value);
    return *out != NULL ? 0 : value_refuse(why, "no memory");
}

/** Make a path whole: below systemd's credentials, or below the file's folder. */
static int
make_path(char *out, size_t cap, const char *folder, const char *value, char why[OPTION_WHY])
{
    static const char prefix[] = "credential:";
    const char *name = value, *below = value[0] == '/' ? "" : folder, *slash = "";

    if (strncmp(value, prefix, sizeof prefix - 1) == 0) {
        name = value + sizeof prefix - 1;
        below = getenv("CREDENTIALS_DIRECTORY");
        slash = "/";
        if (below == NULL)
            return value_refuse(why, "systemd gave this process no credentials; see "
                                     "LoadCredential= in systemd.exec(5)");
        if (name[0] == 0 || strchr(name, '/') != NULL)
            return value_refuse(why, "a credential's name is not empty and holds no slash");
    }
    int n = snprintf(out, cap, "%s%s%s", below, slash, name);
    return n >= 0 && (size_t)n < cap ? 0 : value_refuse(why, "the path is too long");
}

/** A Unix socket's path that is relative begins at the file's folder too. Returns 0, or -1. */
static int
make_address(char *out, size_t cap, const char *folder, const char *value, char why[OPTION_WHY])
{
    static const char prefix[] = "unix:";
    int is_unix = strncmp(value, prefix, sizeof prefix - 1) == 0;
    const char *path = is_unix ? value + sizeof prefix - 1 : "";
    int is_relative = path[0] != '/' && path[0] != '@' && path[0] != 0;

    int n = is_relative ? snprintf(out, cap, "%s%s%s", prefix, folder, path)
                        : snprintf(out, cap, "%s", value);
    return n >= 0 && (size_t)n < cap ? 0 : value_refuse(why, "the address is too long");
}

static int
set_list(const struct option *o, struct strlist *list, const char *value, char why[OPTION_WHY])
{
    const char *fault = o->fault != NULL ? o->fault(value) : NULL;

    if (fault != NULL)
        return value_refuse(why, "%s", fault);
    return strlist_add(list, value) == 0 ? 0 : value_refuse(why, "no memory");
}

int
option_set(const struct option *o, enum option_owner owner, void *base, const char *folder,
           const char *value, char why[OPTION_WHY])
{
    char path[4096];
    void *at = (char *)base + o->at[owner];

    if (value[0] == 0)
        return value_refuse(why, "has no value");
    if (o->kind == OPTION_PATH || o->kind == OPTION_PATHS) {
        if (make_path(path, sizeof path, folder, value, why) != 0)
            return -1;
        value = path;
    } else if (o->kind == OPTION_LIST) {
        if (make_address(path, sizeof path, folder, value, why) != 0)
            return -1;
        value = path;
    }
    switch (o->kind) {
    case OPTION_TEXT:
    case OPTION_PATH:
        return set_text(o, at, value, why);
    case OPTION_NUMBER:
        return set_number(o, at, value, why);
    case OPTION_SIZE:
        return set_size(o, at, value, why);
    case OPTION_SECONDS:
    case OPTION_SECONDS_OR_NEVER:
        return set_seconds(o, at, value, why);
    case OPTION_RANGE:
        return set_range(o, at, value, why);
    case OPTION_CHOICE:
        return find_choice(at, o->choices, value, why);
    case OPTION_FLAG:
        return set_flag(at, value, why);
    default:
        return set_list(o, at, value, why);
    }
}

int
option_is_list(const struct option *o)
{
    return o->kind == OPTION_PATHS || o->kind == OPTION_LIST;
}

void
option_defaults(enum option_owner owner, void *base)
{
    char why[OPTION_WHY];

    for (size_t i = 0; i < option_count; i++)
        if (option_table[i].at[owner] != 0 && option_table[i].standard != NULL)
            (void)option_set(&option_table[i], owner, base, "", option_table[i].standard, why);
}

void
option_free(enum option_owner owner, void *base)
{
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        char **text = (char **)(void *)((char *)base + o->at[owner]);
        if (o->at[owner] == 0)
            continue;
        if (option_is_list(o))
            strlist_free((struct strlist *)(void *)text);
        if (o->kind != OPTION_TEXT && o->kind != OPTION_PATH)
            continue;
        free(*text);
        *text = NULL;
    }
}
