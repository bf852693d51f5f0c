/*
 * Settings as a file, read by inih. It gets one line at a time, and only those that it reads as a
 * person does: it would cut long lines and names, join indented lines to the one before, take a
 * colon for an equals sign, and drop what follows a section's name, all without a word.
 */
#include "log.h"
#include "suggest.h"
#include "table.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MOST = 190, NAME_MOST = 48, FOLDER_MOST = 1024 }; /* bytes */
enum { TOLD_MOST = 20 }; /* letters of a name: settings' have 17, a secret's last line has 22 */

struct reader {
    struct settings *settings;
    struct faults *faults;
    const char *file; /* its name, made harmless */
    const char *at, *end;
    unsigned line;
    char folder[FOLDER_MOST]; /* of the file, with a final slash, or "" */
    enum { BEFORE, NOWHERE, GLOBAL, TUNNEL } section;
    struct settings *scrap;         /* what stands in no section goes there, to be judged alike */
    struct tunnel_settings *tunnel; /* where the section's settings go */
    unsigned global_line;           /* where [Global] is */
    unsigned seen[64];              /* lines where this section set each; 0: not yet */
};

static void __attribute__((format(printf, 2, 3)))
fault_at(struct reader *reader, const char *format, ...)
{
    char text[768];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    settings_fault(reader->faults, "%s:%u: %s", reader->file, reader->line, text);
}

/* ---- Sections ---- */

static int
is_name(const char *name)
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
    if (!is_name(name) || strlen(name) > TUNNEL_NAME_MOST)
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
    reader->tunnel->line = reader->line;
}

/** name: NULL where the brackets are not whole. */
static void
begin_section(struct reader *reader, const char *name)
{
    memset(reader->seen, 0, sizeof reader->seen);
    if (name != NULL && strncmp(name, "Tunnel ", 7) == 0) {
        begin_tunnel(reader, name + 7);
        return;
    }
    reader->section = NOWHERE;
    reader->tunnel = reader->scrap->tunnels;
    if (name == NULL) {
        fault_at(reader, "no section; it is [Global] or [Tunnel NAME] and nothing else");
        return;
    }
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
        reader->global_line = reader->line;
}

/* ---- Settings ---- */

/** A name that is none may be a line of a secret's base64: only what looks like a name is told. */
static void
unknown(struct reader *reader, const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    struct suggestion guess = {.word = name, .size = strlen(name)};
    int tellable = guess.size <= TOLD_MOST && name[strspn(name, good)] == 0;

    for (size_t i = 0; i < settings_table_size; i++)
        suggest_try(&guess, settings_table[i].name);
    fault_at(reader, "%s%sno such setting%s; duet.conf(5) has them all", tellable ? name : "",
             tellable ? ": " : "", suggest_text(&guess, ""));
}

/** inih's handler: one setting. Returns 1, as faults are told by us. */
static int
take(void *context, const char *section, const char *name, const char *value)
{
    struct reader *reader = context;
    const struct setting *setting = setting_find(name);
    char why[SETTING_WHY];

    (void)section; /* read by us, as inih cuts it */
    if (setting == NULL) {
        unknown(reader, name);
        return 1;
    }
    if (reader->section != NOWHERE && setting->process != (reader->section == GLOBAL)) {
        fault_at(reader, "%s: belongs into %s", name,
                 setting->process ? "[Global]" : "a [Tunnel NAME]");
        return 1;
    }
    unsigned *seen = &reader->seen[setting - settings_table];
    if (*seen != 0 && !setting_is_list(setting)) {
        fault_at(reader, "%s: is in line %u already; leave one of them", name, *seen);
        return 1;
    }
    *seen = reader->line;
    if (strstr(value, " #") != NULL || strstr(value, "\t#") != NULL) {
        fault_at(reader, "%s: a comment behind a value begins with ;, not with #", name);
        setting_refuse(setting, reader->tunnel);
        return 1;
    }
    struct settings *process = reader->section == NOWHERE ? reader->scrap : reader->settings;
    if (setting_set(setting, process, reader->tunnel, reader->folder, value, why) != 0)
        fault_at(reader, "%s: %s: %s", name, printable_word(value), why);
    else if (strcmp(name, "user") == 0)
        process->user_line = reader->line;
    return 1;
}

