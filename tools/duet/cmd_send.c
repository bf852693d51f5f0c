/*
 * duet send: files and folders to a peer that runs duet recv, with progress, resumable.
 *
 * Each file is offered; a large one waits to hear how much of it is there already. Progress counts
 * what the peer has verified and written (docs/transfer.md).
 */
#include "commands.h"
#include "interrupt.h"
#include "log.h"
#include "progress.h"
#include "protocol.h"
#include "stdio_check.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sender {
    struct talk talk;
    size_t sources;   /* paths */
    uint32_t offers;  /* so far; the last one's index is one less */
    uint32_t settled; /* stored or refused */
    uint32_t refused;
    int wanted;    /* 1: the WANT for the last offer has come */
    int dropped;   /* 1: the last offer is refused */
    uint64_t have; /* bytes that the peer has of it */
    uint8_t hash[TRANSFER_HASH];
    uint64_t files, sent; /* files, and bytes of content, that went out */
    uint64_t last;        /* bytes of these that are the last offer's */
    int source_error;     /* exit code of a source that could not be read, or 0 */
};

/* ---- What the receiver says ---- */

static int
on_refused(struct sender *s, struct fields *fields, uint32_t index)
{
    char why[512];
    size_t size = fields->left < sizeof why - 1 ? fields->left : sizeof why - 1;

    memcpy(why, fields->at, size);
    why[size] = 0;
    progress_break(&s->talk.progress);
    log_error(EXIT_FAILED, "refused by the peer: %s", printable(why));
    s->refused++;
    s->settled++;
    if (index + 1 == s->offers) {
        s->dropped = 1;
        s->sent -= s->last; /* which are not known to be there */
        s->last = 0;
    }
    return EXIT_DONE;
}

static int
send_on_message(void *context, uint32_t code, const uint8_t *bytes, size_t size)
{
    struct sender *s = context;
    struct fields fields = {bytes, size, 0};
    uint32_t index = (uint32_t)field(&fields, 4);
    int current = index + 1 == s->offers;

    if (!fields.bad && index < s->offers) {
        switch (code) {
        case TRANSFER_WANT:
            s->have = field(&fields, 8);
            s->wanted = current && fields.left == TRANSFER_HASH;
            if (!s->wanted)
                break;
            memcpy(s->hash, fields.at, TRANSFER_HASH);
            return EXIT_DONE;
        case TRANSFER_ACK:
            if (current)
                progress_move(&s->talk.progress, field(&fields, 8));
            return EXIT_DONE;
        case TRANSFER_STORED:
            s->settled++;
            return EXIT_DONE;
        case TRANSFER_REFUSED:
            return on_refused(s, &fields, index);
        default:
            break;
        }
    }
    return log_error(EXIT_FAILED, "the peer's message makes no sense: is it duet recv?");
}

/* ---- One offer ---- */

static int
send_offer(struct sender *s, const struct offer *offer)
{
    uint8_t message[TRANSFER_MESSAGE];
    size_t size = offer_write(message, offer);

    s->offers++;
    s->wanted = s->dropped = 0;
    s->last = 0;
    return talk_send(&s->talk, TRANSFER_OFFER, message, size);
}

/** Wait for how much of the file the peer has, and answer with the offset from which its content
 * follows (resume). Returns an exit code. */
static int
agree_on_start(struct sender *s, int fd, const struct offer *offer, uint64_t *offset)
{
    uint8_t hash[TRANSFER_HASH], message[8];
    int code = EXIT_DONE;

    *offset = 0;
    while (code == EXIT_DONE && !s->wanted && !s->dropped && !s->talk.closed)
        code = talk_turn(&s->talk);
    if (code != EXIT_DONE || s->dropped)
        return code;
    if (s->talk.closed)
        return log_error(EXIT_FAILED,
                         "the peer closed before it took all; is it duet recv? " TRANSFER_RESUME);
    if (s->have > 0 && s->have <= offer->size && hash_prefix(hash, fd, s->have) == 0 &&
        memcmp(hash, s->hash, sizeof hash) == 0) /* public: both ends have it */
        *offset = s->have;
    progress_file(&s->talk.progress, offer->name, offer->size, *offset);
    put_field(message, *offset, 8);
    return talk_send(&s->talk, TRANSFER_START, message, sizeof message);
}

