/*
 * A channel: a session on a descriptor, or on a stream of the caller's.
 *
 * Calls take a time-out in milliseconds: negative waits as long as it takes, 0 never waits
 * (polled), anything else is a deadline. A call that ran out of time says DUET_AGAIN (polled) or
 * DUET_SLOW, and its count tells what was done; the next call goes on from there. What the
 * application did not ask for stays in the kernel, so poll() on the descriptor tells the truth. No
 * call raises SIGPIPE. One thread at a time for each channel. Source: docs/protocol.md §1, §4.
 */
#ifndef DUET_CHANNEL_H
#define DUET_CHANNEL_H

#include <duet/error.h>
#include <duet/session.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One channel. */
typedef struct duet_channel duet_channel;

/** The replay cache (protocol.md §4 "Replay"): one for all channels of a program and the
 * processes it forks. */
typedef struct duet_replay duet_replay;

#define DUET_REPLAY_DEFAULT 65536u /**< nonces */

/** Make a replay cache in shared memory, so that forked workers share it. entries: 1 to 2^24.
 * NULL: no memory.   Since 0.1. */
DUET_API duet_replay *duet_replay_new(size_t entries);

/** Release it in this process; NULL is fine.   Since 0.1. */
DUET_API void duet_replay_free(duet_replay *replay);

/** A stream of the caller's: TLS, a serial line, another library's connection. */
typedef struct duet_stream {
    void *context;
    /** Read 1 to size bytes without waiting. Returns DUET_OK; DUET_AGAIN; DUET_CLOSED at the end;
     * DUET_E_IO. */
    int (*read)(void *context, uint8_t *buffer, size_t size, size_t *got);
    /** Write 1 to size bytes without waiting. Returns DUET_OK; DUET_AGAIN; DUET_E_IO. */
    int (*write)(void *context, const uint8_t *buffer, size_t size, size_t *put);
    /** Wait until what is wanted (DUET_WANT_) may go on, or timeout_ms passed (negative: for ever).
     * Returns DUET_OK; DUET_E_IO. */
    int (*wait)(void *context, unsigned want, int timeout_ms);
} duet_stream;

/** What a party is at, and what to poll for: a set. Neither SEND nor RECV: it waits. */
enum duet_state {
    DUET_STATE_SEND = 1, /**< a frame is partly sent */
    DUET_STATE_RECV = 2, /**< a frame is partly received */
    DUET_WANT_READ = 4,  /**< poll the descriptor for reading */
    DUET_WANT_WRITE = 8  /**< poll the descriptor for writing */
};

/**
 * Make a channel on descriptors.
 *
 * channel   out: the channel; NULL on failure.
 * config    must outlive the channel.
 * replay    the replay cache; NULL only for TOP in a program that never listens.
 * rfd, wfd  to read and to write; the same for a socket. They stay the caller's to close, and are
 *           read by this channel alone. Only a call without a time-out may wait within a read of a
 *           socket that is in blocking mode; another descriptor that is in blocking mode is written
 *           in small pieces once poll() allows it.
 *
 * Returns DUET_OK, or as duet_session_new(); DUET_E_IO without randomness.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_open(duet_channel **channel, const duet_config *config,
                                            duet_replay *replay, enum duet_role role, int rfd,
                                            int wfd);

/**
 * Make a channel on a stream of the caller's.
 *
 * stream    in: copied; what its context points to must outlive the channel.
 *
 * All else, and what it returns, as duet_channel_open().   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_open_stream(duet_channel **channel,
                                                   const duet_config *config, duet_replay *replay,
                                                   enum duet_role role, const duet_stream *stream);

/**
 * Make a channel of a preset session (duet_session_new_preset(); protocol.md §3).
 *
 * channel   out: the channel; NULL on failure.
 * session   on success the channel owns it and frees it; on failure it stays the caller's.
 * stream    in: as duet_channel_open_stream(); NULL: on rfd and wfd.
 * rfd, wfd  as duet_channel_open(); not looked at where there is a stream.
 *
 * Returns DUET_OK; DUET_E_MISUSE (a stream without its functions, no descriptor), DUET_E_MEMORY.
 * Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_open_preset(duet_channel **channel, duet_session *session,
                                                   const duet_stream *stream, int rfd, int wfd);

/** Wipe and release; the descriptors stay open. Sends nothing: use duet_close() first. NULL is
 * fine.   Since 0.1. */
DUET_API void duet_channel_free(duet_channel *channel);

/** The session within, for info, detail, export, receipt and duet_session_ask(); owned by the
 * channel.   Since 0.1. */
DUET_API duet_session *duet_channel_session(duet_channel *channel);

/** What ended the channel, in a sentence; "" when nothing did. Holds the system's error after
 * DUET_E_IO.   Since 0.1. */
DUET_API const char *duet_channel_detail(const duet_channel *channel);