/* ---- Lines ---- */

/** What is left when a section's brackets are taken off, in place. NULL: they are not whole. */
static char *
section_name(char *line)
{
    char *end = strchr(line, ']');

    if (end == NULL)
        return NULL;
    *end = 0;
    end += 1 + strspn(end + 1, " \t");
    return *end == 0 || *end == ';' || *end == '#' ? line + 1 : NULL;
}

/** Look at a line that is not empty before inih does. Returns 1: it may have it; 0. */
static int
check_line(struct reader *reader, char *line, size_t size)
{
    size_t name = strcspn(line, "=:");

    if (strlen(line) != size || line[strcspn(line, "\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e"
                                                   "\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"
                                                   "\x1a\x1b\x1c\x1d\x1e\x1f\x7f\r")] != 0) {
        fault_at(reader, "holds a control character; write it anew");
        return 0;
    }
    if (line[0] == '#' || line[0] == ';')
        return 0;
    if (line[0] == '[') {
        begin_section(reader, section_name(line));
        return 0;
    }
    if (line[name] != '=') {
        fault_at(reader, "no setting; it is NAME = VALUE");
        return 0;
    }
    while (name > 0 && (line[name - 1] == ' ' || line[name - 1] == '\t'))
        name--;
    if (name == 0 || name > NAME_MOST) {
        fault_at(reader, "no setting's name is %s", name == 0 ? "empty" : "so long");
        return 0;
    }
    if (reader->section == BEFORE) {
        fault_at(reader, "stands in no section; begin with [Global] or [Tunnel NAME]");
        reader->section = NOWHERE;
    }
    return 1;
}

/** inih's reader, shaped as fgets(): the next line, or an empty one in place of what is not for
 * it. */
static char *
next_line(char *out, int room, void *context)
{
    struct reader *reader = context;

    if (reader->at == reader->end)
        return NULL;
    const char *newline = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
    const char *line = reader->at, *end = newline != NULL ? newline : reader->end;
    reader->at = newline != NULL ? newline + 1 : end;
    reader->line++;
    if (end > line && end[-1] == '\r')
        end--;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    size_t size = (size_t)(end - line);
    out[0] = 0;
    if (size > LINE_MOST || size + 2 > (size_t)room) {
        fault_at(reader, "is longer than %d bytes; shorten it", LINE_MOST);
        size = 0;
    }
    memcpy(out, line, size);
    out[size] = 0;
    if (size == 0 || !check_line(reader, out, size)) {
        out[0] = '\n';
        out[1] = 0;
    }
    return out;
}

/** Get ready to read the file. Returns 0, or -1. */
static int
begin(struct reader *reader, const char *file)
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
                            .at = text,
                            .end = text + size};

    *settings = reader.settings;
    if (reader.settings == NULL)
        return -1;
    if (begin(&reader, file) != 0) {
        settings_fault(faults, "%s: no memory, or the path is too long", reader.file);
        goto out;
    }
    if (duet_kind_of(text, size) != DUET_KIND_UNKNOWN) {
        settings_fault(faults,
                       "%s: is a key, peers or profile file, and no configuration; name it in one",
                       reader.file);
        goto out;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) /* public: a mark of UTF-8 */
        reader.at += 3;
    (void)ini_parse_stream(next_line, &reader, take, &reader);
    settings_check(reader.settings, faults);
    if (reader.settings->tunnel_count == 0 && faults->count == 0)
        settings_fault(faults, "%s: no [Tunnel NAME]; there is nothing to do", reader.file);
out:
    settings_free(reader.scrap);
    return faults->count == 0 ? 0 : -1;
}