/** The content from an offset; *status is what DONE will say. */
static int
send_content(struct sender *s, int fd, const struct offer *offer, uint64_t at, uint8_t *status)
{
    static uint8_t chunk[TRANSFER_DATA_MOST];

    if (at > 0 && lseek(fd, (off_t)at, SEEK_SET) < 0)
        *status = 1;
    while (*status == 0 && at < offer->size && !s->dropped) {
        uint64_t left = offer->size - at;
        ssize_t n = read(fd, chunk, left < sizeof chunk ? (size_t)left : sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0 && offer->size == TRANSFER_UNKNOWN)
            return EXIT_DONE;
        if (n <= 0) {
            *status = 1;
            progress_break(&s->talk.progress);
            s->source_error = log_error(EXIT_LOCAL, "%s: %s", printable(offer->name),
                                        n < 0 ? errno_text() : "became shorter while it was read");
            return EXIT_DONE;
        }
        at += (uint64_t)n;
        s->sent += (uint64_t)n;
        s->last += (uint64_t)n;
        progress_tick(&s->talk.progress);
        int code = talk_send(&s->talk, TRANSFER_DATA, chunk, (size_t)n);
        if (code != EXIT_DONE)
            return code;
    }
    return EXIT_DONE;
}

static int
send_file(struct sender *s, int fd, const struct offer *offer)
{
    uint8_t status = 0;
    uint64_t offset = 0;

    progress_file(&s->talk.progress, offer->name, offer->size, 0);
    int code = send_offer(s, offer);
    if (code == EXIT_DONE && offer->asks)
        code = agree_on_start(s, fd, offer, &offset);
    if (code == EXIT_DONE && !(offer->asks && s->dropped))
        code = send_content(s, fd, offer, offset, &status);
    if (code != EXIT_DONE)
        return code;
    s->files++;
    return talk_send(&s->talk, TRANSFER_DONE, &status, 1);
}

static int
set_name(struct offer *offer, const char *folder, const char *rest)
{
    int size = snprintf(offer->name, sizeof offer->name, "%s%s", folder, rest);

    if (size > 0 && (size_t)size < sizeof offer->name)
        return EXIT_DONE;
    return log_error(EXIT_LOCAL, "%s: the name is too long", printable(rest));
}

static void
describe_offer(struct offer *offer, const struct stat *status, enum offer_kind kind)
{
    offer->kind = kind;
    offer->mode = status->st_mode & 0777;
    offer->seconds = status->st_mtim.tv_sec;
    offer->nanoseconds = (uint32_t)status->st_mtim.tv_nsec;
    offer->size = kind == OFFER_FILE ? (uint64_t)status->st_size : 0;
    offer->asks = kind == OFFER_FILE && offer->size >= TRANSFER_ASK_FROM;
}

/** Open a file without following a link that took its place, and send it. */
static int
open_and_send(struct sender *s, const char *path, int flags, struct offer *offer)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);

    if (fd < 0 || fstat(fd, &status) != 0) {
        progress_break(&s->talk.progress);
        s->source_error =
            log_error(EXIT_LOCAL, "%s: %s; it is left out", printable(path), errno_text());
        if (fd >= 0)
            close(fd);
        return EXIT_DONE;
    }
    int code = EXIT_DONE;
    if (S_ISREG(status.st_mode)) {
        describe_offer(offer, &status, OFFER_FILE);
        code = send_file(s, fd, offer);
    } else {
        log_warning("%s: neither file nor folder: skipped", printable(path));
    }
    close(fd);
    return code;
}

/* ---- A path, with all that is below it ---- */

/** What send_path() hands to each step of its walk. */
struct source {
    struct sender *sender;
    const char *base; /* the name there of the path that was given */
    size_t root;      /* bytes of that path */
};

/** Send one entry of the walk. Returns an exit code. */
static int
send_entry(void *context, const struct walk_entry *entry)
{
    struct source *source = context;
    struct sender *s = source->sender;
    struct offer offer;

    if (entry->kind == WALK_FAILED) {
        progress_break(&s->talk.progress);
        s->source_error = log_error(EXIT_LOCAL, "%s: %s; it is left out", printable(entry->path),
                                    strerror(entry->error));
        return EXIT_DONE;
    }
    int code = set_name(&offer, source->base, entry->path + source->root);
    if (code != EXIT_DONE) {
        s->source_error = code;
        return EXIT_DONE;
    }
    switch (entry->kind) {
    case WALK_FOLDER:
    case WALK_FOLDER_DONE:
        describe_offer(&offer, &entry->status,
                       entry->kind == WALK_FOLDER ? OFFER_FOLDER : OFFER_FOLDER_DONE);
        return send_offer(s, &offer);
    case WALK_FILE:
        return open_and_send(s, entry->path, entry->depth > 0 ? O_NOFOLLOW : 0, &offer);
    default:
        progress_break(&s->talk.progress);
        log_warning("%s: %s: skipped", printable(entry->path),
                    entry->kind == WALK_LINK ? "a symbolic link" : "neither file nor folder");
        return EXIT_DONE;
    }
}

