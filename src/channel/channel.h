/*
 * The channel's state, and what its files offer each other. They see each other in this order, and
 * only downwards:
 *   many.c exchange.c message.c  public calls; recv_all.c too
 *   call.c                       the handshake, loops and deadlines: the only place that waits
 *   peek.c send.c recv.c         peeking (ahead.c: reading ahead); sealing and writing; exact reads
 *   io.c channel.c refresh.c     descriptors, streams; construct, fail, free; when to refresh
 *   partial.c gather.c           partial frames; the message of duet_channel_recv_all()
 *
 * An idle channel owns no buffer. Sealed bytes that the descriptor did not take and partial frames
 * are allocated when they come up and freed when they are done.
 */
#ifndef DUET_CHANNEL_CHANNEL_H
#define DUET_CHANNEL_CHANNEL_H

#include "os/os.h"
#include "session/session.h"

#include <duet/channel.h>
#include <stdatomic.h>

/*
 * The state machine of each direction. Columns: what may be set in that phase ("-": never).
 *
 *   recv_phase   partial  rx_done      rx_message  low_water  the peer's direction is
 *   -----------  -------  -----------  ----------  ---------  -------------------------------
 *   BOUNDARY     -        -            yes         -          between two frames
 *   LIBRARY      -        -            yes         -          in a header or a library frame
 *   BEGUN        yes      0 to length  yes         yes        in an application frame
 *   VERIFIED     yes      length       yes         -          at the end of one, not delivered
 *   CLOSED       -        -            -           -          at its end: CLOSE came
 *
 *   BEGUN -> VERIFIED -> BOUNDARY takes one step unless the frame waits in `partial`.
 *   rx_done > 0 in BEGUN without `partial`: the frame lies at rx_at in the caller's buffer.
 *
 *   send_phase   tx_left      unsent  what may be sent next
 *   -----------  -----------  ------  --------------------------------------------------
 *   IDLE         -            yes     stream bytes, a message, a frame, CLOSE
 *   MESSAGE      -            yes     the rest of the message under the same code
 *   FRAME        1 to length  yes     the next piece of the frame; library frames wait
 *   CLOSING      -            yes     nothing of the application's
 *
 * Beside both: `established` is set once and stays. A `result` ends both directions and frees
 * `partial` and `unsent`; a `tx_result` ends sending alone. `drained` lasts for one step, `dry` for
 * one call.
 */

enum {
    DUET__BATCH_SIZE = 65536 + 4 * (int)DUET_FRAME_OVERHEAD,  /* bytes sealed for one write, and so
                                                                the most that stays unsent */
    DUET__PEEK_SIZE = 4 * (16384 + (int)DUET_FRAME_OVERHEAD), /* bytes of one peek: whole frames of
                                                                 the default size */
    DUET__PARTIAL_MOST = 1 << 20, /* bytes of payload in a frame that may become a partial frame */
    DUET__PEEK_FRAME = 8 * 1024,  /* bytes of payload from which exact reads were measured to be
                                     faster than a peek and a second copy */
    DUET__STEPS_MOST = 256, /* steps after which a call looks at its deadline, and whether it was
                               stopped */
    DUET__IDLE_MOST = 8192  /* frames without payload that a polled call takes: bounds it under
                               endless PAD or PING */
};

/** What another thread or a signal handler may touch. */
struct duet__stop {
    atomic_int stopped; /* 1: no call waits any more */
    atomic_int wake;    /* written to by duet_channel_stop(); -1 until a call first waits */
    int woken;          /* its other end, which a waiting call polls; -1 */
};

/** The descriptors, or the caller's stream when stream.read is not NULL. */
struct duet__io {
    duet_stream stream;
    int rfd, wfd;
    uint8_t rkind, wkind; /* enum duet__os_kind */
};

enum duet__recv_phase {
    DUET__RECV_BOUNDARY,
    DUET__RECV_LIBRARY,
    DUET__RECV_BEGUN,
    DUET__RECV_VERIFIED,
    DUET__RECV_CLOSED
};

enum duet__send_phase { DUET__SEND_IDLE, DUET__SEND_MESSAGE, DUET__SEND_FRAME, DUET__SEND_CLOSING };

struct duet_channel {
    duet_session *session;
    duet_replay *replay;
    struct duet__io io;
    char *detail; /* NULL: the session's detail holds */

