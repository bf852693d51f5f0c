/*
 * Reads duet run's configuration file (duet.conf(5)) into settings, and the files that it includes.
 *
 * The lines come from base/ini.h. What a setting may be is in option_table.c, what must go
 * together in settings_check(). Every fault is reported with file and line, and reading goes on
 * after it, so that one run reports them all.
 *
 * The files that are being read are a stack: an included file is read to its end before the line
 * after its `include`. It begins outside of any section, and the section that includes it goes on.
 */
#include "include.h"
#include "settings.h"

#include "log.h"
#include "suggest.h"

#include "base/ini.h"

#include <duet/duet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MOST = 4096, SECTION_MOST = 256, FOLDER_MOST = 1024, PLACE_MOST = 560 };
enum { SHOWN_MOST = 20 }; /* letters of a name: settings have 17, a secret's last line has 22 */

/** A file that is being read. */
struct source {
    struct source *outer; /* that includes it; owned */
    unsigned depth;       /* how many do so one by the other */
    char *path;           /* owned */
    const char *name;     /* the same, made harmless; the settings own it */
    struct text text;     /* owned, where it was read for this */
    struct duet__ini ini;
    char folder[FOLDER_MOST]; /* of the file, with a final slash, or "" */
    enum { BEFORE, NOWHERE, GLOBAL, TUNNEL } section;
    struct tunnel_settings *tunnel; /* where the section's settings go */
    unsigned seen[OPTIONS_MOST];    /* lines where this section set each; 0: not yet */
    struct strlist included;        /* files that the last line names */
    size_t next;                    /* of these */
};

struct reader {
    struct settings *settings;
    struct faults *faults;
    struct settings *scrap;  /* takes the lines outside of sections, so that they are checked too */
    const char *global_file; /* where [Global] is */
    unsigned global_line;    /* 0: not yet */
    int follow;              /* 1: included files are read */
    struct source *source;   /* the file that is read now; owned */
};

static void __attribute__((format(printf, 2, 3)))
fault_at(struct reader *reader, const char *format, ...)
{
    char text[768];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    settings_fault(reader->faults, "%s:%u: %s", reader->source->name, reader->source->ini.line,
                   text);
}

/** Where something was set before, as seen from the current file. Returns room. */
static const char *
earlier_place(char room[PLACE_MOST], const struct reader *reader, const char *file, unsigned line)
{
    if (file == reader->source->name)
        snprintf(room, PLACE_MOST, "line %u", line);
    else
        snprintf(room, PLACE_MOST, "%s:%u", file, line);
    return room;
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
    struct source *source = reader->source;
    char safe[TUNNEL_NAME_MOST * 4 + 1], room[PLACE_MOST];

    source->section = TUNNEL;
    if (!is_tunnel_name(name) || strlen(name) > TUNNEL_NAME_MOST)
        fault_at(reader,
                 "tunnel \"%s\": a name is 1 to %d letters, digits, dots, dashes and "
                 "underscores",
                 printable_word(name), TUNNEL_NAME_MOST);
    for (size_t i = 0; i < settings->tunnel_count; i++)
        if (strcmp(settings->tunnels[i].name, name) == 0) {
            fault_at(
                reader, "tunnel %s is in %s already; give it another name", name,
                earlier_place(room, reader, settings->tunnels[i].file, settings->tunnels[i].line));
            break;
        }
    /* Its settings are judged whatever its name is. */
    source->tunnel = settings_add(settings, printable_copy(safe, sizeof safe, name));
    if (source->tunnel == NULL) {
        fault_at(reader, "tunnel %s: more than %d tunnels, or no memory", safe, TUNNELS_MOST);
        source->tunnel = reader->scrap->tunnels;
        return;
    }
    source->tunnel->file = source->name;
    source->tunnel->line = source->ini.line;
}