/** What it is at and what to poll for: a set of enum duet_state. Exact after a call said
 * DUET_AGAIN: a call that said DUET_OK may have read more from the descriptor than it told, so a
 * polled program calls again until DUET_AGAIN before it polls.   Since 0.1. */
DUET_API unsigned duet_channel_state(const duet_channel *channel);

/**
 * Initiate, until the peer is authenticated. Every other call does this by itself first.
 *
 * Returns DUET_OK; DUET_AGAIN, DUET_SLOW; DUET_E_UNAUTHENTICATED (send nothing: read
 * and drop for a while before you close, see docs/protocol.md §4 "Probing"), DUET_E_UNTRUSTED, DUET_E_IO,
 * DUET_E_FORKED. Since 0.1.
 */
DUET_API DUET_CHECKED int duet_handshake(duet_channel *channel, int timeout_ms);

/**
 * Send bytes of the stream (CODE 0), split into frames.
 *
 * data   in: size bytes, any number.
 * sent   out: bytes accepted: sealed and written, or kept (64 KiB at most) to be written next.
 *
 * Returns DUET_OK when all are with the kernel; DUET_AGAIN or DUET_SLOW: go on with data + *sent
 * (or with duet_flush() when *sent is size); DUET_E_MISUSE (closed, inside a message or frame), or
 * a fatal result. Since 0.1.
 */
DUET_API int duet_send(duet_channel *channel, const void *data, size_t size, size_t *sent,
                       int timeout_ms);

/**
 * Receive bytes of the stream (CODE 0): whole frames, as many as fit.
 *
 * buffer  out: size bytes; beyond *got its content is wiped or untouched, never unverified.
 * got     out: verified bytes.
 * least   bytes to wait for, 0 to size. size: all that was asked for; 1: as read() does.
 *
 * Returns DUET_OK: least were had, or the next frame does not fit into what is left; DUET_AGAIN or
 * DUET_SLOW: time ran out before (*got counts); DUET_CLOSED: the peer closed (*got counts);
 * DUET_E_ROOM: nothing was had as the next frame alone is larger than size (duet_next_frame() tells
 * the need), DUET_E_CODE: it bears another code; DUET_E_MEMORY: time cut a frame in two and there
 * was no memory to set it aside, the channel is dead; else a fatal result (*got counts still).
 *
 * Frames over 1 MiB (only where DUET_SET_MAX_PAYLOAD allows them) are never set aside. One that
 * time cuts in two lies unverified in the buffer and goes on only there: leave the buffer alone
 * until then, and wipe it if you give up. Of one under another code DUET_E_CODE is told by its
 * header, before its MAC. Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API int duet_recv(duet_channel *channel, void *buffer, size_t size, size_t *got, size_t least,
                       int timeout_ms);

/** The payload size of the frame that is next, once its header has come; not yet authenticated. 0:
 * not known.   Since 0.1. */
DUET_API uint32_t duet_next_frame(const duet_channel *channel);

/**
 * Send a message under a code, of any size; larger ones go out as MORE frames and a last one.
 *
 * As duet_send(): after DUET_AGAIN or DUET_SLOW go on with the rest under the same code.
 *
 * code   1 to DUET_CODE_APP_MAX; 0 is the stream's.
 *
 * Returns as duet_send(); DUET_E_MISUSE for another code too.   Since 0.1.
 */
DUET_API int duet_send_message(duet_channel *channel, uint32_t code, const void *data, size_t size,
                               size_t *sent, int timeout_ms);

/**
 * Receive a message, or the next part of one that is larger than the buffer.
 *
 * code   out: DUET_CODE_MORE: these bytes are verified, the message goes on in the next call; else
 *        the message's code, and it is whole. Bytes of the stream come under code 0.
 * got    out: verified bytes.
 *
 * Returns DUET_OK; DUET_AGAIN, DUET_SLOW (*got and *code hold what was had so far: DUET_CODE_MORE);
 * DUET_CLOSED; DUET_E_ROOM; or a fatal result.   Since 0.1.
 */
DUET_API int duet_recv_message(duet_channel *channel, uint32_t *code, void *buffer, size_t size,
                               size_t *got, int timeout_ms);

/** One message of a batch. */
typedef struct duet_message {
    const void *data; /**< size bytes; NULL when size is 0 */
    size_t size;      /**< bytes */
    uint32_t code;    /**< 1 to DUET_CODE_APP_MAX */
} duet_message;

/**
 * Send many messages by one call: each is one frame, and they leave by as few writes as hold them.
 *
 * messages  in: count of them; each at most DUET_SET_FRAME_SIZE and the peer's limit.
 * sent      out: messages accepted: sealed and written, or kept (64 KiB at most) to be written
 *           next.
 *
 * Returns as duet_send(), with messages counted in place of bytes; DUET_E_LENGTH: the message
 * after *sent is larger than one frame (duet_send_message() takes it), DUET_E_MISUSE: its code is
 * none of the application's, or a message or frame is under way.   Since 0.1.
 */
