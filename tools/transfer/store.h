/*
 * Where what is received goes: safe names below one folder, unfinished files that are renamed when
 * they are whole and on the disk, and nothing that is replaced unless asked (docs/transfer.md).
 */
#ifndef DUET_TOOL_STORE_H
#define DUET_TOOL_STORE_H

#include "format.h"

#include <limits.h>
#include <sys/stat.h>

/** What an unfinished file's name ends with: nothing that another program gives a file, and no name
 * that is offered may end so, or a file that is there would be taken for an unfinished one. */
#define STORE_PART ".duet-part"

enum {
    STORE_GROUP = 1024, /* files that are put on the disk together, at most */
    STORE_FEW = 8,      /* so many are put there one by one, which spares other programs' data */
    STORE_MOUNTS = 16   /* file systems below the folder; where there are more, all are synced */
};

enum { STORE_AS_FILE = 100, STORE_LATER = 101 }; /* beside enum stored_how */

/** What is to be done about an offer. */
enum store_answer {
    STORE_WANT,    /* item->there bytes of it are there: ask for a CHECK, or for all where 0 */
    STORE_IS_SAME, /* it is there and equal */
    STORE_IS_KEPT, /* another one is there, which --update keeps */
    STORE_IN_TURN, /* when all before it is settled */
    STORE_REFUSED  /* store->why; store->code */
};

enum item_state {
    ITEM_FREE,
    ITEM_TURN,    /* it waits for those before it: hard links, and folders that are done */
    ITEM_WANTED,  /* START or CHECK is due */
    ITEM_CONTENT, /* content comes */
    ITEM_DROPPED, /* refused; content may still come, until DONE */
    ITEM_GROUP,   /* whole: it waits for the disk */
    ITEM_SETTLED
};

/** An offer that is not settled, and what became of it. Texts are owned. */
struct store_item {
    enum item_state state;
    uint32_t index;
    enum offer_kind kind;
    unsigned flags, mode;
    int64_t seconds;
    uint32_t nanoseconds;
    uint64_t size; /* TRANSFER_UNKNOWN: a stream */
    uint8_t hash[TRANSFER_HASH];
    char *name, *target;
    uint32_t owner, group; /* numbers there, and names or "" */
    char *owner_name, *group_name;
    uint8_t *attributes;
    size_t attributes_size;
    char *as;        /* the name of a file that is kept beside another; NULL: the last of name */
    uint64_t there;  /* bytes that were there already */
    uint64_t moved;  /* bytes of DATA that came */
    uint64_t at;     /* bytes that are there now */
    int compares;    /* 1: `there` is of a whole file of that name, not of an unfinished one */
    int verified;    /* 1: a CHECK has shown that `there` is the beginning of the file */
    unsigned checks; /* of an unfinished file that did not agree */
    struct timespec changed; /* and when that was last changed */
    int replaces;            /* 1: it may take the place of another file */
    int fd;                  /* unfinished; -1 */
    dev_t dev;               /* of the unfinished file */
    ino_t ino;
};

/** A folder that the transfer made, or made writable for its time. */
struct store_folder {
    struct store_folder *next;
    int made;    /* 1: its mode and time are the sender's to say */
    mode_t mode; /* what it had before; 0: it was not changed */
    char name[];
};

struct store {
    int root;     /* the folder; -1 with stream */
    dev_t device; /* its file system */
    struct {
        dev_t device;
        int fd;
    } mounts[STORE_MOUNTS]; /* other file systems that are mounted below it */
    unsigned mount_count;
    int many_mounts; /* 1: there are more of them */
    int stream;      /* 1: the one file goes to standard output */
    unsigned force, update, keep_both, checksum, hidden, no_perms, owner, xattrs;
    int dry;                         /* 1: a dry run: nothing is made or changed */
    uint64_t most_bytes, most_files; /* 0: no limit */
    unsigned most_open;              /* files that may be open at a time */
    mode_t umask;
    uint64_t bytes, files; /* that were offered */
    unsigned warned;       /* a set of enum store_step: what the file system cannot do */
    struct store_folder *folders;
    char cached[TRANSFER_NAME_MOST + 1]; /* a folder's name below root, which cached_fd has open */
    int cached_fd;
    struct store_item
        *group[STORE_GROUP]; /* in order: each is whole, or a folder or link in turn */
    unsigned group_count, group_files;
    uint64_t group_bytes;
    char why[700]; /* a refusal, for the peer and for here */
    int code;      /* the exit code of the last refusal that is a local failure */
    /** An item of the group is settled: how, a refusal (-1) with store->why, or
     * STORE_AS_FILE: a hard link that is to be looked at anew, as a file; STORE_LATER: its turn
     * comes again when that file is settled. */
    void (*on_settled)(void *context, struct store_item *item, int how);
    int (*is_stopped)(void *context); /* 1: the transfer has to end */
    void *context;
};

