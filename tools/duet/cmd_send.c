/*
 * duet send: files and folders to a peer that runs duet recv, with progress, resumable.
 *
 * The sources are checked and counted before anything is sent; then they are walked and offered.
 * How offers and content travel is in tools/transfer (docs/transfer.md).
 */
#include "commands.h"
#include "filter.h"
#include "interrupt.h"
#include "log.h"
#include "open_files.h"
#include "progress.h"
#include "retry.h"
#include "sender.h"
#include "stdio_check.h"
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** A path that the user named. */
struct source {
    const char *path;
    char *name;       /* what it is called there; owned */
    char *path_owned; /* path, where a list of --files-from gave it; else NULL */
};

struct send_command {
    struct sender sender;
    struct filter filter;
    struct source *sources;
    size_t count;
    const struct source *source; /* that is walked now */
    uint64_t files, bytes;       /* of all sources */
    int file_mode, folder_mode;  /* of --chmod; -1 */
    int lists;                   /* 1: --list: print them, and send nothing */
};

static struct send_command send_command;

/* ---- The names ---- */

/** The name that a path gets there: its last component. Returns 0, or -1. */
static int
name_of_path(char name[NAME_MAX + 1], const char *path)
{
    char *whole = realpath(path, NULL);
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t start = size;
    while (start > 0 && path[start - 1] != '/')
        start--;
    const char *last = path + start;
    size_t n = size - start;
    if (whole != NULL &&
        ((n == 1 && last[0] == '.') || (n == 2 && last[0] == '.' && last[1] == '.'))) {
        last = strrchr(whole, '/') + 1; /* `.` gets the name of its folder */
        n = strlen(last);
    }
    int bad = n == 0 || n > NAME_MAX || (n == 1 && last[0] == '/');
    if (!bad) {
        memcpy(name, last, n);
        name[n] = 0;
    }
    free(whole);
    return bad ? -1 : 0;
}

/** The name that --name gives. Returns an exit code. */
static int
check_given_name(const char *name)
{
    if (*name == 0 || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || strlen(name) > NAME_MAX)
        return log_error(EXIT_USAGE, "--name %s: must be a file name, without a slash",
                         printable(name));
    return EXIT_DONE;
}