    uint8_t *unsent; /* sealed, not yet taken by the descriptor */
    uint32_t unsent_at, unsent_size;
    uint32_t frame_size; /* bytes into which payload is split */
    uint32_t tx_code;    /* of the message or frame that is being sent */
    uint32_t tx_left;    /* bytes of payload that the begun frame still needs */

    uint8_t *ahead; /* read, not yet opened; NULL: none. See ahead.c */
    uint32_t ahead_at, ahead_size;

    uint8_t *partial;                     /* payload of the frame being received; NULL: none */
    uint32_t partial_size;                /* bytes that it has room for */
    uint32_t rx_taken;                    /* bytes of a verified frame that are handed out */
    uint8_t *rx_at;                       /* where in the caller's buffer that frame lies */
    uint32_t rx_code, rx_length, rx_done; /* of that frame; bytes of payload so far */
    uint32_t last;                        /* bytes of payload of the last delivered frame */
    size_t need;                          /* bytes that the session waits for; 0: ask it */
    struct duet__gather *gather;          /* of duet_channel_recv_all(); NULL: none */
    uint64_t begun_ms;                    /* when a listener's connection began */

    uint64_t refresh_bytes; /* bytes of payload, both directions, at which a refresh is due */
    uint64_t refresh_ms;    /* time at which it is */
    uint32_t refreshes;     /* the session's when these two were set */

    uint32_t process;           /* the process that made the channel */
    uint32_t idle_frames;       /* frames without payload since the call began, or since payload */
    int8_t result;              /* fatal; every later call returns it */
    int8_t tx_result;           /* fatal for sending; what has come can still be read */
    uint8_t recv_phase;         /* enum duet__recv_phase */
    uint8_t send_phase;         /* enum duet__send_phase */
    uint8_t want_tx, want_rx;   /* what the last sending, receiving call waited for; AGAIN_NOW */
    unsigned established : 1;   /* the handshake is done, as far as the application asked */
    unsigned buffered : 1;      /* frames are handed out in pieces */
    unsigned read_ahead : 1;    /* DUET_SET_READ_AHEAD, on a socket */
    unsigned rx_message : 1;    /* the last frame was MORE: the received message goes on */
    unsigned low_water : 1;     /* SO_RCVLOWAT is set to the rest of the frame being received */
    unsigned drained : 1;       /* a short read emptied the descriptor: read no more in this step */
    unsigned interrupted : 1;   /* a signal ended the last peek */
    unsigned limit_tried : 1;   /* whether peeks may block was found out */
    unsigned limited : 1;       /* they may, for a short time: SO_RCVTIMEO is set */
    unsigned dry : 1;           /* the last read returned DUET_AGAIN, so an event will follow */
    unsigned end_reported : 1;  /* a call has returned DUET_CLOSED */
    unsigned unsent_job : 1;    /* `unsent` has bytes of the application's */
    unsigned tx_unreported : 1; /* they were lost in a receiving call: no call has reported it */
    unsigned silent : 1;        /* duet_channel_silence() is not over */
    unsigned refresh_timed : 1; /* the three above are set */
    unsigned silence_ended : 1; /* the peer sends nothing more, so only time passes */
    struct duet__stop stop;
};

/** A deadline. Its clock starts when a call first has to wait, so that data at hand needs none. */
struct duet__deadline {
    int timeout_ms;
    int running;
    uint64_t at;
};

/** What a sending call does. */
enum duet__tx_kind { DUET__TX_STREAM, DUET__TX_MESSAGE, DUET__TX_FRAME, DUET__TX_BATCH };

struct duet__tx {
    enum duet__tx_kind kind;
    uint32_t code;
    const uint8_t *data;
    size_t size, sent;
    const duet_message *messages; /* of a batch: size and sent count messages */
    int due; /* 1: at least one more frame, or piece of one, has to be sealed */
};

/** What a receiving call does. */
enum duet__rx_kind { DUET__RX_STREAM, DUET__RX_MESSAGE, DUET__RX_BATCH };

struct duet__rx {
    enum duet__rx_kind kind;
    uint8_t *buffer;
    size_t size, got, least;
    uint32_t code;     /* of the last delivered frame */
    int whole;         /* 1: that frame ended a message */
    int polled;        /* 1: the call never waits */
    int may_block;     /* 1: the next peek may wait in the kernel */
    int gather;        /* 1: the buffer is the channel's, and grows up to `most` bytes */
    size_t most;       /* bytes */
    int in_place;      /* 1: this call has put the frame being received into its buffer */
    duet_inbox *inbox; /* of a batch */
};

