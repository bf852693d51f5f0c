/*
 * Reads duet run's configuration file (duet.conf(5)) into settings.
 *
 * The lines come from base/ini.h. What a setting may be is in option_table.c, what must go
 * together in settings_check(). Every fault is reported with file and line, and reading goes on
 * after it, so that one run reports them all.
 */
#include "settings.h"

#include "log.h"
#include "suggest.h"

#include "base/ini.h"

#include <duet/duet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MOST = 4096, SECTION_MOST = 256, FOLDER_MOST = 1024 }; /* bytes */
enum { SHOWN_MOST = 20 }; /* letters of a name: settings have 17, a secret's last line has 22 */

struct reader {
    struct settings *settings;
    struct faults *faults;
    const char *file; /* its name, made harmless */
    struct duet__ini ini;
    char folder[FOLDER_MOST]; /* of the file, with a final slash, or "" */
    enum { BEFORE, NOWHERE, GLOBAL, TUNNEL } section;
    struct settings *scrap; /* takes the lines outside of sections, so that they are checked too */
    struct tunnel_settings *tunnel; /* where the section's settings go */
    unsigned global_line;           /* where [Global] is */
    unsigned seen[OPTIONS_MOST];    /* lines where this section set each; 0: not yet */
};

static void __attribute__((format(printf, 2, 3)))
fault_at(struct reader *reader, const char *format, ...)
{
    char text[768];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    settings_fault(reader->faults, "%s:%u: %s", reader->file, reader->ini.line, text);
}

/* ---- Sections ---- */

static int
is_tunnel_name(const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return name[0] != 0 && name[strspn(name, good)] == 0;
}

static void
begin_tunnel(struct reader *reader, const char *name)
{
    struct settings *settings = reader->settings;
    char safe[TUNNEL_NAME_MOST * 4 + 1];

    reader->section = TUNNEL;
    if (!is_tunnel_name(name) || strlen(name) > TUNNEL_NAME_MOST)
        fault_at(reader,
                 "tunnel \"%s\": a name is 1 to %d letters, digits, dots, dashes and "
                 "underscores",
                 printable_word(name), TUNNEL_NAME_MOST);
    for (size_t i = 0; i < settings->tunnel_count; i++)
        if (strcmp(settings->tunnels[i].name, name) == 0) {
            fault_at(reader, "tunnel %s is in line %u already; give it another name", name,
                     settings->tunnels[i].line);
            break;
        }
    /* Its settings are judged whatever its name is. */
    reader->tunnel = settings_add(settings, printable_copy(safe, sizeof safe, name));
    if (reader->tunnel == NULL) {
        fault_at(reader, "tunnel %s: more than %d tunnels, or no memory", safe, TUNNELS_MOST);
        reader->tunnel = reader->scrap->tunnels;
        return;
    }
    reader->tunnel->line = reader->ini.line;
}

/** name: NULL: the brackets are not whole. */
static void
begin_section(struct reader *reader, const char *name)
{
    memset(reader->seen, 0, sizeof reader->seen);
    if (name != NULL && (strncmp(name, "Tunnel ", 7) == 0 || strcmp(name, "Tunnel") == 0)) {
        begin_tunnel(reader, name[6] == ' ' ? name + 7 : "");
        return;
    }
    reader->section = NOWHERE;
    reader->tunnel = reader->scrap->tunnels;
    if (name == NULL)
        return;
    if (strcmp(name, "Global") != 0) {
        fault_at(reader, "[%s]: no such section; there are [Global] and [Tunnel NAME]",
                 printable_word(name));
        return;
    }
    reader->section = GLOBAL;
    if (reader->global_line != 0)
        fault_at(reader, "[Global] is in line %u already; put its settings together",
                 reader->global_line);
    else
        reader->global_line = reader->ini.line;
}

/* ---- Settings ---- */

/** An unknown name may be a line of a secret's base64: only a short one is shown. */
static void
report_unknown(struct reader *reader, struct duet__text name)
{
    struct suggestion guess = {.word = name.at, .size = name.size};
    int size = name.size <= SHOWN_MOST ? (int)name.size : 0;

    for (size_t i = 0; i < option_count; i++)
        if (option_find(option_table[i].name, strlen(option_table[i].name)) != NULL)
            suggest_try(&guess, option_table[i].name);
    fault_at(reader, "%.*s%sno such setting%s; duet.conf(5) has them all", size, name.at,
             size > 0 ? ": " : "", suggest_text(&guess, ""));
}

/** Copy the line's value. Returns 0, or -1 with *why. */
static int
copy_value(char out[VALUE_MOST], struct duet__text value, const char **why)
{
    if (value.size >= VALUE_MOST) {
        *why = "the value is too long";
        return -1;
    }
    memcpy(out, value.at, value.size);
    out[value.size] = 0;
    *why = "the value holds a control character; write it anew";
    for (size_t i = 0; i < value.size; i++)
        if ((unsigned char)out[i] < ' ' ? out[i] != '\t' : out[i] == 0x7f)
            return -1;
    *why = "a comment after a value begins with ;, not with #";
    return strstr(out, " #") == NULL && strstr(out, "\t#") == NULL ? 0 : -1;
}