/** name: NULL: the brackets are not whole. */
static void
begin_section(struct reader *reader, const char *name)
{
    struct source *source = reader->source;
    char room[PLACE_MOST];

    memset(source->seen, 0, sizeof source->seen);
    if (name != NULL && (strncmp(name, "Tunnel ", 7) == 0 || strcmp(name, "Tunnel") == 0)) {
        begin_tunnel(reader, name[6] == ' ' ? name + 7 : "");
        return;
    }
    source->section = NOWHERE;
    source->tunnel = reader->scrap->tunnels;
    if (name == NULL)
        return;
    if (strcmp(name, "Global") != 0) {
        fault_at(reader, "[%s]: no such section; there are [Global] and [Tunnel NAME]",
                 printable_word(name));
        return;
    }
    source->section = GLOBAL;
    if (reader->global_line != 0) {
        fault_at(reader, "[Global] is in %s already; put its settings together",
                 earlier_place(room, reader, reader->global_file, reader->global_line));
        return;
    }
    reader->global_file = source->name;
    reader->global_line = source->ini.line;
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
    suggest_try(&guess, "include");
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
    struct source *source = reader->source;
    struct settings *process = source->section == NOWHERE ? reader->scrap : reader->settings;
    char value[VALUE_MOST], why[OPTION_WHY];
    const char *fault;

    if (copy_value(value, source->ini.value, &fault) != 0) {
        fault_at(reader, "%s: %s", option->name, fault);
        settings_refuse(option, source->tunnel);
    } else if (settings_set(option, process, source->tunnel, source->folder, value, why) != 0) {
        fault_at(reader, "%s: %s: %s", option->name, printable_word(value), why);
    } else if (strcmp(option->name, "user") == 0) {
        process->user_file = source->name;
        process->user_line = source->ini.line;
    }
    duet_wipe(value, sizeof value); /* it may be a line of a secret, put here by mistake */
}

/** An `include`: its files are queued, and opened one after another by read_all_files(). */
static void
read_include(struct reader *reader)
{
    struct source *source = reader->source;
    char value[VALUE_MOST], why[OPTION_WHY];
    const char *fault;

    if (source->section == TUNNEL)
        fault_at(reader, "include: belongs before the first section or into [Global]");
    else if (copy_value(value, source->ini.value, &fault) != 0)
        fault_at(reader, "include: %s", fault);
    else if (!reader->follow)
        fault_at(reader, "include: only a file that duet run reads may include others");
    else if (source->depth == INCLUDE_DEPTH)
        fault_at(reader, "include: %s: files may include each other %d deep at most",
                 printable_word(value), INCLUDE_DEPTH);
    else if (include_find(&source->included, source->folder, value, why) != 0)
        fault_at(reader, "include: %s: %s", printable_word(value), why);
}

static void
read_setting(struct reader *reader)
{
    struct source *source = reader->source;
    const struct option *option = option_find(source->ini.name.at, source->ini.name.size);

    if (duet__text_is(source->ini.name, "include")) {
        read_include(reader);
        return;
    }
    if (source->section == BEFORE) {
        fault_at(reader,
                 "a setting before the first section; begin with [Global] or [Tunnel NAME]");
        source->section = NOWHERE;
    }
    if (option == NULL) {
        report_unknown(reader, source->ini.name);
        return;
    }
    if (source->section != NOWHERE &&
        (option->at[IN_PROCESS] != 0) != (source->section == GLOBAL)) {
        fault_at(reader, "%s: belongs into %s", option->name,
                 (option->at[IN_PROCESS] != 0) ? "[Global]" : "a [Tunnel NAME]");
        return;
    }
    unsigned *seen = &source->seen[option - option_table];
    if (*seen != 0 && !option_is_list(option)) {
        fault_at(reader, "%s: is in line %u already; leave one of them", option->name, *seen);
        return;
    }
    *seen = source->ini.line;
    set_value(reader, option);
}

/* ---- Lines ---- */

/** What base/ini.h refuses: the line's section or setting is not merely missing then. */
static void
refuse_line(struct reader *reader, const char *reason)
{
    struct source *source = reader->source;
    const struct option *option = option_find(source->ini.name.at, source->ini.name.size);

    fault_at(reader, "%s", reason);
    if (source->ini.kind == DUET__INI_SECTION)
        begin_section(reader, NULL);
    else if (option != NULL)
        settings_refuse(option, source->tunnel);
}

/** Read the current file's next line. Returns 0 at its end. */
static int
read_line(struct reader *reader)
{
    struct duet__ini *ini = &reader->source->ini;
    duet_where where;
    char name[SECTION_MOST];

    if (duet__ini_next(ini, &where) != DUET_OK) {
        refuse_line(reader, where.reason);
    } else if (ini->kind == DUET__INI_SECTION) {
        size_t size = ini->name.size;
        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name),
                 ini->name.at);
        begin_section(reader, name);
    } else if (ini->kind == DUET__INI_VALUE) {
        read_setting(reader);
    } else {
        return 0;
    }
    return 1;
}

/* ---- Files ---- */

static void
close_source(struct reader *reader)
{
    struct source *source = reader->source;

    reader->source = source->outer;
    text_free(&source->text);
    strlist_free(&source->included);
    free(source->path);
    free(source);
}

/** Begin to read a text, which its file's source holds from now on. Returns 0, or -1 with the fault
 * reported. */
