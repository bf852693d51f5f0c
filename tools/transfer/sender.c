/*
 * Offers and their outcomes at the sending end (see sender.h). The content is read in
 * sender_content.c.
 *
 * Up to TRANSFER_WINDOW offers wait for an answer or an outcome, so that a round trip or the peer's
 * disk is waited for once and not for each file.
 */
#include "sender.h"
#include "content_hash.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** Send or check the next one, and take what came; wait for a message where there is none to send:
 * that may settle an offer, so the caller looks again before the next call. */
static int
work_once(struct sender *s)
{
    if (s->todo_count == 0)
        return sender_take(s, -1);
    int code = sender_serve(s);
    return code == EXIT_DONE ? sender_take(s, 0) : code;
}

/* ---- Offers ---- */

/** A place for the next offer: the oldest offers are settled first where there is none. */
static int
make_place(struct sender *s, int is_file)
{
    int code = sender_take(s, 0);

    while (code == EXIT_DONE && s->todo_count > 64)
        code = sender_serve(s);
    while (code == EXIT_DONE &&
           (sent_at(s, s->offers)->state != SENT_FREE || (is_file && s->open >= s->most_open))) {
        code = work_once(s);
    }
    return code < 0 ? sender_cut(s) : code;
}

/** Send an offer; its place is filled. */
static int
put_offer(struct sender *s, const struct sent *what, const struct offer *offer)
{
    uint8_t message[TRANSFER_MESSAGE];
    int code = make_place(s, what->fd >= 0);

    if (code != EXIT_DONE) {
        if (what->fd >= 0)
            close(what->fd);
        return code;
    }
    struct sent *sent = sent_at(s, s->offers);
    *sent = *what;
    sent->state = SENT_OFFERED;
    sent->name = strdup(offer->name);
    s->open += sent->fd >= 0;
    s->offers++;
    if (sent->name == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    size_t size = offer_write(message, offer);
    return carrier_put(&s->carrier, TRANSFER_OFFER, message, size) == 0 ? EXIT_DONE : EXIT_FAILED;
}

/** The owner's and group's numbers and names. Names are looked up when they change alone. */
static void
describe_owner(struct offer *offer, const struct stat *status)
{
    static struct {
        uid_t uid;
        gid_t gid;
        char owner[TRANSFER_OWNER_MOST + 1], group[TRANSFER_OWNER_MOST + 1];
        int known;
    } last;

    if (!last.known || last.uid != status->st_uid || last.gid != status->st_gid) {
        const struct passwd *user = getpwuid(status->st_uid);
        const struct group *group = getgrgid(status->st_gid);
        last.uid = status->st_uid;
        last.gid = status->st_gid;
        last.known = 1;
        snprintf(last.owner, sizeof last.owner, "%s", user != NULL ? user->pw_name : "");
        snprintf(last.group, sizeof last.group, "%s", group != NULL ? group->gr_name : "");
    }
    offer->flags |= OFFER_OWNED;
    offer->owner = last.uid;
    offer->group = last.gid;
    memcpy(offer->owner_name, last.owner, sizeof last.owner);
    memcpy(offer->group_name, last.group, sizeof last.group);
}

/** fd: of what is offered; -1: none. */
static void
describe(const struct sender *s, struct offer *offer, const struct stat *status, int fd)
{
    static uint8_t attributes[TRANSFER_ATTRIBUTES_MOST];
    int folder = offer->kind == OFFER_FOLDER || offer->kind == OFFER_FOLDER_DONE;
    int mode = folder ? s->folder_mode : s->file_mode;

    offer->flags = s->keeps_modes ? 0 : OFFER_NO_MODE;
    offer->mode = mode >= 0 ? (unsigned)mode : status->st_mode & 0777;
    if (s->owner)
        describe_owner(offer, status);
    if (s->xattrs && fd >= 0) {
        offer->attributes = attributes;
        offer->attributes_size = duet__os_attributes(fd, attributes, sizeof attributes);
    }
    offer->seconds = status->st_mtim.tv_sec;
    offer->nanoseconds = (uint32_t)status->st_mtim.tv_nsec;
    offer->size = offer->kind == OFFER_FILE ? (uint64_t)status->st_size : 0;
}

/** The place of a file of several names in the table: where it is, or would be. */
static struct sent_inode *
find_inode(struct sender *s, const struct stat *status)
{
    size_t at = ((size_t)status->st_ino * 31 + (size_t)status->st_dev) & (s->inode_room - 1);

    while (s->inodes[at].name != NULL &&
           (s->inodes[at].ino != status->st_ino || s->inodes[at].dev != status->st_dev))
        at = (at + 1) & (s->inode_room - 1);
    return &s->inodes[at];
}

/** Double the table. Returns 0, or -1: out of memory. */
static int
grow_inodes(struct sender *s)
{
    struct sent_inode *old = s->inodes;
    size_t count = s->inode_room;
    struct sent_inode *more = calloc(count == 0 ? 256 : 2 * count, sizeof *more);

    if (more == NULL)
        return -1;
    s->inodes = more;
    s->inode_room = count == 0 ? 256 : 2 * count;
    for (size_t i = 0; i < count; i++) {
        const struct stat status = {.st_dev = old[i].dev, .st_ino = old[i].ino};
        if (old[i].name != NULL)
            *find_inode(s, &status) = old[i];
    }
    free(old);
    return 0;
}

/** The name under which the same file was offered before, or NULL; remembers this one. */
static const char *
earlier_name(struct sender *s, const struct stat *status, const char *name)
{
    if (status->st_nlink < 2)
        return NULL;
    if (2 * s->inode_count >= s->inode_room && grow_inodes(s) != 0)
        return NULL; /* it is sent as a file of its own */
    struct sent_inode *at = find_inode(s, status);
    if (at->name != NULL)
        return at->name;
    *at = (struct sent_inode){status->st_dev, status->st_ino, strdup(name)};
    s->inode_count += at->name != NULL;
    return NULL;
}

static int
offer_file(struct sender *s, const struct walk_entry *entry, struct offer *offer)
{
    struct sent sent = {.kind = OFFER_FILE, .fd = entry->fd, .status = entry->status};
    uint8_t byte;

    describe(s, offer, &entry->status, entry->fd);
    const char *earlier = earlier_name(s, &entry->status, offer->name);
    if (earlier != NULL && strlen(earlier) <= TRANSFER_LINK_MOST) {
        sent.kind = offer->kind = OFFER_HARD_LINK;
        memcpy(offer->target, earlier, strlen(earlier) + 1);
    } else if (offer->size == 0 && pread(entry->fd, &byte, 1, 0) == 1) {
        sent.stream = 1; /* the kernel's files say that they are empty */
        offer->size = TRANSFER_UNKNOWN;
    } else if (s->checks && hash_prefix(offer->hash, entry->fd, offer->size) == 0) {
        offer->flags |= OFFER_HASHED;
    }
    return put_offer(s, &sent, offer);
}

int
sender_offer(struct sender *s, const struct walk_entry *entry, const char *name)
{
    static struct offer offer;
    const struct sent sent = {.kind = OFFER_FOLDER, .fd = -1};

    memset(&offer, 0, sizeof offer);
    if (strlen(name) > TRANSFER_NAME_MOST) {
        if (entry->fd >= 0)
            close(entry->fd);
        progress_break(&s->carrier.progress);
        return sender_leave_out(s, log_error(EXIT_LOCAL, "%s: the name is too long; it is left out",
                                             printable(entry->path)));
    }
    memcpy(offer.name, name, strlen(name) + 1);
    if (entry->kind == WALK_FILE)
        return offer_file(s, entry, &offer);
    if (entry->kind == WALK_STREAM)
        return sender_offer_stream(s, entry->fd, name);
    offer.kind = entry->kind == WALK_FOLDER ? OFFER_FOLDER : OFFER_FOLDER_DONE;
    if (entry->kind == WALK_LINK) {
        offer.kind = OFFER_LINK;
        memcpy(offer.target, entry->target, strlen(entry->target) + 1);
    }
    describe(s, &offer, &entry->status, entry->fd);
    return put_offer(s, &sent, &offer);
}

/** Offer a file again that changed while it was read. */
static int
offer_changed(struct sender *s)
{
    struct sent_changed *changed = s->changed;
    struct walk_entry entry = {
        .kind = WALK_FILE, .path = changed->name, .below = "", .fd = changed->fd};
    int code = EXIT_DONE;

    s->changed = changed->next;
    if (fstat(changed->fd, &entry.status) == 0) {
        entry.status.st_nlink = 1; /* it was offered before, as itself */
        code = sender_offer(s, &entry, changed->name);
        if (code == EXIT_DONE)
            sent_at(s, s->offers - 1)->tries = changed->tries;
    } else {
        close(changed->fd);
        sender_leave_out(s,
                         log_error(EXIT_LOCAL, "%s: %s", printable(changed->name), errno_text()));
    }
    free(changed);
    return code;
}

int
sender_settle(struct sender *s, uint32_t most)
{
    int code = EXIT_DONE;

    while (code == EXIT_DONE && (s->changed != NULL || s->offers - s->settled > most))
        code = s->changed != NULL ? offer_changed(s) : work_once(s);
    return code < 0 ? sender_cut(s) : code;
}

int
sender_offer_stream(struct sender *s, int fd, const char *name)
{
    static struct offer offer;
    const struct sent sent = {.kind = OFFER_FILE, .fd = fd, .stream = 1};

    memset(&offer, 0, sizeof offer);
    offer.flags = OFFER_NO_MODE;
    offer.size = TRANSFER_UNKNOWN;
    offer.seconds = time(NULL);
    memcpy(offer.name, name, strlen(name) + 1);
    return put_offer(s, &sent, &offer);
}

/* ---- Beginning and end ---- */

int
sender_begin(struct sender *s, uint64_t files, uint64_t bytes)
{
    uint8_t begin[5 + TRANSFER_TOKEN] = {0}, total[16];
    int streams = s->most_streams > 1 && !s->dry_run;
    size_t size = streams ? sizeof begin : 4;

    put_field(begin, TRANSFER_VERSION, 2);
    put_field(begin + 2, (s->dry_run ? BEGIN_DRY : 0) | (streams ? BEGIN_STREAMS : 0), 2);
    if (streams && streams_draw(&s->streams) != 0)
        return log_error(EXIT_FAILED, "no randomness for a token");
    begin[4] = (uint8_t)s->most_streams;
    memcpy(begin + 5, s->streams.token, TRANSFER_TOKEN);
    put_field(total, files, 8);
    put_field(total + 8, bytes, 8);
    progress_total(&s->carrier.progress, files, bytes);
    int bad = carrier_put(&s->carrier, TRANSFER_BEGIN, begin, size) != 0 ||
              carrier_put(&s->carrier, TRANSFER_TOTAL, total, sizeof total) != 0;
    duet_wipe(begin, sizeof begin);
    return bad ? EXIT_FAILED : EXIT_DONE;
}

int
sender_end(struct sender *s)
{
    int code = sender_settle(s, 0);

    range_plan_end(&s->plan);
    if (code == EXIT_DONE) {
        s->whole_count = streams_end(&s->streams, s->whole);
        if (carrier_put(&s->carrier, TRANSFER_END, s->whole, s->whole_count) != 0)
            code = EXIT_FAILED;
    }
    if (code != EXIT_DONE)
        return code;
    s->ended = 1;
    carrier_end(&s->carrier);
    while (code == EXIT_DONE)
        code = sender_take(s, -1);
    if (code > 0 || carrier_stopped(&s->carrier))
        return code > 0 ? code : EXIT_FAILED;
    if (!s->same_receipt)
        return log_error(EXIT_FAILED,
                         "the peer closed before it had the receipt; " TRANSFER_RESUME);
    s->carrier.complete = 1;
    return EXIT_DONE;
}

int
sender_init(struct sender *s, uint64_t limit)
{
    for (size_t i = 0; i < TRANSFER_WINDOW; i++)
        s->window[i].fd = -1;
    int bad = limiter_init(&s->limiter, limit) != 0 || range_plan_init(&s->plan) != 0 ||
              streams_init(&s->streams, &s->carrier, sender_stream_work, s) != 0;
    s->streams.on_lost = sender_stream_lost;
    return bad ? -1 : 0;
}

void
sender_free(struct sender *s)
{
    streams_free(&s->streams);
    range_plan_free(&s->plan);
    limiter_free(&s->limiter);
    for (size_t i = 0; i < TRANSFER_WINDOW; i++)
        sent_release(s, &s->window[i]);
    while (s->changed != NULL) {
        struct sent_changed *changed = s->changed;
        s->changed = changed->next;
        close(changed->fd);
        free(changed);
    }
    for (size_t i = 0; i < s->inode_room; i++)
        free(s->inodes[i].name);
    free(s->inodes);
}
