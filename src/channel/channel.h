/*
 * A channel inside: a session, the wire under it, and what is under way in each direction.
 *
 * An idle channel owns no buffer: what the descriptor did not take, and a frame that time cut in
 * two, are allocated when they come up and released when they are done.
 */
#ifndef DUET_CHANNEL_CHANNEL_H
#define DUET_CHANNEL_CHANNEL_H

#include "os/os.h"

#include <duet/channel.h>

enum {
    DUET__BATCH = 65536 + 4 * (int)DUET_FRAME_OVERHEAD,  /* bytes sealed for one write; the most
                                                            that is kept when it is not taken */
    DUET__LOOK = 4 * (16384 + (int)DUET_FRAME_OVERHEAD), /* bytes looked at by one call: whole
                                                            frames of the default size */
    DUET__STASH_MOST = 1 << 20, /* bytes of payload that are set aside for a cut frame */
    DUET__STASH_ALL = 64 << 20, /* and for all channels of a process together */
    DUET__TURNS = 256           /* steps of one turn: bounds a call under endless PAD or PING */
};

/** The wire: a stream of the caller's, or descriptors when stream.read is NULL. */
struct duet__io {
    duet_stream stream;
    int rfd, wfd;
    uint8_t rkind, wkind; /* enum duet__os_kind */
};

enum duet__rx_state {
    DUET__RX_NONE,  /* an application frame is not under way */
    DUET__RX_BEGUN, /* its header is opened, its payload or MAC is not all here */
    DUET__RX_HELD   /* it is verified and lies in the stash */
};

struct duet_channel {
    duet_session *session;
    duet_replay *replay;
    struct duet__io io;
    char *detail; /* of the system's making; NULL: the session's holds */

    uint8_t *kept; /* sealed, not yet taken by the descriptor */
    uint32_t kept_at, kept_size;
    uint32_t frame_size; /* bytes into which payload is split */
    uint32_t tx_code;    /* of the message or frame that is under way */
    uint32_t tx_left;    /* bytes of payload that the begun frame still wants */

    uint8_t *stash;                       /* NULL: none */
    uint8_t *rx_at;                       /* where in the caller's buffer the frame lies */
    uint32_t rx_code, rx_length, rx_done; /* of the frame under way; bytes of payload so far */
    size_t need;                          /* bytes that the session awaits; 0: ask it */
    uint32_t last;                        /* bytes of payload of the last frame that was had */
    uint64_t keep_ms;                     /* how long nonces are kept; 0: until pushed out */

    uint32_t process;         /* the process whose channel this is */
    int8_t result;            /* fatal: every call says it */
    int8_t tx_result;         /* the sending direction is lost, the other may still be read */
    uint8_t rx_state;         /* enum duet__rx_state */
    uint8_t want_tx, want_rx; /* what the last sending, receiving call waited for */
    unsigned open : 1;        /* initiation is done, as far as the application asked */
    unsigned speak_first : 1; /* done means: may send */
    unsigned rx_closed : 1;   /* the peer's CLOSE came */
    unsigned rx_message : 1;  /* a received message goes on */
    unsigned rx_midway : 1;   /* a frame of the library's is partly received */
    unsigned tx_message : 1;  /* a message being sent goes on */
    unsigned tx_frame : 1;    /* a frame being sent in pieces is begun */
    unsigned dry : 1;         /* the last read took all there was: this turn reads no more */
    unsigned patient : 1;     /* the next look may wait in the kernel */
    unsigned low_water : 1;   /* poll() was told to wait for the rest of the frame under way */
    unsigned tx_closing : 1;  /* CLOSE was asked for */
    unsigned owing : 1;       /* something came that the session may answer */
};

/** A deadline that starts to run when a call first has to wait, so that data at hand needs no
 * clock. */
struct duet__deadline {
    int timeout_ms;
    int running;
    uint64_t at;
};