static void
set_value(struct reader *reader, const struct option *option)
{
    struct settings *process = reader->section == NOWHERE ? reader->scrap : reader->settings;
    char value[VALUE_MOST], why[OPTION_WHY];
    const char *fault;

    if (copy_value(value, reader->ini.value, &fault) != 0) {
        fault_at(reader, "%s: %s", option->name, fault);
        settings_refuse(option, reader->tunnel);
    } else if (settings_set(option, process, reader->tunnel, reader->folder, value, why) != 0) {
        fault_at(reader, "%s: %s: %s", option->name, printable_word(value), why);
    } else if (strcmp(option->name, "user") == 0) {
        process->user_line = reader->ini.line;
    }
    duet_wipe(value, sizeof value); /* it may be a line of a secret, put here by mistake */
}

static void
read_setting(struct reader *reader)
{
    const struct option *option = option_find(reader->ini.name.at, reader->ini.name.size);

    if (reader->section == BEFORE) {
        fault_at(reader,
                 "a setting before the first section; begin with [Global] or [Tunnel NAME]");
        reader->section = NOWHERE;
    }
    if (option == NULL) {
        report_unknown(reader, reader->ini.name);
        return;
    }
    if (reader->section != NOWHERE &&
        (option->at[IN_PROCESS] != 0) != (reader->section == GLOBAL)) {
        fault_at(reader, "%s: belongs into %s", option->name,
                 (option->at[IN_PROCESS] != 0) ? "[Global]" : "a [Tunnel NAME]");
        return;
    }
    unsigned *seen = &reader->seen[option - option_table];
    if (*seen != 0 && !option_is_list(option)) {
        fault_at(reader, "%s: is in line %u already; leave one of them", option->name, *seen);
        return;
    }
    *seen = reader->ini.line;
    set_value(reader, option);
}

/* ---- Lines ---- */

/** What base/ini.h refuses: the line's section or setting is not merely missing then. */
static void
refuse_line(struct reader *reader, const char *reason)
{
    const struct option *option = option_find(reader->ini.name.at, reader->ini.name.size);

    fault_at(reader, "%s", reason);
    if (reader->ini.kind == DUET__INI_SECTION)
        begin_section(reader, NULL);
    else if (option != NULL)
        settings_refuse(option, reader->tunnel);
}

static void
read_lines(struct reader *reader)
{
    duet_where where;
    char name[SECTION_MOST];

    for (;;) {
        if (duet__ini_next(&reader->ini, &where) != DUET_OK) {
            refuse_line(reader, where.reason);
        } else if (reader->ini.kind == DUET__INI_SECTION) {
            size_t size = reader->ini.name.size;
            snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name),
                     reader->ini.name.at);
            begin_section(reader, name);
        } else if (reader->ini.kind == DUET__INI_VALUE) {
            read_setting(reader);
        } else {
            return;
        }
    }
}

/** Get ready to read the file. Returns 0, or -1. */
static int
begin_file(struct reader *reader, const char *file)
{
    const char *slash = strrchr(file, '/');

    reader->settings->file = strdup(file);
    reader->scrap = settings_new();
    if (reader->scrap != NULL)
        reader->tunnel = settings_add(reader->scrap, "");
    if (reader->settings->file == NULL || reader->tunnel == NULL ||
        (slash != NULL && slash - file + 1 >= FOLDER_MOST))
        return -1;
    if (slash != NULL)
        memcpy(reader->folder, file, (size_t)(slash - file) + 1);
    return 0;
}

int
settings_parse(struct settings **settings, const char *file, const char *text, size_t size,
               struct faults *faults)
{
    char name[512];
    struct reader reader = {.settings = settings_new(),
                            .faults = faults,
                            .file = printable_copy(name, sizeof name, file),
                            .ini = duet__ini(text, size)};

    *settings = reader.settings;
    if (reader.settings == NULL)
        return -1;
    if (begin_file(&reader, file) != 0) {
        settings_fault(faults, "%s: no memory, or the path is too long", reader.file);
        goto out;
    }
    if (duet_kind_of(text, size) != DUET_KIND_UNKNOWN) {
        settings_fault(faults,
                       "%s: is a key, peers or profile file, and no configuration; name it in one",
                       reader.file);
        goto out;
    }
    read_lines(&reader);
    settings_check(reader.settings, faults);
    if (reader.settings->tunnel_count == 0 && faults->count == 0)
        settings_fault(faults, "%s: no [Tunnel NAME]; there is nothing to do", reader.file);
out:
    settings_free(reader.scrap);
    return faults->count == 0 ? 0 : -1;
}
