/*
 * The messages of a file transfer, to the byte (docs/transfer.md). How they are carried is in
 * carrier.h, what the two ends do with them in cmd_send.c and cmd_recv.c.
 */
#ifndef DUET_TOOL_FORMAT_H
#define DUET_TOOL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum { TRANSFER_VERSION = 2 }; /* format 1 was that of duet 0.1 and 0.2 */

/** Messages, by their code. Integers are big-endian. */
enum transfer_code {
    /* from the sender */
    TRANSFER_OFFER = 1, /* struct offer */
    TRANSFER_START = 2, /* index(4) ‖ offset(8): content comes from there */
    TRANSFER_DATA = 3,  /* bytes of content, of the offer that was started */
    TRANSFER_DONE = 4,  /* index(4) ‖ status(1): enum done_status */
    TRANSFER_END = 5,   /* empty: the last offer was made */
    TRANSFER_HOLE = 6,  /* bytes(8): so many zeros in place of DATA */
    TRANSFER_TICK = 7,  /* empty: a sign of life, from either end */
    TRANSFER_CHECK = 8, /* index(4) ‖ offset(8) ‖ SHA-256(32) of the sender's first offset bytes */
    TRANSFER_TOTAL = 9, /* files(8) ‖ bytes(8) that will be offered, for the progress */
    TRANSFER_RANGE = 10, /* start(4) ‖ offset(8) ‖ size(4): where the DATA that follows belongs */
    /* from the receiver */
    TRANSFER_WANT = 16,    /* index(4) ‖ offset(8): bytes that are there; 0: send it all */
    TRANSFER_ACK = 17,     /* bytes(8) of content that are written, of all files */
    TRANSFER_STORED = 18,  /* index(4) ‖ how(1): enum stored_how */
    TRANSFER_REFUSED = 19, /* index(4) ‖ why, as text */
    TRANSFER_GO = 20,      /* index(4): what is there equals the CHECK; START at its offset */
    TRANSFER_RECEIPT = 21, /* the receipt of the sender's direction, as 64 hex digits */
    TRANSFER_WRITTEN = 22, /* start(4) ‖ offset(8) ‖ status(1): a range; 0 written, 1 dropped */
    /* the first message of either end, on the first stream and on a further one */
    TRANSFER_BEGIN = 32, /* version(2) ‖ flags(2): enum begin_flag; with BEGIN_STREAMS streams(1) ‖
                            the sender's token(32) */
    TRANSFER_JOIN = 33 /* number(1) ‖ proof(32) */
};

enum begin_flag {
    BEGIN_DRY = 1,    /* a dry run: nothing is stored or changed; the sender's alone */
    BEGIN_STREAMS = 2 /* further streams are offered, or accepted */
};

enum done_status { DONE_WHOLE, DONE_FAILED, DONE_CHANGED };
enum stored_how {
    STORED_NEW,     /* its content came, all or the rest of it */
    STORED_EQUAL,   /* it was there and is equal */
    STORED_KEPT,    /* another one was there, which recv --update keeps */
    STORED_DROPPED, /* it changed while it was read: nothing is stored, and it is offered again */
    STORED_WANTED   /* a dry run: its content would be asked for */
};

enum {
    TRANSFER_DATA_MOST = 65536,       /* bytes of content in a message */
    TRANSFER_NAME_MOST = 4096,        /* bytes of a name, folders included */
    TRANSFER_LINK_MOST = 4096,        /* bytes of a link's target */
    TRANSFER_OWNER_MOST = 255,        /* bytes of a user's name */
    TRANSFER_ATTRIBUTES_MOST = 32768, /* bytes of extended attributes */
    TRANSFER_HASH = 32,
    TRANSFER_TOKEN = 32,
    TRANSFER_STREAMS_MOST = 16,    /* the first one included */
    TRANSFER_RANGE_SIZE = 1 << 20, /* bytes */
    TRANSFER_RANGES_AHEAD = 64,    /* ranges from the first unwritten one on that may be sent */
    TRANSFER_RANGES_LEAST = 4,     /* ranges: a smaller file goes on the first stream as one */
    TRANSFER_CHECKS_MOST = 3,      /* of one file */
    TRANSFER_WINDOW = 4096,        /* offers that are not settled yet, at most */
    TRANSFER_MESSAGE = 49152       /* bytes: the longest message that is not DATA */
};

/** What to do after a cut. */
#define TRANSFER_RESUME "run the same command again at both ends to resume"

#define TRANSFER_UNKNOWN UINT64_MAX /**< the size of a stream, which is not known in advance */

enum offer_kind {
    OFFER_FILE = 0,
    OFFER_FOLDER = 1,
    OFFER_FOLDER_DONE = 2, /* all of its content was offered: its mode and time are set */
    OFFER_LINK = 3,        /* a symbolic link; target is what it points to */
    OFFER_HARD_LINK = 4    /* another name of a file; target is the name it was offered under */
};
enum { OFFER_KINDS = 5 };

enum offer_flag {
    OFFER_NO_MODE = 1, /* mode is a stream's, which has none */
    OFFER_HASHED = 2,  /* hash is that of the whole content (send --checksum) */
    OFFER_OWNED = 4    /* owner, group and their names are there (send --owner) */
};

/** kind(1) ‖ flags(1) ‖ mode(2) ‖ seconds(8) ‖ nanoseconds(4) ‖ size(8) ‖ name size(2) ‖ name ‖
 * fields, each type(2) ‖ size(2) ‖ value; one of an unknown type is skipped. */
struct offer {
    enum offer_kind kind;
    unsigned flags; /* enum offer_flag */
    unsigned mode;  /* permission bits */
    int64_t seconds;
    uint32_t nanoseconds;
    uint64_t size;
    uint8_t hash[TRANSFER_HASH];
    uint32_t owner, group; /* numbers at the sender */
    char owner_name[TRANSFER_OWNER_MOST + 1], group_name[TRANSFER_OWNER_MOST + 1]; /* or "" */
    const uint8_t *attributes;         /* name size(2) ‖ name ‖ value size(2) ‖ value, each */
    size_t attributes_size;            /* bytes; a reader's point into the message */
    char name[TRANSFER_NAME_MOST + 1]; /* without a leading slash */
    char target[TRANSFER_LINK_MOST + 1]; /* of links */
};

/** Write an offer. Returns its size. */
size_t offer_write(uint8_t out[TRANSFER_MESSAGE], const struct offer *offer);

/** Read one. Returns 0, or -1: malformed. */
int offer_read(struct offer *offer, const uint8_t *bytes, size_t size);

/** Fields of a message. Reading past the end gives zeros and sets bad. */
struct fields {
    const uint8_t *at;
    size_t left;
    int bad;
};
uint64_t field(struct fields *fields, unsigned size);
void put_field(uint8_t *out, uint64_t value, unsigned size);

#endif
