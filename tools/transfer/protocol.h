/*
 * The file transfer inside a channel: its messages to the byte, and the loop that carries them
 * (docs/transfer.md). cmd_send.c and cmd_recv.c are its two ends.
 */
#ifndef DUET_TOOL_TRANSFER_H
#define DUET_TOOL_TRANSFER_H

#include "link.h"
#include "progress.h"

/** Messages, by their code. Integers are big-endian. */
enum transfer_code {
    /* from the sender */
    TRANSFER_OFFER = 1, /* struct offer */
    TRANSFER_START = 2, /* offset(8): from where the content comes, after a WANT */
    TRANSFER_DATA = 3,  /* bytes of content */
    TRANSFER_DONE = 4,  /* status(1): 0 whole, 1 the source failed */
    TRANSFER_END = 5,   /* empty: the last offer was made */
    /* from the receiver */
    TRANSFER_WANT = 16,   /* index(4) ‖ offset(8) ‖ SHA-256(32) of what is there up to offset */
    TRANSFER_ACK = 17,    /* index(4) ‖ bytes(8) of this file that are verified and written */
    TRANSFER_STORED = 18, /* index(4) */
    TRANSFER_REFUSED = 19 /* index(4) ‖ why, as text */
};

enum {
    TRANSFER_DATA_MOST = 65536, /* bytes of content in a message */
    TRANSFER_NAME_MOST = 4096,  /* bytes of a name, folders included */
    TRANSFER_ASK_FROM =
        262144, /* bytes: smaller files are sent at once, without asking what is there */
    TRANSFER_HASH = 32,
    TRANSFER_INBOX = 131072, /* bytes: the longest message that is taken */
    TRANSFER_MESSAGE = 5120  /* bytes: the longest that is not DATA */
};

/** What to do after a cut. */
#define TRANSFER_RESUME "run the same command again at both ends to resume"

#define TRANSFER_UNKNOWN UINT64_MAX /**< the size of a stream, which is not known in advance */

enum offer_kind { OFFER_FILE = 0, OFFER_FOLDER = 1, OFFER_FOLDER_DONE = 2 };

/** kind(1) ‖ asks(1) ‖ mode(2) ‖ seconds(8) ‖ nanoseconds(4) ‖ size(8) ‖ name */
struct offer {
    enum offer_kind kind;
    int asks;      /* 1: content comes after WANT and START */
    unsigned mode; /* permission bits */
    int64_t seconds;
    uint32_t nanoseconds;
    uint64_t size;
    char name[TRANSFER_NAME_MOST + 1]; /* without a leading slash */
};

/** Write an offer; returns its size. */
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

/** A conversation: messages out, messages in, and every wait has a limit. */
struct talk {
    const struct options *options;
    int sends; /* 1: this end sends the files */
    /** The whole of it, from the first message to CLOSE. Returns an exit code. */
    int (*converse)(void *context);
    /** A whole message has come. Returns an exit code. */
    int (*on_message)(void *context, uint32_t code, const uint8_t *bytes, size_t size);
    void *context;
    struct link link;
    struct progress progress;
    uint8_t *inbox;
    size_t have;   /* bytes of a message that is not whole */
    int handling;  /* 1: on_message() runs, so nothing more is received */
    int heard;     /* 1: a message has come in this turn */
    int closed;    /* 1: the peer has closed */
    int complete;  /* 1: all offers have come, so that the receipt says something */
    uint64_t last; /* when something moved */
};

/** Reach the peer, converse with it, and print the outcome. address: NULL where the options name
 * another way. Returns an exit code. */
int talk_run(struct talk *talk, const char *address);

/** Send a message; receives beside it, so that two ends never wait for each other. Returns an exit
 * code. */
int talk_send(struct talk *talk, uint32_t code, const void *bytes, size_t size);

/** Send what is kept, take what comes; wait a little where nothing has come. Returns an exit code.
 */
int talk_turn(struct talk *talk);

/** Close our direction and wait for the peer's CLOSE. Returns an exit code. */
int talk_close(struct talk *talk);

/** SHA-256 of a file's first size bytes; its position is not moved. Returns 0, or -1. */
int hash_prefix(uint8_t hash[TRANSFER_HASH], int fd, uint64_t size);

#endif