/* ---- channel.c ---- */

/** End the channel with a result; the first one stays. what NULL: the session has the detail.
 * reason: an errno, or 0. Returns what stays. */
int duet__channel_fail(duet_channel *channel, int result, const char *what, int reason);

/** Fail the channel when a session's result is fatal. Returns the result. */
int duet__channel_check(duet_channel *channel, int result);

/** 1 when the channel works, in the process that made it; else channel->result is why not. */
int duet__channel_usable(duet_channel *channel);

/** The result of a call that does not fit now: DUET_E_MISUSE, or what ended the channel. */
int duet__channel_misuse(duet_channel *channel);

/** Keep a detail: what failed, and the system's reason. The first one stays. */
void duet__channel_set_detail(duet_channel *channel, const char *what, int reason);

/** Have poll() report any byte again. */
void duet__channel_clear_low_water(duet_channel *channel);

/* ---- partial.c ---- */

/** Let the partial frame have room for size bytes of payload, and exist. Returns DUET_OK, or
 * DUET_E_MEMORY with nothing changed. */
int duet__partial_reserve(duet_channel *channel, size_t size);

/** Wipe and free the partial frame. */
void duet__partial_free(duet_channel *channel);

/* ---- buffer.c ---- */

enum {
    DUET__BUFFER_SIZE =
        DUET__BATCH_SIZE > DUET__PEEK_SIZE ? (int)DUET__BATCH_SIZE : (int)DUET__PEEK_SIZE
};

/** Take a buffer of DUET__BUFFER_SIZE bytes; NULL: no memory. */
uint8_t *duet__buffer_take(void);

/** Return one; NULL is fine. */
void duet__buffer_return(uint8_t *buffer);

/* ---- refresh.c ---- */

/** Ask for a refresh (DH ratchet) when the configuration says that one is due: it becomes pending.
 * Randomness or memory that is missing leaves it to a later call. */
void duet__refresh_if_due(duet_channel *channel);

/* ---- gather.c ---- */

/** Wipe and free the message of duet_channel_recv_all(); _end(): only one that was returned. */
void duet__gather_free(duet_channel *channel);
void duet__gather_end(duet_channel *channel);

/** 1 when parts of a message wait to be received by another call; full 1: and no poll() would help
 * duet_channel_recv_all(). */
int duet__gather_waits(const duet_channel *channel, int full);

/** Choose where a frame goes that does not fit into the job's block. Returns as
 * duet__recv_place(). */
int duet__gather_place(duet_channel *channel, struct duet__rx *job);

/* ---- recv_all.c ---- */

/** Hand out up to size bytes of the parts that wait. Returns DUET_OK, DUET_E_ROOM, or what ended
 * the channel. */
int duet__gather_take(duet_channel *channel, void *buffer, size_t size, size_t *got);

/* ---- io.c: nothing here waits but duet__io_wait() ---- */

/** Beside the results: a step has done its share, and the wire did not say that it would block. */
enum { DUET__STEP_MORE = 2 };

/** As duet__os_read(), on a descriptor or a stream. */
int duet__io_read(duet_channel *channel, const struct duet__os_piece *pieces, unsigned count,
                  size_t *got);

/** Copy up to size bytes that stay in the kernel (at NULL: count them); only on DUET__OS_TCP.
 * block: 1: wait for the first of them. Returns as duet__io_read(). */
int duet__io_peek(duet_channel *channel, int block, uint8_t *at, size_t size, size_t *got);

/** 1 when a peek may block: it comes back soon enough for duet_channel_stop(). */
int duet__io_may_block(duet_channel *channel);

/** Remove size bytes that were peeked at. Returns DUET_OK, or what ended the channel. */
int duet__io_drop(duet_channel *channel, uint8_t *at, size_t size);

/** Write as much of size bytes as is taken. Returns DUET_OK when all were, DUET_AGAIN, or a fatal
 * result. */
int duet__io_write(duet_channel *channel, const uint8_t *data, size_t size, size_t *put);

/** Wait for a set of DUET_WANT_. Returns DUET_OK (try again), DUET_AGAIN (a polled call, a signal,
 * or stopped), DUET_SLOW, DUET_E_IO. */
int duet__io_wait(duet_channel *channel, struct duet__deadline *deadline, unsigned want);

/** After DUET__STEP_MORE: may the call do another step? Returns DUET_OK, DUET_AGAIN, DUET_SLOW. */
int duet__io_go_on(const duet_channel *channel, struct duet__deadline *deadline);