/** Steps that a file system may lack. Content arrives without them, with a warning. */
enum store_step {
    STEP_LOCK = 1,
    STEP_MODE = 2,
    STEP_TIME = 4,
    STEP_SYNC = 8,
    STEP_OWNER = 16,
    STEP_ATTRIBUTE = 32
};

/** Open the folder, making it if need be; "-" is standard output. Returns an exit code. */
int store_open(struct store *store, const char *folder);

/** Restore what was changed for the time of the transfer, and close. */
void store_close(struct store *store);

/** Look at an offer. */
enum store_answer store_look(struct store *store, struct store_item *item);

/** Look at a hard link as if it were offered as a file. */
enum store_answer store_look_again(struct store *store, struct store_item *item);

/** Compare what is there with a CHECK. Returns STORE_IN_TURN: GO; STORE_WANT: all of it is wanted,
 * or a CHECK of less where item->there is not 0; or as store_look(). */
enum store_answer store_check(struct store *store, struct store_item *item, uint64_t offset,
                              const uint8_t hash[TRANSFER_HASH]);

/** Content. Each returns 0, or -1 with store->why. */
int store_start(struct store *store, struct store_item *item, uint64_t offset);
int store_data(struct store *store, struct store_item *item, const uint8_t *bytes, size_t size);
int store_hole(struct store *store, struct store_item *item, uint64_t size);
int store_done(struct store *store, struct store_item *item);

/** Give up an item's unfinished file; discard 1: remove it. */
void store_drop(struct store *store, struct store_item *item, int discard);

/** Add an item to the group; the group is settled first where it is full. */
void store_group_add(struct store *store, struct store_item *item);

/** Put the group on the disk and under its names; on_settled() is called for each. */
void store_group_settle(struct store *store);

/** All offers are settled: what was stored is on the disk by its name. Returns an exit code. */
int store_sync_names(struct store *store);

/* ---- Within the store ---- */

/** Refuse with a reason, after the item's name. Returns -1. */
int store_refuse(struct store *store, const struct store_item *item, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Refuse because of this machine, errno's reason: disk full, no permission. Returns -1. */
int store_fail(struct store *store, const struct store_item *item);

/** Warn, once for each step, that the file system lacks it. */
void store_lacks(struct store *store, enum store_step step, const struct store_item *item);

/** 0 when a name is safe: relative, of plain components, none of them . or .. or an unfinished
 * file's. */
int name_check(const char *name);

/** Open the folder of an item's name; *base is the rest of it. The descriptor is the store's.
 * Returns it; -1 with store->why. */
int folder_of(struct store *store, const struct store_item *item, const char **base);

/** A folder is in use: note the file system that it is on, to be synced. */
void store_note_mount(struct store *store, int folder);

/** OFFER_FOLDER and OFFER_FOLDER_DONE. */
enum store_answer folder_offer(struct store *store, struct store_item *item);
int folder_done(struct store *store, struct store_item *item);
void folders_restore(struct store *store);

/** OFFER_LINK, and OFFER_HARD_LINK in its turn. */
enum store_answer link_offer(struct store *store, struct store_item *item);
/** Returns 0; -1; STORE_AS_FILE: its content is needed, or what is there has to be compared. */
int hard_link_done(struct store *store, struct store_item *item);

/** The owner and group that an item gets here. */
void store_owner(const struct store_item *item, uid_t *owner, gid_t *group);

/** Set an item's owner, attributes, mode and time on an open file or folder. */
void store_dress(struct store *store, const struct store_item *item, int fd);

/** The name that the unfinished file beside `base` has. */
void part_name(char out[NAME_MAX + 1], const char *base);

/** 1 when a status is that of a file which this user made unfinished and no one else can have. */
int part_is_ours(const struct stat *status);

/** 1 when size and time say that a file is the one that is offered. */
int is_equal_file(const struct store_item *item, const struct stat *status);

/** Count bytes that are offered, or that come without an offered size. Returns 0; -1 with
 * store->why: more than the user allows. */
int store_count_bytes(struct store *store, const struct store_item *item, uint64_t size);

/** The last component that an item's file gets. */
const char *item_base(const struct store_item *item, const char *base);

#endif
