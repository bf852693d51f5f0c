/*
 * What the channels of fuzz_many.c have sealed and returned: a record of each frame with the place
 * where it ends on the wire, from which follows what must be returned, what must not, and which
 * results a call may have.
 */
#ifndef FUZZ_LEDGER_H
#define FUZZ_LEDGER_H

#include "channel/channel.h"
#include "wires.h"

enum {
    ENDS = WIRES,      /* 2 n and 2 n + 1 are peers */
    ROOM = 20000,      /* bytes of a buffer to receive into */
    RECORDS = 1 << 14, /* frames under way in one direction: more than its wire holds */
};

/** A frame of the application's that was sealed, or the CLOSE behind all. */
struct record {
    uint32_t code;
    const uint8_t *data;
    size_t size, end; /* bytes; the end is an offset of the wire's */
};

/** What is left of a message of which a part was accepted. */
struct message {
    uint32_t code;
    const uint8_t *data;
    size_t left; /* bytes; 0: none is under way */
};

struct end {
    duet_channel *channel;
    struct record records[RECORDS]; /* what comes in here; [i % RECORDS] */
    size_t delivered, count;        /* of them: handed to the application, sealed */
    uint64_t bytes_out, bytes_in;   /* of payload: accepted, delivered */
    struct message message;
    int dead;    /* what ended it; 0: nothing */
    int waits;   /* 1: its last receiving call had nothing more */
    int sends;   /* 1: its last sending call could not do all */
    int closing; /* 1: CLOSE was asked for */
    int closed;  /* 1: and sealed */
};

extern struct end ends[ENDS];

/* ---- Sending: by end n ---- */

/** A frame was accepted. */
void note(unsigned n, uint32_t code, const uint8_t *data, size_t size);

/** Bytes of the stream were: these are frames of the size that was set. */
void note_stream(unsigned n, const uint8_t *data, size_t sent);

/** What was noted since its peer had `before` records is the last that was sealed. */
void note_ends(unsigned n, size_t before);

/** Note the CLOSEs that the last instruction brought. */
void note_closes(void);

/** What a call said; done of size: bytes or messages. */
void judge_send(unsigned n, int result, size_t done, size_t size);

/** What a call for a message said; it is noted, and what is left of it. */
void judge_message(unsigned n, const struct message *message, int result, size_t sent);

/** What a call said that only flushes, or asks for something. */
void judge_flush(unsigned n, int result);

/** 1 when a batch may stop at this message, and say so. */
int batch_stops(unsigned n, const duet_message *message, int result);

/* ---- Receiving: by end n ---- */

/** A buffer of ROOM bytes as a call finds it; nothing in it was verified by anybody. Buffers go
 * from one end to another. */
uint8_t *lend(unsigned slot);

/** After the delivered bytes a buffer is untouched or wiped, and untouched beyond its size. */
void check_rest(const uint8_t *buffer, size_t got, size_t size);

/** The record that must be delivered next; NULL: nothing was sealed. */
const struct record *next_of(unsigned n);

/** 1 when that has come, all of it and as it was sealed. */
int whole(unsigned n);

/** A call has waited for input, and nothing woke it: there is nothing for it. */
void judge_wait(unsigned n);

/** Check a delivered frame: it is the next one, and nothing before its end was changed. */
void delivered_frame(unsigned n, uint32_t code, const uint8_t *bytes, size_t size);

/** Check delivered bytes of the stream: whole frames. Returns 1 when there are some. */
int delivered_stream(unsigned n, const uint8_t *bytes, size_t got);

/** Check delivered bytes of one message, or of one part of the stream, under the last one's code.
 * Returns 1 when a frame was delivered. */
int delivered_message(unsigned n, uint32_t code, const uint8_t *bytes, size_t got, int result);

/** Check the result of a receiving call; some: it delivered something; size: bytes of its buffer. */
void judge_recv(unsigned n, int result, int some, size_t size);

#endif