/** 1 when duet_channel_stop() was called. */
static inline int
duet__stopped(const duet_channel *channel)
{
    return atomic_load_explicit(&channel->stop.stopped, memory_order_relaxed);
}

/* ---- send.c ---- */

/** Send without waiting: unsent bytes, pending library frames, then the job (NULL: none). Returns
 * DUET_OK when the descriptor took all of it, DUET_AGAIN, DUET__STEP_MORE (only with a job), or a
 * fatal result. */
int duet__send_step(duet_channel *channel, struct duet__tx *job);

/** Bytes of payload in the next frame. */
size_t duet__send_payload(const duet_channel *channel, const struct duet__tx *job);

/** Fill a batch of *used bytes before it is written, where it is one of the first (§6). Returns
 * DUET_OK, or what ended the channel. */
int duet__send_fill(duet_channel *channel, uint8_t *batch, size_t *used);

/** Write sealed bytes; what is not taken becomes `unsent`. job 1: some are the application's.
 * Returns DUET_OK, DUET_AGAIN, or a fatal result. */
int duet__send_write(duet_channel *channel, const uint8_t *bytes, size_t size, int job);

/** A sending call returns result, which may be what ended sending. */
static inline int
duet__send_reported(duet_channel *channel, int result)
{
    if (result == channel->tx_result)
        channel->tx_unreported = 0;
    return result;
}

/** 1 when all of a job (NULL: a flush, never) is sealed, so that no call needs its bytes again. */
static inline int
duet__send_accepted(const duet_channel *channel, const struct duet__tx *job)
{
    return job != NULL && !job->due && channel->established;
}

/** 1 when bytes wait to be written, or library frames to be sealed, and could be. */
static inline int
duet__send_pending(const duet_channel *channel)
{
    if (channel->result != DUET_OK || channel->tx_result != DUET_OK)
        return 0;
    if (channel->unsent != NULL)
        return 1;
    return channel->send_phase != DUET__SEND_FRAME && !duet__session_quiet(channel->session) &&
           duet__pending_size(channel->session) > 0;
}

/* ---- recv.c ---- */

enum { DUET__RECV_STOP = 1 }; /* beside the results: the next frame is not for this call */

/** Choose where the begun frame goes: into `partial` where there is one, else to rx_at. Returns
 * DUET_OK, DUET__RECV_STOP, or why it goes nowhere. */
int duet__recv_place(duet_channel *channel, struct duet__rx *job);

/** Act on one step of the session, and on its result. */
int duet__recv_handle(duet_channel *channel, const struct duet_step *step, int result);

/** Add the verified frame to what the job got. */
void duet__recv_deliver(duet_channel *channel, struct duet__rx *job);

/** Read the next bytes of the begun frame. */
int duet__recv_piece(duet_channel *channel, struct duet__rx *job);

/** Read the next bytes of a header or a library frame. */
int duet__recv_library(duet_channel *channel);

/** Go on with the begun or verified frame, by exact reads. */
int duet__recv_frame(duet_channel *channel, struct duet__rx *job);

/** Before a call returns: take the unverified bytes of a begun frame out of the caller's buffer.
 * Returns result, or what ended the channel. */
int duet__recv_settle(duet_channel *channel, struct duet__rx *job, int result);

/** A receiving call returns result, which may be the end of the peer's direction. */
static inline int
duet__recv_reported(duet_channel *channel, int result)
{
    if (result == DUET_CLOSED)
        channel->end_reported = 1;
    return result;
}

/** 1 when the job has received something. */
static inline int
duet__recv_had_some(const struct duet__rx *job)
{
    return job->got > 0 || (job->kind == DUET__RX_BATCH && job->inbox->count > 0);
}

/** 1 when the job has what its caller waits for. */
static inline int
duet__recv_satisfied(const struct duet__rx *job)
{
    if (job->kind == DUET__RX_MESSAGE)
        return job->whole;
    return job->kind == DUET__RX_BATCH ? job->inbox->count > 0 : job->got >= job->least;
}

/** 1 when the job has all that it can take. */
static inline int
duet__recv_complete(const struct duet__rx *job)
{
    if (job->kind == DUET__RX_MESSAGE)
        return job->whole;
    if (job->kind == DUET__RX_BATCH)
        return job->inbox->count == job->inbox->room;
    return job->got == job->size && job->size > 0;
}