/** The name that a path gets there: its last component. Returns 0, or -1. */
static int
base_of(char base[NAME_MAX + 1], const char *path)
{
    char *whole = realpath(path, NULL);
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    size_t start = size;
    while (start > 0 && path[start - 1] != '/')
        start--;
    const char *name = path + start;
    size_t n = size - start;
    if (whole != NULL &&
        ((n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.'))) {
        name = strrchr(whole, '/') + 1; /* `.` gets the name of its folder */
        n = strlen(name);
    }
    int bad = n == 0 || n > NAME_MAX;
    if (!bad) {
        memcpy(base, name, n);
        base[n] = 0;
    }
    free(whole);
    return bad ? -1 : 0;
}

static int
send_path(struct sender *s, const char *path)
{
    char base[NAME_MAX + 1];
    char *copy = strdup(path);
    int code = EXIT_DONE;
    size_t root;

    if (copy == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    if (base_of(base, path) != 0) {
        free(copy);
        return log_error(EXIT_USAGE, "%s: has no name that it could be given there",
                         printable(path));
    }
    for (root = strlen(copy); root > 1 && copy[root - 1] == '/';)
        copy[--root] = 0; /* so that what the walk adds begins with a slash */
    struct source source = {.sender = s, .base = base, .root = root};
    code = walk_tree(copy, send_entry, &source);
    if (code < 0)
        code = log_error(EXIT_LIMIT, "no memory");
    free(copy);
    return code;
}

static int
send_stream(struct sender *s)
{
    struct offer offer = {.kind = OFFER_FILE, .mode = 0644, .size = TRANSFER_UNKNOWN};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    offer.seconds = now.tv_sec;
    int code =
        set_name(&offer, s->talk.options->name != NULL ? s->talk.options->name : "stdin", "");
    return code == EXIT_DONE ? send_file(s, 0, &offer) : code;
}

/* ---- The whole ---- */

static int
send_all(void *context)
{
    struct sender *s = context;
    int code = EXIT_DONE;

    for (size_t i = 0; i < s->sources && code == EXIT_DONE; i++)
        code = strcmp(s->talk.options->operands[i], "-") == 0
                   ? send_stream(s)
                   : send_path(s, s->talk.options->operands[i]);
    if (code == EXIT_DONE)
        code = talk_send(&s->talk, TRANSFER_END, NULL, 0);
    if (code == EXIT_DONE)
        code = talk_close(&s->talk);
    s->talk.complete = s->talk.closed;
    if (code != EXIT_DONE)
        return code;
    /* The peer has reported every offer, so all that was sent is verified. */
    s->talk.progress.bytes = s->sent;
    s->talk.progress.files = s->files > s->refused ? s->files - s->refused : 0;
    if (s->settled != s->offers)
        return log_error(EXIT_FAILED, "the peer closed before it had stored all; " TRANSFER_RESUME);
    if (s->source_error != 0)
        return s->source_error;
    return s->refused > 0 ? EXIT_FAILED : EXIT_DONE;
}

/** Find the errors that need no connection. */
static int
check_sources(const struct options *o, size_t count)
{
    int streams = 0;

    for (size_t i = 0; i < count; i++) {
        struct stat status;
        int stream = strcmp(o->operands[i], "-") == 0;
        streams += stream;
        if (!stream && stat(o->operands[i], &status) != 0)
            return log_error(EXIT_LOCAL, "%s: %s; is the path right?%s nothing was sent",
                             printable(o->operands[i]), errno_text(),
                             strchr(o->operands[i], ':') != NULL ? " put HOST:PORT last;" : "");
    }
    if (streams > 1)
        return log_error(EXIT_USAGE, "send: standard input can be sent once");
    if (streams > 0 && o->stdio)
        return log_error(EXIT_USAGE, "send: --stdio has taken standard input");
    return streams > 0 ? stdio_check(0, 0, "standard input") : EXIT_DONE;
}

static int
send_run(struct options *o)
{
    static struct sender sender;
    int direct = o->exec != NULL || o->stdio;

    memset(&sender, 0, sizeof sender); /* a program may run this more than once */
    sender.talk = (struct talk){.options = o,
                                .sends = 1,
                                .converse = send_all,
                                .on_message = send_on_message,
                                .context = &sender};
    sender.sources = o->operand_count - (direct ? 0 : 1);
    if (sender.sources == 0 || o->operand_count == 0)
        return log_error(EXIT_USAGE,
                         "send: nothing to send, or no peer; give PATH... and then HOST:PORT");
    int code = check_sources(o, sender.sources);
    return code == EXIT_DONE ? talk_run(&sender.talk, direct ? NULL : o->operands[sender.sources])
                             : code;
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
        "After a cut, run the same command again at both ends to resume.\n",
    .least = 1,
    .most = 1000000,
    .run = send_run,
};
