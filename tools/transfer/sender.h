/*
 * The sending end of a transfer: offers go ahead of content, answers come as they come, and a file
 * is sent when the peer wants it (docs/transfer.md). Which files those are is for cmd_send.c.
 */
#ifndef DUET_TOOL_SENDER_H
#define DUET_TOOL_SENDER_H

#include "carrier.h"
#include "limiter.h"
#include "range_plan.h"
#include "streams.h"
#include "walk.h"

enum sent_state {
    SENT_FREE,    /* the place is free */
    SENT_OFFERED, /* an answer is due */
    SENT_CHECK,   /* the peer asks whether what it has is a part of the file */
    SENT_CHECKED, /* the CHECK is sent: an answer is due */
    SENT_WANTED,  /* content is to be sent */
    SENT_CONTENT, /* content is being sent */
    SENT_DONE     /* all is sent: the outcome is due */
};

/** An offer that is not settled. */
struct sent {
    enum sent_state state;
    enum offer_kind kind;
    int fd;          /* of a file; -1 */
    int stream;      /* 1: of unknown size, read once */
    int changed;     /* 1: DONE said that it changed while it was read */
    int refused;     /* 1: refused while its content is sent */
    unsigned tries;  /* how often its content changed while it was read */
    unsigned checks; /* how often the peer asked for a CHECK */
    char *name;      /* as it was offered */
    uint64_t offset; /* from where it is wanted, or what is to be checked */
    uint64_t moved;  /* bytes of content that were sent */
    struct stat status;
};

/** A file that changed while it was read. */
struct sent_changed {
    struct sent_changed *next;
    int fd;
    unsigned tries;
    char name[];
};

/** A file of several names that was offered. */
struct sent_inode {
    dev_t dev;
    ino_t ino;
    char *name;
};

struct sender {
    struct carrier carrier;
    struct sent window[TRANSFER_WINDOW]; /* the offer of index i is in place i % TRANSFER_WINDOW */
    uint32_t todo[TRANSFER_WINDOW];      /* indices to be checked or sent, in order: a ring */
    uint32_t todo_first, todo_count;
    uint32_t offers;            /* made; the next one's index */
    uint32_t settled;           /* stored or refused */
    uint32_t refused, left_out; /* of files; left_out: never offered */
    uint64_t running;           /* bytes of content that were sent, those of refused files too */
    uint64_t acknowledged;      /* bytes that the peer has written */
    unsigned open, most_open;   /* files of the window that are open */
    struct limiter limiter;     /* --limit */
    struct streams streams;     /* the further ones */
    unsigned most_streams;      /* --streams */
    struct range_plan plan;
    uint32_t starts;            /* START messages that were sent */
    int keeps_modes, checks;    /* not --no-perms; --checksum */
    int owner, xattrs, dry_run; /* as the options */
    int file_mode, folder_mode; /* --chmod; -1: as they are */
    struct sent_inode *inodes;  /* a hash table; room is a power of two */
    size_t inode_count, inode_room;
    struct sent_changed *changed; /* files that changed while they were read: to be offered again */
    int begun;                    /* 1: the peer's first message has come */
    int ended;                    /* 1: END was sent */
    int error;                    /* exit code of a source that could not be read, or 0 */
    int nonsense;                 /* 1: the peer's message makes no sense */
    int old_format;               /* the peer's format where it is another one; else 0 */
    int same_receipt;
    uint8_t whole[TRANSFER_STREAMS_MOST]; /* further streams that have a part in the receipt */
    unsigned whole_count;
    int consumed; /* 1: bytes of a stream were read that cannot be read again */
};

/** Make an offer of what the walk found, under a name. It takes over entry->fd. Returns 0 to go on,
 * or an exit code. */
int sender_offer(struct sender *s, const struct walk_entry *entry, const char *name);

/** Offer a stream, which is read to its end from fd. */
int sender_offer_stream(struct sender *s, int fd, const char *name);

/** Send and check until no more than `most` offers wait for anything. Returns as sender_offer(). */
int sender_settle(struct sender *s, uint32_t most);

/** Begin and end the conversation. Returns an exit code. */
int sender_begin(struct sender *s, uint64_t files, uint64_t bytes);
int sender_end(struct sender *s);

/** Note a source that is left out. Returns 0. */
int sender_leave_out(struct sender *s, int code);

/** Make it ready. It is all zeros but for what the options say. Returns 0, or -1. */
int sender_init(struct sender *s, uint64_t limit);

/** Release all of it. */
void sender_free(struct sender *s);

/* ---- sender_answers.c ---- */

/** What the carrier calls while it waits for room. */
void sender_on_message(void *context, const duet_message *message);

/** The place of an offer. */
struct sent *sent_at(struct sender *s, uint32_t index);

/** An offer is settled: its place is free. */
void sent_release(struct sender *s, struct sent *sent);

/** Take one message, if it comes within ms (negative: as long as it takes). Returns 0; an exit
 * code; -1 where none will come. */
int sender_take(struct sender *s, int ms);

/** Take a message if one is there. Returns as sender_offer(). */
int sender_look(struct sender *s);

/** No message comes any more, though outcomes are due. Returns an exit code. */
int sender_cut(struct sender *s);

/* ---- sender_stream.c ---- */

/** The worker of a further stream, whose streams' context is the sender. */
int sender_stream_work(void *context);
void sender_stream_lost(struct stream *stream);

/* ---- sender_content.c ---- */

/** Check or send the next one that is to be. Returns 0, or an exit code. */
int sender_serve(struct sender *s);

#endif