static int
open_source(struct reader *reader, const char *path, struct duet__text text)
{
    const char *slash = strrchr(path, '/');
    struct source *source = calloc(1, sizeof *source);
    char name[512];

    if (source == NULL ||
        strlist_add(&reader->settings->files, printable_copy(name, sizeof name, path)) != 0 ||
        (source->path = strdup(path)) == NULL ||
        (slash != NULL && slash - path + 1 >= FOLDER_MOST)) {
        settings_fault(reader->faults, "%s: no memory, or the path is too long", printable(path));
        if (source != NULL)
            free(source->path);
        free(source);
        return -1;
    }
    source->name = reader->settings->files.at[reader->settings->files.count - 1];
    source->ini = duet__ini(text.at, text.size);
    source->tunnel = reader->scrap->tunnels;
    if (slash != NULL)
        memcpy(source->folder, path, (size_t)(slash - path) + 1);
    if (duet_kind_of(text.at, text.size) != DUET_KIND_UNKNOWN) {
        settings_fault(reader->faults,
                       "%s: is a key, peers or profile file, and no configuration; name it in one",
                       source->name);
        source->ini = duet__ini(NULL, 0);
    }
    source->outer = reader->source;
    source->depth = source->outer != NULL ? source->outer->depth + 1 : 0;
    reader->source = source;
    return 0;
}

/** The file that is open already and the same as this one; NULL: none. */
static const struct source *
find_open(const struct reader *reader, const char *path)
{
    const struct source *source = reader->source;

    while (source != NULL && !include_same(source->path, path))
        source = source->outer;
    return source;
}

/** Open a file that the current one includes. */
static void
open_included(struct reader *reader, const char *path)
{
    const struct source *source = reader->source, *open = find_open(reader, path);
    struct text text;
    char place[PLACE_MOST + 32];

    if (open != NULL) {
        fault_at(reader, "include: %s: %s includes this file, and so itself; leave one of them",
                 printable(path), open->name);
        return;
    }
    if (reader->settings->files.count >= INCLUDE_FILES) {
        fault_at(reader, "include: %s: there are %d files already", printable(path), INCLUDE_FILES);
        return;
    }
    snprintf(place, sizeof place, "%s:%u: include: ", source->name, source->ini.line);
    log_place = place;
    int code = text_read(&text, path, TEXT_TRUSTED, EXIT_USAGE);
    log_place = NULL;
    if (code != EXIT_DONE) {
        reader->faults->count++; /* it is printed */
        return;
    }
    if (open_source(reader, path, (struct duet__text){text.at, text.size}) == 0)
        reader->source->text = text;
    else
        text_free(&text);
}

/** Read the file that is open, and those that it includes. */
static void
read_all_files(struct reader *reader)
{
    while (reader->source != NULL) {
        struct source *source = reader->source;
        if (source->next < source->included.count) {
            open_included(reader, source->included.at[source->next++]);
            continue;
        }
        strlist_free(&source->included);
        source->next = 0;
        if (!read_line(reader))
            close_source(reader);
    }
}

/** Read the text of a file. Returns 0, or -1. */
static int
parse(struct settings **settings, const char *file, struct duet__text text, int follow,
      struct faults *faults)
{
    struct reader reader = {.settings = settings_new(), .faults = faults, .follow = follow};

    *settings = reader.settings;
    if (reader.settings == NULL)
        return -1;
    reader.settings->file = strdup(file);
    reader.scrap = settings_new();
    if (reader.settings->file == NULL || reader.scrap == NULL ||
        settings_add(reader.scrap, "") == NULL) {
        settings_fault(faults, "%s: no memory", printable(file));
        goto out;
    }
    if (open_source(&reader, file, text) != 0)
        goto out;
    reader.settings->http.file = reader.source->name;
    read_all_files(&reader);
    if (duet_kind_of(text.at, text.size) != DUET_KIND_UNKNOWN)
        goto out;
    settings_check(reader.settings, faults);
    if (reader.settings->tunnel_count == 0 && faults->count == 0)
        settings_fault(faults, "%s: no [Tunnel NAME]; there is nothing to do", printable(file));
out:
    settings_free(reader.scrap);
    return faults->count == 0 ? 0 : -1;
}

int
settings_parse(struct settings **settings, const char *file, const char *text, size_t size,
               struct faults *faults)
{
    return parse(settings, file, (struct duet__text){text, size}, 0, faults);
}

int
settings_read(struct settings **settings, const char *file, struct text text, struct faults *faults)
{
    return parse(settings, file, (struct duet__text){text.at, text.size}, 1, faults);
}