/** What a peek has shown, or a read ahead has taken. */
struct duet__peek {
    uint8_t *wire;          /* a buffer that duet__peek_end() returns; NULL: none */
    size_t asked, size, at; /* bytes: asked for, seen, opened */
};

/* ---- ahead.c ---- */

/** Take what waits, or else what the kernel holds. As duet__peek_begin(). */
int duet__ahead_begin(duet_channel *channel, struct duet__peek *peek);

/** Keep what was not opened. */
void duet__ahead_end(duet_channel *channel, struct duet__peek *peek);

/** 1 when `left` bytes that wait are nothing, or a part of a frame: no call could open them. */
static inline int
duet__ahead_is_part(const duet_channel *channel, size_t left)
{
    return left == 0 || (channel->recv_phase == DUET__RECV_BEGUN && channel->need > left);
}

/** 1 when bytes wait of which a call may find something whole. */
static inline int
duet__ahead_waits(const duet_channel *channel)
{
    return channel->ahead != NULL &&
           !duet__ahead_is_part(channel, channel->ahead_size - channel->ahead_at);
}

/** Drop what waits. */
static inline void
duet__ahead_free(duet_channel *channel)
{
    duet__buffer_return(channel->ahead);
    channel->ahead = NULL;
}

/* ---- peek.c: peeking, or, with DUET_SET_READ_AHEAD, reading ahead ---- */

/** Peek at what the kernel holds for the job. As duet__io_peek(). */
int duet__peek_begin(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek);

/** Go on to the next application frame of which all bytes are here. step: how to open it; its `in`
 * is NULL when there is none. Returns DUET_OK, or as duet__peek_step(). */
int duet__peek_next(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek,
                    struct duet_step *step);

/** The session has opened that frame with a result. Returns as duet__peek_step(). */
int duet__peek_opened(duet_channel *channel, struct duet__rx *job, struct duet__peek *peek,
                      const struct duet_step *step, int result);

/** Remove the opened bytes from the kernel. Returns DUET_OK, or what ended the channel. */
int duet__peek_end(duet_channel *channel, struct duet__peek *peek);

/** Peek, open all whole frames that the job takes, and remove them. Returns DUET_OK, DUET_AGAIN,
 * DUET__RECV_STOP, or as duet_channel_recv(). */
int duet__peek_step(duet_channel *channel, struct duet__rx *job);

/** 1 when the socket can be peeked at, and the channel is at a place where that helps. */
static inline int
duet__peek_possible(const duet_channel *channel)
{
    if (!channel->read_ahead &&
        (channel->io.stream.read != NULL || channel->io.rkind != DUET__OS_TCP))
        return 0;
    if (channel->recv_phase == DUET__RECV_BEGUN)
        return channel->partial == NULL && channel->rx_done == 0;
    return channel->recv_phase < DUET__RECV_BEGUN;
}

/** 1 when the next step of a receiving call is a peek. */
static inline int
duet__peek_fits(const duet_channel *channel, const struct duet__rx *job)
{
    if (!duet__peek_possible(channel))
        return 0;
    if (channel->read_ahead)
        return channel->recv_phase != DUET__RECV_BEGUN || channel->need <= DUET__BUFFER_SIZE;
    if (channel->recv_phase != DUET__RECV_BEGUN)
        return channel->last < DUET__PEEK_FRAME;
    return job->polled || channel->rx_length < DUET__PEEK_FRAME;
}

/* ---- call.c ---- */

/** Begin a call: the channel works, in its own process, and the handshake is done. want: what it
 * waits for else. */
int duet__call_enter(duet_channel *channel, struct duet__deadline *deadline, unsigned *want);

/** A step returned DUET__STEP_MORE, or did not ask the wire again after a short read. Returns
 * DUET_OK when the call does another at once; else what the call returns, and want says so. */
int duet__call_go_on(const duet_channel *channel, struct duet__deadline *deadline, unsigned *want);

/** Run a sending call to its end. */
int duet__call_send(duet_channel *channel, struct duet__tx *job, struct duet__deadline *deadline);

/** Receive without waiting. Returns DUET_OK when the job is complete or cannot go on, DUET_AGAIN,
 * DUET__STEP_MORE, DUET_CLOSED, or as duet_channel_recv(). */
int duet__call_recv_step(duet_channel *channel, struct duet__rx *job);

/** Run a receiving call to its end. */
int duet__call_recv(duet_channel *channel, struct duet__rx *job, struct duet__deadline *deadline);

#endif