/** What a call sends. */
enum duet__tx_kind { DUET__TX_STREAM, DUET__TX_MESSAGE, DUET__TX_FRAME, DUET__TX_BATCH };

struct duet__tx {
    enum duet__tx_kind kind;
    uint32_t code;
    const uint8_t *data;
    size_t size, sent;
    const duet_message *messages; /* of a batch: its size and sent count messages */
    int due;                      /* 1: at least one more frame, or piece of one, is to be sealed */
};

/** What a call receives. */
enum duet__rx_kind { DUET__RX_STREAM, DUET__RX_MESSAGE, DUET__RX_BATCH };

struct duet__rx {
    enum duet__rx_kind kind;
    uint8_t *buffer;
    size_t size, got, least;
    uint32_t code;     /* of the last frame had */
    int whole;         /* 1: that frame ended a message */
    int polled;        /* 1: the call never waits */
    duet_inbox *inbox; /* of a batch: where messages are told */
    int in_place;      /* 1: this call has put the frame under way into its buffer */
};

/* ---- channel.c ---- */

/** End the channel with a result, the first to come; reason: errno's kind of number, or 0. */
int duet__channel_die(duet_channel *channel, int result, const char *what, int reason);

/** Take a result of the session: the fatal ones stick. Returns it. */
int duet__channel_judge(duet_channel *channel, int result);

/** 1 when the channel lives, in the process that made it; else channel->result says why not. */
int duet__channel_alive(duet_channel *channel);

/** What a call that does not fit says: DUET_E_MISUSE, or what ended the channel before. */
int duet__channel_refuse(duet_channel *channel);

/** Note the system's reason for later. */
void duet__channel_note(duet_channel *channel, const char *what, int reason);

/* ---- io.c: nothing here waits but duet__io_wait() ---- */

/** As duet__os_read(), on either kind of wire. */
int duet__io_read(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count,
                  size_t *got);

/** Look at up to size bytes that stay in the kernel (at NULL: count them); only where
 * duet__io_looks(). As duet__io_read(). */
int duet__io_look(duet_channel *channel, uint8_t *at, size_t size, size_t *got);

/** Take size bytes that were looked at out of the kernel. Returns DUET_OK, or what ended the
 * channel. */
int duet__io_drop(duet_channel *channel, size_t size);

/** Have poll() wait for size bytes. Returns 0; -1: the kernel would not hold so many. */
int duet__io_low_water(duet_channel *channel, size_t size);

/** Have poll() tell of any byte again: of those that it waited for some are taken, or all. */
void duet__io_no_low_water(duet_channel *channel);

/** 1 when the wire can be looked at before it is taken. */
int duet__io_looks(const duet_channel *channel);

/** Write as much of size bytes as is taken. Returns DUET_OK when all were, DUET_AGAIN, or a
 * result that has stuck. */
int duet__io_write(duet_channel *channel, const uint8_t *data, size_t size, size_t *put);

/** Wait for a set of DUET_WANT_. Returns DUET_OK (try again), DUET_AGAIN, DUET_SLOW, DUET_E_IO. */
int duet__io_wait(duet_channel *channel, struct duet__deadline *deadline, unsigned want);

/* ---- handshake.c ---- */

/** What every call begins with: is the channel alive, in its own process, and initiated? */
int duet__enter(duet_channel *channel, struct duet__deadline *deadline, unsigned *want);

/* ---- send.c ---- */

/** Send without waiting: what is kept, what is owed, what the job brings (NULL: none). Returns
 * DUET_OK when all of it is with the descriptor, DUET_AGAIN, or a fatal result. */
int duet__tx_step(duet_channel *channel, struct duet__tx *job);

/** Run a sending call to its end. */
int duet__tx_run(duet_channel *channel, struct duet__tx *job, struct duet__deadline *deadline);

/** 1 when bytes of the stream may be sent: no message or frame is under way, CLOSE is not asked
 * for. */