DUET_API int duet_send_messages(duet_channel *channel, const duet_message *messages, size_t count,
                                size_t *sent, int timeout_ms);

/** Where duet_recv_messages() puts what it receives. */
typedef struct duet_inbox {
    void *buffer;           /**< in: where payload goes, one message behind the other */
    size_t size;            /**< in: bytes of it; as duet_recv()'s buffer */
    duet_message *messages; /**< in: where each message is told; data lies in buffer */
    size_t room;            /**< in: messages that can be told, at least 1 */
    size_t count;           /**< out: messages, all verified */
} duet_inbox;

/**
 * Receive many messages by one call: waits for one, then takes all that are there and fit.
 *
 * A message of several frames takes an entry for each, all but the last under DUET_CODE_MORE.
 * Bytes of the stream come under code 0.
 *
 * Returns DUET_OK with inbox->count messages; DUET_AGAIN, DUET_SLOW: none came in time;
 * DUET_CLOSED; DUET_E_ROOM: the next frame alone is larger than the buffer; or a fatal result
 * (inbox->count counts still).   Since 0.1.
 */
DUET_API int duet_recv_messages(duet_channel *channel, duet_inbox *inbox, int timeout_ms);

/**
 * Send one frame of exactly size bytes, up to 2^32 - 1 and the peer's limit, in constant memory.
 *
 * After DUET_AGAIN or DUET_SLOW go on with the rest under the same code; nothing else is sent until
 * all of its bytes are.
 *
 * code   0 to DUET_CODE_APP_MAX.
 *
 * Returns as duet_send(); DUET_E_LENGTH: it is larger than the peer takes.   Since 0.1.
 */
DUET_API int duet_send_frame(duet_channel *channel, uint32_t code, const void *data, size_t size,
                             size_t *sent, int timeout_ms);

/** Both ways at once: as one duet_send() and one duet_recv(). */
typedef struct duet_exchange_io {
    const void *data; /**< in: bytes to send */
    size_t size;      /**< in */
    size_t sent;      /**< in: where to go on; out: as duet_send() */
    void *buffer;     /**< in: where to receive */
    size_t room; /**< in: bytes of it; all of them are waited for, as by duet_recv() with least =
                    room */
    size_t got;  /**< in: where to go on; out: as duet_recv() */
} duet_exchange_io;

/**
 * Send and receive in one call, so that two peers that both send much cannot hang each other.
 *
 * io   sent and got start at 0; after DUET_AGAIN or DUET_SLOW call again with the same io.
 *
 * Returns DUET_OK when both are done; DUET_CLOSED when all is sent and the peer closed before room
 * bytes came; else as duet_send() and duet_recv().   Since 0.1.
 */
DUET_API int duet_exchange(duet_channel *channel, duet_exchange_io *io, int timeout_ms);

/** One channel's part in duet_send_many(). */
typedef struct duet_send_job {
    duet_channel *channel; /**< in: a channel stands in one job of a call */
    const void *data;      /**< in: bytes of the stream */
    size_t size;           /**< in */
    size_t sent;           /**< out: as duet_send() */
    int result;            /**< out: as duet_send() with a time-out of 0 */
} duet_send_job;

/**
 * Send on several channels that can be written, without waiting: each job is one duet_send(), but
 * payload of different channels is sealed together, which is faster than one after the other.
 *
 * Returns nothing: each job holds its own result.   Since 0.1.
 */
DUET_API void duet_send_many(duet_send_job *jobs, size_t count);

/** One channel's part in duet_recv_many(). */
typedef struct duet_recv_job {
    duet_channel *channel; /**< in: a channel stands in one job of a call */
    void *buffer;          /**< in: where to receive */
    size_t size;           /**< in: bytes of it */
    size_t got;            /**< out: as duet_recv() */
    int result;            /**< out: as duet_recv() with least 1 and a time-out of 0 */
} duet_recv_job;

/**
 * Receive on several channels that can be read, without waiting: each job is one duet_recv(), but
 * payload of different channels is opened together.
 *
 * Returns nothing: each job holds its own result.   Since 0.1.
 */
DUET_API void duet_recv_many(duet_recv_job *jobs, size_t count);

/** Write what is kept and what the session owes. Returns DUET_OK, DUET_AGAIN, DUET_SLOW, or a fatal
 * result.   Since 0.1. */
DUET_API int duet_flush(duet_channel *channel, int timeout_ms);

/**
 * Close this side's direction: an authenticated end. The other direction goes on until the peer's
 * CLOSE. Returns as duet_flush(); DUET_E_MISUSE inside a message or frame. A second call only
 * flushes.   Since 0.1.
 */
DUET_API int duet_close(duet_channel *channel, int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