static int
order_of_sources(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

/** Two sources of one name would be one file there. Returns an exit code. */
static int
check_doubles(const struct source *sources, size_t count)
{
    struct source *copy = malloc((count + 1) * sizeof *copy);
    int code = EXIT_DONE;

    if (copy == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    memcpy(copy, sources, count * sizeof *copy);
    qsort(copy, count, sizeof *copy, order_of_sources);
    for (size_t i = 1; i < count && code == EXIT_DONE; i++)
        if (strcmp(copy[i - 1].name, copy[i].name) == 0)
            code = log_error(
                EXIT_USAGE, "%s and %s would both be '%s' there; send them one after the other",
                printable(copy[i - 1].path), printable(copy[i].path), printable(copy[i].name));
    free(copy);
    return code;
}

static int
check_source(struct source *source, const struct options *o)
{
    struct stat status;
    int stream = strcmp(source->path, "-") == 0;

    if (stream && o->stdio)
        return log_error(EXIT_USAGE, "send: --stdio has taken standard input");
    if (!stream && stat(source->path, &status) != 0 && lstat(source->path, &status) != 0)
        return log_error(EXIT_LOCAL, "%s: %s; is the path right?%s nothing was sent",
                         printable(source->path), errno_text(),
                         strchr(source->path, ':') != NULL ? " put HOST:PORT last;" : "");
    char name[NAME_MAX + 1] = "stdin";
    if (source->name == NULL && o->name == NULL && !stream && name_of_path(name, source->path) != 0)
        return log_error(EXIT_USAGE, "%s: has no name that it could be given there; use --name",
                         printable(source->path));
    if (source->name == NULL)
        source->name = strdup(o->name != NULL ? o->name : name);
    if (source->name == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    return stream ? stdio_check(0, 0, "standard input") : EXIT_DONE;
}

/** Find the errors that need no connection. Returns an exit code. */
static int
check_sources(struct send_command *c, const struct options *o)
{
    int code = o->name != NULL ? check_given_name(o->name) : EXIT_DONE;

    if (code == EXIT_DONE && o->name != NULL && c->count > 1)
        code = log_error(EXIT_USAGE, "--name is for one source, and there are %zu", c->count);
    for (size_t i = 0; i < c->count && code == EXIT_DONE; i++)
        code = check_source(&c->sources[i], o);
    return code == EXIT_DONE ? check_doubles(c->sources, c->count) : code;
}

/* ---- Walking ---- */

static int
omit_entry(void *context, const char *below, int is_folder)
{
    const struct send_command *c = context;

    return filter_omits(&c->filter, below, is_folder);
}

/** Report an entry that cannot be sent. Returns 0. */
static int
leave_out(struct send_command *c, const struct walk_entry *entry)
{
    int failed = entry->kind == WALK_FAILED;

    return sender_leave_out(
        &c->sender, log_error(failed ? EXIT_LOCAL : EXIT_FAILED, "%s: %s; it is left out",
                              printable(entry->path),
                              failed ? strerror(entry->error) : "neither file, folder nor link"));
}

/** Count an entry, and print it with --list. */
static int
count_entry(void *context, const struct walk_entry *entry)
{
    struct send_command *c = context;

    if (c->lists && (entry->kind == WALK_FAILED || entry->kind == WALK_OTHER))
        return leave_out(c, entry);
    if (entry->kind == WALK_FILE || entry->kind == WALK_STREAM) {
        c->files++;
        c->bytes += entry->kind == WALK_FILE ? (uint64_t)entry->status.st_size : 0;
    }
    if (c->lists && (entry->kind == WALK_FILE || entry->kind == WALK_LINK))
        printf("%12" PRIu64 " %s%s%s%s%s\n", (uint64_t)entry->status.st_size, c->source->name,
               *entry->below != 0 ? "/" : "", printable(entry->below),
               entry->kind == WALK_LINK ? " -> " : "",
               entry->kind == WALK_LINK ? printable(entry->target) : "");
    return 0;
}

/** Offer an entry of the walk. Returns an exit code. */
static int
send_entry(void *context, const struct walk_entry *entry)
{
    struct send_command *c = context;
    char name[2 * TRANSFER_NAME_MOST];

    if (entry->kind == WALK_FAILED || entry->kind == WALK_OTHER) {
        progress_break(&c->sender.carrier.progress);
        int code = entry->kind == WALK_FAILED ? EXIT_LOCAL : EXIT_FAILED;
        return sender_leave_out(
            &c->sender, log_error(code, "%s: %s; it is left out", printable(entry->path),
                                  entry->kind == WALK_FAILED ? strerror(entry->error)
                                                             : "neither file, folder nor link"));
    }
    int size = snprintf(name, sizeof name, "%s%s%s", c->source->name, *entry->below != 0 ? "/" : "",
                        entry->below);
    if (size < 0 || (size_t)size >= sizeof name)
        name[0] = 0; /* too long: sender_offer() reports it */
    return sender_offer(&c->sender, entry, name);
}

/** Walk over all sources. Returns an exit code. */
static int
walk_sources(struct send_command *c, const struct options *o, int sends)
{
    const struct walk walk = {.follow = (int)o->follow,
                              .opens = sends,
                              .omit = omit_entry,
                              .visit = sends ? send_entry : count_entry,
                              .context = c};
    int code = EXIT_DONE;

    for (size_t i = 0; i < c->count && code == EXIT_DONE; i++) {
        c->source = &c->sources[i];
        if (strcmp(c->source->path, "-") != 0)
            code = walk_tree(&walk, c->source->path);
        else if (sends)
            code = sender_offer_stream(&c->sender, dup(0), c->source->name);
        else
            c->files++;
        if (code < 0)
            code = log_error(EXIT_LIMIT, "no memory");
    }
    return code;
}

/* ---- The whole ---- */

/** The worker: offers all, and waits for the outcomes. Returns an exit code. */
static int
send_all(void *context)
{
    struct send_command *c = context;
    struct sender *s = &c->sender;

    int code = sender_begin(s, c->files, c->bytes);
    if (code == EXIT_DONE)
        code = walk_sources(c, s->carrier.options, 1);
    if (code == EXIT_DONE)
        code = sender_end(s);
    range_plan_end(&s->plan);
    streams_stop(&s->streams);
    if (code != EXIT_DONE)
        return code;
    if (s->left_out > 0)
        log_error(s->error, "%" PRIu32 " %s left out", s->left_out,
                  s->left_out == 1 ? "entry was" : "entries were");
    if (s->error != 0)
        return s->error;
    return s->refused > 0 ? EXIT_FAILED : EXIT_DONE;
}

/** One transfer: reach the peer and send all. Returns an exit code. */
static int
send_once(void *context, const char *address)
{
    struct send_command *c = context;
    const struct options *o = c->sender.carrier.options;
    struct sender *s = &c->sender;

    memset(s, 0, sizeof *s);
    if (sender_init(s, o->limit) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    s->most_open = open_files_most(o->streams);
    s->most_streams = o->streams;
    s->keeps_modes = !o->no_perms;
    s->checks = (int)o->checksum;
    s->owner = (int)o->owner;
    s->xattrs = (int)o->xattrs;
    s->dry_run = (int)o->dry_run;
    s->file_mode = c->file_mode;
    s->folder_mode = c->folder_mode;
    s->carrier = (struct carrier){
        .options = o, .sends = 1, .work = send_all, .on_message = sender_on_message, .context = s};
    s->carrier.context = c; /* the worker's; sender is its first member */
    int code = carrier_run(&s->carrier, address);
    if (s->consumed && code != EXIT_DONE && o->retry > 0 && !interrupted())
        code = log_error(EXIT_FAILED, "a stream was read in part and cannot be read again: start "
                                      "this command anew, with the stream from its beginning");
    if (!s->carrier.left_behind && !s->streams.left_behind) /* else the program ends now */
        sender_free(s);
    return code;
}

/** The patterns of --exclude, --include and --exclude-from, in their order. Returns an exit code.
 */
static int
read_patterns(struct filter *filter)
{
    const struct option *option;
    const char *value;
    int code = EXIT_DONE;

    for (size_t i = 0; code == EXIT_DONE && options_given(i, &option, &value); i++) {
        int bad = 0;
        if (strcmp(option->name, "exclude") == 0 || strcmp(option->name, "include") == 0)
            bad = filter_add(filter, option->name[0] == 'i', value);
        else if (strcmp(option->name, "exclude-from") == 0)
            code = filter_add_file(filter, value);
        if (bad)
            code = log_error(EXIT_LIMIT, "no memory");
    }
    return code;
}

/** A path of --files-from: the name there is the path, so it must stay below a folder. */
static int
add_listed(struct send_command *c, const char *path)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    if (name_check(path) != 0)
        return log_error(EXIT_USAGE,
                         "--files-from: %s: must be a path below this folder, without ..",
                         printable(path));
    struct source *more = realloc(c->sources, (c->count + 1) * sizeof *more);
    if (more == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    c->sources = more;
    char *copy = strdup(path);
    more[c->count++] = (struct source){.path = copy, .name = strdup(path), .path_owned = copy};
    return copy != NULL ? EXIT_DONE : log_error(EXIT_LIMIT, "no memory");
}

/** Read the list of --files-from. Returns an exit code. */
static int
read_list(struct send_command *c, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    int code = EXIT_DONE;

    if (file == NULL)
        return log_error(EXIT_USAGE, "--files-from %s: %s", printable(path), errno_text());
    while (code == EXIT_DONE && (size = getline(&line, &room, file)) >= 0) {
        while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
            line[--size] = 0;
        if (size > 0)
            code = add_listed(c, line);
    }
    if (code == EXIT_DONE && ferror(file))
        code = log_error(EXIT_LOCAL, "--files-from %s: %s", printable(path), errno_text());
    free(line);
    if (file != stdin)
        fclose(file);
    return code;
}

/** A mode of --chmod, D for folders, F for files. Returns 0, or -1. */
static int
read_mode(struct send_command *c, const char *text)
{
    int both = *text != 'D' && *text != 'F';
    char *end;
    long mode = strtol(both ? text : text + 1, &end, 8);

    if (*end != 0 || mode < 0 || mode > 0777 || end == text + !both)
        return -1;
    if (both || *text == 'D')
        c->folder_mode = (int)mode;
    if (both || *text == 'F')
        c->file_mode = (int)mode;
    return 0;
}

/** Read --chmod's modes. Returns an exit code. */
static int
read_modes(struct send_command *c, const char *modes)
{
    char copy[64];
    int size = snprintf(copy, sizeof copy, "%s", modes);
    int bad = size < 0 || (size_t)size >= sizeof copy;

    for (char *at = bad ? NULL : copy; at != NULL && !bad;) {
        char *comma = strchr(at, ',');
        if (comma != NULL)
            *comma = 0;
        bad = read_mode(c, at) != 0;
        at = comma != NULL ? comma + 1 : NULL;
    }
    return bad ? log_error(EXIT_USAGE, "--chmod %s: must be octal modes such as 640 or D750,F640",
                           printable(modes))
               : EXIT_DONE;
}

static int
prepare_send(struct send_command *c, const struct options *o, size_t count)
{
    int code = EXIT_DONE;

    c->file_mode = c->folder_mode = -1;
    c->sources = calloc(count > 0 ? count : 1, sizeof *c->sources);
    if (c->sources == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    for (; c->count < count; c->count++)
        c->sources[c->count].path = o->operands[c->count];
    if (o->files_from != NULL)
        code = read_list(c, o->files_from);
    if (code == EXIT_DONE && o->chmod != NULL)
        code = read_modes(c, o->chmod);
    if (code == EXIT_DONE)
        code = check_sources(c, o);
    if (code == EXIT_DONE)
        code = read_patterns(&c->filter);
    if (code == EXIT_DONE)
        code = walk_sources(c, o, 0);
    return code;
}

static void
free_sources(struct send_command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->sources[i].name);
        free(c->sources[i].path_owned);
    }
    free(c->sources);
    filter_free(&c->filter);
}

static int
send_run(struct options *o)
{
    struct send_command *c = &send_command;
    int direct = o->exec != NULL || o->stdio || o->list;

    memset(c, 0, sizeof *c); /* a program may run this more than once */
    size_t count = o->operand_count - (direct || o->operand_count == 0 ? 0 : 1);
    if (count == 0 && o->files_from == NULL)
        return log_error(EXIT_USAGE,
                         "send: nothing to send, or no peer; give PATH... and then HOST:PORT");
    if (o->streams > 1 && (o->exec != NULL || o->stdio))
        return log_error(EXIT_USAGE, "--streams needs an address: each stream is a connection");
    if (o->streams > 1 && o->proxy_url != NULL)
        return log_error(EXIT_USAGE, "--streams does not go with --proxy");
    if (o->streams == 0)
        o->streams = 1;
    c->lists = (int)o->list;
    c->sender.carrier.options = o;
    int code = prepare_send(c, o, count);
    if (code == EXIT_DONE && o->list) {
        printf("%" PRIu64 " files, %" PRIu64 " bytes\n", c->files, c->bytes);
        code = finish_output(c->sender.error);
    } else if (code == EXIT_DONE) {
        code = retry_run(o, send_once, c, direct ? NULL : o->operands[count]);
    }
    if (!c->sender.carrier.left_behind)
        free_sources(c);
    return code;
}

const struct command cmd_send = {
    .name = "send",
    .user = FOR_SEND,
    .usage = "-k FILE PATH... HOST:PORT | -l [ADDR]:PORT | --exec CMD",
    .about = "Send files and folders to a peer that runs duet recv.",
    .notes =
        "Example, with the same secret.key at both ends; either end may be the one with -l:\n"
        "    here$  duet recv -k secret.key -l :4000 -o inbox\n"
        "    there$ duet send -k secret.key photos here:4000\n"
        "Through ssh, where no port is open:\n"
        "    duet send -k secret.key photos --exec 'ssh HOST duet recv -k secret.key --stdio'\n"
        "After a cut, run the same command again at both ends to resume, or give --retry.\n",
    .least = 1,
    .most = 1000000,
    .run = send_run,
};