int duet__tx_streams(const duet_channel *channel);

/** Bytes of the next frame's payload. */
size_t duet__tx_payload(const duet_channel *channel, const struct duet__tx *job);

/** Write sealed bytes, and keep what is not taken. Returns DUET_OK, DUET_AGAIN, or what has
 * stuck. */
int duet__tx_write(duet_channel *channel, const uint8_t *bytes, size_t size);

/** 1 when something waits to be written and could be. */
int duet__tx_waits(const duet_channel *channel);

/* ---- peek.c ---- */

/** What was looked at. */
struct duet__look {
    uint8_t wire[DUET__LOOK];
    size_t asked, size, at; /* bytes: asked for, seen, taken */
};

/** 1 when it can be looked at from where the channel stands. */
int duet__look_fits(const duet_channel *channel);

/** Look at what the kernel holds. As duet__io_look(). */
int duet__look_begin(duet_channel *channel, const struct duet__rx *job, struct duet__look *look);

/** Go on to the next frame of the application's that is all here; step tells how to open it, or its
 * `in` is NULL: there is none. Returns DUET_OK, or as duet__rx_step(). */
int duet__look_next(duet_channel *channel, struct duet__rx *job, struct duet__look *look,
                    struct duet_step *step);

/** That frame has been opened with a result, which is judged. */
int duet__look_opened(duet_channel *channel, struct duet__rx *job, struct duet__look *look,
                      const struct duet_step *step, int result);

/** Remove what was taken. Returns DUET_OK, or what ended the channel. */
int duet__look_end(duet_channel *channel, const struct duet__look *look);

/** 1 when the next step of a receiving call is a look. */
int duet__peek_fits(const duet_channel *channel, const struct duet__rx *job);

/** Look, open all whole frames that the job takes, and remove them. As duet__rx_step(), for one
 * step. */
int duet__peek_step(duet_channel *channel, struct duet__rx *job);

/* ---- recv.c ---- */

enum { DUET__STOP = 1 }; /* the next frame is not for this call; beside the results */

/** Decide where the frame under way goes: into the stash where there is one, else to rx_at. Returns
 * DUET_OK, DUET__STOP, or why it goes nowhere. */
int duet__rx_place(duet_channel *channel, struct duet__rx *job);

/** Judge and answer one step of the session's. */
int duet__rx_judge(duet_channel *channel, const struct duet_step *step, int result);

/** Count the frame that has been verified. */
void duet__rx_deliver(duet_channel *channel, struct duet__rx *job);

/** Take pieces of the frame under way as they come. */
int duet__rx_pieces(duet_channel *channel, struct duet__rx *job);

/** 1 when the job has all that it can have; when it has what its caller waits for; when it has
 * something. */
int duet__rx_complete(const struct duet__rx *job);
int duet__rx_satisfied(const struct duet__rx *job);
int duet__rx_had_some(const struct duet__rx *job);

/** Take one step outside of application frames: a header, or a frame of the library's. */
int duet__rx_control(duet_channel *channel);

/** Receive without waiting. Returns DUET_OK when the job is done or cannot go on, DUET_AGAIN,
 * DUET_CLOSED, or as duet_recv(). */
int duet__rx_step(duet_channel *channel, struct duet__rx *job);

/** End a call that receives: what lies unverified in its buffer is wiped or set aside. */
int duet__rx_settle(duet_channel *channel, struct duet__rx *job, int result);

/** Run a receiving call to its end. */
int duet__rx_run(duet_channel *channel, struct duet__rx *job, struct duet__deadline *deadline);

/* ---- stash.c ---- */

/** Have a stash for the frame under way, of DUET__STASH_MOST bytes at most. Returns DUET_OK;
 * DUET_E_MEMORY, and the channel is dead. */
int duet__stash_for(duet_channel *channel);

/** Wipe and release the stash. */
void duet__stash_drop(duet_channel *channel);

#endif
