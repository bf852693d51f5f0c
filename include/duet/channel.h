/*
 * A channel: a session on a descriptor, or on a stream of the caller's (docs/protocol.md §1, §4).
 *
 * Every call takes a timeout in milliseconds: negative waits as long as it takes, 0 never waits
 * (polled), anything else is a deadline. A call that runs out of time returns DUET_AGAIN (polled)
 * or DUET_SLOW, its count is what was done, and the next call goes on from there. A call that waits
 * returns DUET_AGAIN too when a signal handler ran, and after duet_channel_stop(). What was not
 * asked for stays in the kernel. No call raises SIGPIPE. One thread at a time for each channel. A
 * result of DUET_CLASS_FATAL or DUET_CLASS_THEIRS ends the channel: its keys are wiped, and every
 * later call returns the same; after any other it goes on, unless the call says otherwise.
 */
#ifndef DUET_CHANNEL_H
#define DUET_CHANNEL_H

#include <duet/error.h>
#include <duet/replay.h>
#include <duet/session.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One channel. */
typedef struct duet_channel duet_channel;

/** A stream of the caller's: TLS, a serial line, another library's connection. It must hold 2 KiB
 * that the other end has not read yet: both ends may close at once, and each writes its CLOSE
 * before it reads. No function may call the channel. */
typedef struct duet_stream {
    void *context;
    /** Read 1 to size bytes without waiting. Returns DUET_OK; DUET_AGAIN; DUET_CLOSED at the end;
     * DUET_E_IO. */
    int (*read)(void *context, uint8_t *buffer, size_t size, size_t *got);
    /** Write 1 to size bytes without waiting. After DUET_AGAIN the same bytes are offered again,
     * perhaps at another address. Returns DUET_OK; DUET_AGAIN; DUET_E_TRUNCATED when
     * the connection is lost; DUET_E_IO. After either failure nothing more is written, but read()
     * is still called: what has come can be received. */
    int (*write)(void *context, const uint8_t *buffer, size_t size, size_t *put);
    /** Wait until reading or writing (a set of DUET_WANT_) can go on, or timeout_ms have passed
     * (negative: without end). Called only after read() or write() returned DUET_AGAIN, for a
     * quarter of a second at most: it is called again. Returns DUET_OK; DUET_AGAIN when a signal
     * ended it, which ends the channel's call; DUET_E_IO. */
    int (*wait)(void *context, unsigned want, int timeout_ms);
} duet_stream;

/** The state of a channel, and what to poll for: a set. Without SEND and RECV it is between frames
 * both ways. */
enum duet_state {
    DUET_STATE_SEND = 1, /**< a frame is partly sent */
    DUET_STATE_RECV = 2, /**< a frame is partly received */
    DUET_WANT_READ = 4,  /**< poll the descriptor for reading */
    DUET_WANT_WRITE = 8, /**< poll the descriptor for writing */
    /** Verified data, or a close that no call has returned yet, is in the library, and poll()
     * cannot report it: receive it before you poll. A call for another code (after DUET_E_CODE), or
     * with more room (DUET_E_ROOM), returns it; with DUET_SET_BUFFERED the next piece of it. With
     * DUET_SET_READ_AHEAD it may not be verified yet. */
    DUET_STATE_HAS_DATA = 16,
    /** The last receiving call returned before the descriptor or stream said that it would block.
     * If you receive, do it again before you wait: no event need follow. */
    DUET_STATE_AGAIN_NOW = 32
};

/**
 * Make a channel on descriptors. Sends nothing yet.
 *
 * channel   out: the channel, to be released by duet_channel_free(); NULL on failure.
 * config    frozen from now on; see duet_config.
 * replay    must outlive the channel; NULL only for TOP in a program that never listens.
 * rfd, wfd  to read and to write: a connected stream socket (both are the same then), a pipe, a
 *           terminal in raw mode, another character device. They stay the caller's to close, and
 *           must be read by this channel alone. Their mode is not changed, and does not matter: in
 *           blocking mode too no call waits in a read or write for longer than its time-out, and
 *           only a call without one waits within a read of a socket.
 *
 * Returns DUET_OK; DUET_E_MISUSE (not a descriptor, or one that carries no stream that way: a
 * datagram or listening socket, a file, a folder, the wrong end of a pipe; BOTTOM without a replay
 * cache), DUET_E_IO (no randomness), or as duet_session_new().   Source: docs/protocol.md §4.
 * Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_open(duet_channel **channel, const duet_config *config,
                                            duet_replay *replay, enum duet_role role, int rfd,
                                            int wfd);

/** What duet_channel_open_with() makes a channel of: of tx and rx, else of session, else by a
 * handshake. It grows at its end in later versions. */
typedef struct duet_opening {
    size_t size; /**< sizeof(duet_opening) */
    /** The shared configuration, frozen from now on; see duet_config. With tx and rx only
     * DUET_SET_FRAME_SIZE and DUET_SET_BUFFERED apply, others are refused (see enum duet_setting),
     * and NULL has the defaults. Ignored where there is a session, which has its own. */
    const duet_config *config;
    duet_replay *replay; /**< as duet_channel_open(); ignored with session, tx and rx */
    enum duet_role role; /**< the same */
    /** Of duet_session_new_preset(), so that there is no handshake. On success the channel owns and
     * frees it; on failure it stays the caller's. */
    duet_session *session;
    /** Two raw directions: the caller's keys, for a peer with a key schedule of its own. tx is what
     * the peer opens with, rx what it seals with: both of duet_cipher_init(), no frame begun. On
     * success they are moved into the channel and wiped in place: with a second copy the keystream
     * would repeat. The limit of tx is what the peer accepts, at least 1: sending splits to it. The
     * limit of rx is what this side accepts.
     *
     * Nothing but frames is on the wire then, from the first byte on. Nothing is rekeyed: not by a
     * count, not by a request; ROTATE and REFRESH from the peer are protocol errors
     * (DUET_E_PROTOCOL), and asking for them is DUET_E_MISUSE. One pair of keys should not protect
     * more than 2^32 frames or 2^40 bytes: make a new channel under new keys before. There is no
     * export. The role in duet_info is DUET_TOP at both ends: the receipt of DUET_TOP is that of
     * this side's sending direction, of DUET_BOTTOM the peer's. All else is as in a preset
     * session. */
    duet_cipher *tx, *rx;
    /** A stream of the caller's, copied; what its context points to must outlive the channel. NULL:
     * the channel is on rfd and wfd. */
    const duet_stream *stream;
    int rfd, wfd; /**< as duet_channel_open(); with session or tx and rx regular files too */
} duet_opening;

/**
 * Make a channel on a stream of the caller's, of a preset session, or on two raw directions.
 *
 * channel   out: the channel; NULL on failure.
 * opening   in: what it is made of.
 *
 * Returns as duet_channel_open(); DUET_E_MISUSE also where size is another one, a setting of config
 * cannot have its effect, the stream lacks a function, one of tx and rx is missing, not started or
 * within a frame, both have one key and the same counter blocks, or the limit of tx is 0.
 * Source: docs/protocol.md §3 "The raw cipher", "Preset sessions", §4.   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_channel_open_with(duet_channel **channel,
                                                 const duet_opening *opening);

/** Wipe and release. Sends nothing: call duet_channel_close() first. The descriptors stay open.
 * NULL is fine.   Since 0.1. */
DUET_API void duet_channel_free(duet_channel *channel);

/** The session of a channel, which owns it: for what this header has no call for. Nothing may be
 * received, sent or flushed on it.   Since 0.1. */
DUET_API duet_session *duet_channel_session(duet_channel *channel);

/** Describe the channel's session; works on a channel that has ended too. info: out; size: sizeof
 * *info, which grows in later versions: members that this library does not know are zeroed.
 * Programs in C call duet_channel_info(channel, info), which passes the size.   Since 0.2. */
DUET_API void duet_channel_info_sized(const duet_channel *channel, duet_info *info, size_t size);
#define duet_channel_info(channel, info) duet_channel_info_sized((channel), (info), sizeof *(info))

/** What ended the channel, as a sentence with the system's reason; "" when nothing did. Valid until
 * the channel is freed.   Since 0.1. */
DUET_API const char *duet_channel_detail(const duet_channel *channel);

/**
 * The state of a channel and what to poll for: a set of enum duet_state; once it has failed 0,
 * or DUET_WANT_READ while duet_channel_silence() has to be called again.
 *
 * A polled program that follows it never stalls, with poll(), and with epoll by level or by edge:
 * while the state has DUET_STATE_HAS_DATA or DUET_STATE_AGAIN_NOW it receives again; else it waits
 * for what DUET_WANT_READ and DUET_WANT_WRITE name (by edge: for any event), and makes its calls
 * again. DUET_AGAIN of a polled call means that the descriptor or stream would block, unless the
 * state has DUET_STATE_AGAIN_NOW. DUET_WANT_READ or _WRITE is there for a direction whose last call
 * returned DUET_AGAIN, so a program that only sends is not woken by what it could read.
 * Since 0.1.
 */
DUET_API unsigned duet_channel_state(const duet_channel *channel);

/**
 * Do the handshake, until the peer is authenticated. Every other call does this first by itself.
 *
 * Returns DUET_OK; DUET_AGAIN, DUET_SLOW (also where the peer holds another secret: it stays silent
 * for a time, so TOP's time-out may come first); or a fatal result: DUET_E_UNAUTHENTICATED,
 * DUET_E_UNTRUSTED, DUET_E_IO, DUET_E_FORKED. After any result but DUET_OK a listener calls
 * duet_channel_silence() before it closes.   Source: docs/protocol.md §4.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_handshake(duet_channel *channel, int timeout_ms);

/**
 * Send bytes of the stream (CODE 0), split into frames.
 *
 * data   in: size bytes, any number; the caller's again after the call.
 * sent   out: bytes accepted: sealed and written, or kept unsent (64 KiB at most) to be written
 *        first by the next call.
 *
 * Returns DUET_OK when all are accepted: a call with a time-out waits until they are written too,
 * but its end does not change the result. While DUET_WANT_WRITE is in the state some are unsent,
 * and any later call writes them; duet_channel_flush() and duet_channel_close() report when they
 * are written. DUET_AGAIN or DUET_SLOW: *sent is less than size (or the handshake is not done); go
 * on with data + *sent. DUET_E_MISUSE: closed, or inside a message or frame. DUET_E_TRUNCATED (the
 * connection is lost for writing) and DUET_E_IO of a write end sending alone: every later sending
 * call returns the same, and what the peer has sent can still be received. DUET_E_MEMORY: nothing
 * is changed beyond *sent; call again. Or a fatal result.
 * Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_send(duet_channel *channel, const void *data, size_t size,
                                            size_t *sent, int timeout_ms);

/**
 * Receive bytes of the stream (CODE 0): whole frames, as many as fit.
 *
 * buffer  out: size bytes; those after *got are wiped or untouched, never unverified.
 * got     out: verified bytes; they count after every result.
 * least   bytes to wait for, 0 to size. size: all that was asked for; 1: as read() does.
 *
 * Returns DUET_OK: least bytes were received, or the next frame does not fit into the rest;
 * DUET_AGAIN or DUET_SLOW: time ran out before; DUET_CLOSED: the peer has closed; DUET_E_MISUSE:
 * least is over size, or a frame was begun in another buffer (below); or a fatal result. With
 * nothing received: DUET_E_ROOM: the next frame alone is larger than size
 * (duet_channel_next_frame() has the need), DUET_E_CODE: it has another code (receive it by
 * duet_channel_recv_message()). DUET_E_MEMORY: no memory for a part of a frame.
 *
 * With DUET_SET_BUFFERED a frame that is larger than the rest of the buffer is read into memory of
 * the channel's, verified there and handed out in pieces: the call fills the buffer, unless it has
 * least bytes before. DUET_STATE_HAS_DATA says that more of it is there. No DUET_E_ROOM then.
 *
 * Frames over 1 MiB (only where DUET_SET_MAX_PAYLOAD allows them) never become a partial frame,
 * unless DUET_SET_BUFFERED is set. One that a deadline cuts in two lies unverified in the buffer
 * and goes on only there: leave the buffer alone until then, and wipe it if you give up. For such a
 * frame under another code DUET_E_CODE is returned before its MAC is checked. So is DUET_E_ROOM for
 * a frame of any size: an attacker may have changed LENGTH or CODE, within your limit. Only
 * receiving the frame, with room for it, verifies them.
 * Source: docs/protocol.md §1 "A receiver".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_recv(duet_channel *channel, void *buffer, size_t size,
                                            size_t *got, size_t least, int timeout_ms);

/** Bytes of payload that are left of the frame that is next, once its header has come; not
 * authenticated unless DUET_STATE_HAS_DATA is set, with DUET_SET_READ_AHEAD not even then. 0: not
 * known.   Since 0.1. */
DUET_API uint32_t duet_channel_next_frame(const duet_channel *channel);

/**
 * Send a message under a code, of any size; larger ones go out as MORE frames and a last one.
 *
 * code   1 to DUET_CODE_APP_MAX; 0 is the stream's.
 * data   in: size bytes; with sent as duet_channel_send(). After DUET_AGAIN or DUET_SLOW go on with
 *        the rest under the same code.
 *
 * Returns as duet_channel_send(): DUET_OK exactly when the message's last frame is accepted, also
 * of an empty message; DUET_E_MISUSE for another code too.
 * Source: docs/protocol.md §1 "MORE".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_send_message(duet_channel *channel, uint32_t code,
                                                    const void *data, size_t size, size_t *sent,
                                                    int timeout_ms);

/**
 * Receive a message, or the next part of one that is larger than the buffer.
 *
 * code    out: the message's code when it is whole; DUET_CODE_MORE: it goes on in the next call.
 *         Bytes of the stream come under code 0.
 * buffer  out: size bytes, as duet_channel_recv().
 * got     out: verified bytes.
 *
 * Returns DUET_OK; DUET_AGAIN, DUET_SLOW (*got bytes so far, *code is DUET_CODE_MORE); DUET_CLOSED;
 * DUET_E_ROOM and DUET_E_MEMORY, as duet_channel_recv(), with DUET_SET_BUFFERED DUET_E_ROOM only
 * where size is 0; or a fatal result.   Source: docs/protocol.md §1 "MORE".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_recv_message(duet_channel *channel, uint32_t *code,
                                                    void *buffer, size_t size, size_t *got,
                                                    int timeout_ms);

/**
 * Receive a message of any size into memory of the channel's.
 *
 * code   out: the message's code when it is whole, else DUET_CODE_MORE. Bytes of the stream come
 *        under code 0, a frame at a time.
 * data   out: size bytes, never NULL. Valid until the channel's next receiving call (any but
 *        duet_channel_state() and its like) or duet_channel_free(), which wipe them.
 * size   out: verified bytes, after every result: of a message that is not whole what came so far.
 * most   bytes that the message may have. The memory grows with what comes.
 *
 * Returns DUET_OK: the message is whole; DUET_AGAIN, DUET_SLOW: call again, and it goes on where it
 * was; DUET_E_ROOM: it is larger than most, by a LENGTH that is not verified yet. The channel is as
 * before: call again with a larger most, or have the parts, first those that have come, by
 * duet_channel_recv_message() until its code is not DUET_CODE_MORE (duet_channel_next_frame() has
 * the size of a part). Stream calls return DUET_E_CODE until then. DUET_E_MEMORY: call again;
 * DUET_CLOSED; or a fatal result.
 * Source: docs/protocol.md §1 "MORE".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_channel_recv_all(duet_channel *channel, uint32_t *code,
                                                const void **data, size_t *size, size_t most,
                                                int timeout_ms);

/** One message of a batch. */
typedef struct duet_message {
    const void *data; /**< size bytes; NULL when size is 0 */
    size_t size;      /**< bytes */
    uint32_t code;    /**< 1 to DUET_CODE_APP_MAX */
} duet_message;

/**
 * Send many messages by one call: each is one frame, and few writes take them all.
 *
 * messages  in: count of them; each at most DUET_SET_FRAME_SIZE and the peer's limit.
 * sent      out: messages accepted, as the bytes of duet_channel_send().
 *
 * Returns as duet_channel_send(), counted in messages; DUET_E_LENGTH: the message after *sent is
 * larger than one frame (duet_channel_send_message() takes it), DUET_E_MISUSE: its code is not the
 * application's, or a message or frame is under way.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_send_messages(duet_channel *channel,
                                                     const duet_message *messages, size_t count,
                                                     size_t *sent, int timeout_ms);

/** Where duet_channel_recv_messages() puts what it receives. */
typedef struct duet_inbox {
    void *buffer;           /**< in: where payload goes, one message after the other */
    size_t size;            /**< in: bytes of it; as duet_channel_recv()'s buffer */
    duet_message *messages; /**< in: where messages are listed; their data lies in buffer */
    size_t room;            /**< in: entries of messages, at least 1 */
    size_t count;           /**< out: messages, all verified */
} duet_inbox;

/**
 * Receive many messages by one call: waits for one, then takes all that are there and fit.
 *
 * inbox   count is set in any case. A message of several frames takes an entry for each, all but
 *         the last under DUET_CODE_MORE. Bytes of the stream come under code 0.
 *
 * Returns DUET_OK with inbox->count messages; DUET_AGAIN, DUET_SLOW: none came in time;
 * DUET_CLOSED; DUET_E_ROOM: the next frame alone is larger than the buffer; DUET_E_MISUSE: no
 * entries; or a fatal result.   Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_recv_messages(duet_channel *channel, duet_inbox *inbox,
                                                     int timeout_ms);

/**
 * Send one frame of exactly size bytes, up to 2^32 - 1 and the peer's limit, in constant memory.
 *
 * code   0 to DUET_CODE_APP_MAX.
 * data   in: size bytes; with sent as duet_channel_send(). After DUET_AGAIN or DUET_SLOW go on with
 *        the rest under the same code; nothing else is sent before it is complete.
 *
 * Returns as duet_channel_send(); DUET_E_LENGTH: it is larger than the peer takes.
 * Source: docs/protocol.md §1.   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_send_frame(duet_channel *channel, uint32_t code,
                                                  const void *data, size_t size, size_t *sent,
                                                  int timeout_ms);

/** Both ways at once: as one duet_channel_send() and one duet_channel_recv(). */
typedef struct duet_exchange_io {
    const void *data; /**< in: bytes to send */
    size_t size;      /**< in */
    size_t sent;      /**< in: where to go on; out: as duet_channel_send() */
    void *buffer;     /**< in: where to receive */
    size_t room;      /**< in: bytes of it; all of them are waited for */
    size_t got;       /**< in: where to go on; out: as duet_channel_recv() */
} duet_exchange_io;

/**
 * Send and receive in one call, so that two peers that both send much do not wait for each other.
 *
 * io   sent and got start at 0; after DUET_AGAIN or DUET_SLOW call again with the same io.
 *
 * Returns DUET_OK when all is accepted and room bytes are received; DUET_CLOSED when all is sent
 * and the peer closed before room bytes came; else as duet_channel_send() and duet_channel_recv().
 * When sending fails, what has come by then is received first, and then the failure is
 * returned; what comes later is received by the other calls.   Source: docs/protocol.md §1.   Since
 * 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_exchange(duet_channel *channel, duet_exchange_io *io,
                                                int timeout_ms);

/** One channel's part in duet_channel_many(): something to send, a buffer to receive into, or
 * both. */
typedef struct duet_job {
    duet_channel *channel; /**< in: in one job of a call at most */
    const void *data;      /**< in: bytes of the stream; NULL: nothing is to be sent */
    size_t size;           /**< in: bytes of data */
    size_t sent;           /**< out: as duet_channel_send() */
    void *buffer;          /**< in: where to receive; NULL: nothing is to be received */
    size_t room;           /**< in: bytes of buffer */
    size_t got;            /**< out: as duet_channel_recv() */
    int send_result;       /**< out: as duet_channel_send() with a timeout of 0 */
    int recv_result;       /**< out: as duet_channel_recv() with least 1 and a timeout of 0 */
} duet_job;

/**
 * Send and receive on several channels, without waiting: each job is one duet_channel_send(), then
 * one duet_channel_recv(), but payload of different channels is sealed and opened together, which
 * is faster than one after the other.
 *
 * jobs   count of them; each gets its own counts and results.
 *
 * Since 0.2.
 */
DUET_API void duet_channel_many(duet_job *jobs, size_t count);

/** Write what is unsent and the library frames that are pending. Returns DUET_OK, DUET_AGAIN,
 * DUET_SLOW, or as duet_channel_send() what ended sending.   Since 0.1. */
DUET_API DUET_CHECKED int duet_channel_flush(duet_channel *channel, int timeout_ms);

/**
 * Close our direction: an authenticated end, after all that was sent (graceful shutdown). The other
 * direction goes on until the peer's CLOSE. A second call only flushes.
 *
 * Returns as duet_channel_flush(); DUET_E_MISUSE inside a message or frame.
 * Source: docs/protocol.md §1 "CLOSE".   Since 0.1.
 */
DUET_API DUET_CHECKED int duet_channel_close(duet_channel *channel, int timeout_ms);

/**
 * Keep silent towards a peer that did not authenticate, so that a probe learns nothing: read and
 * drop what it sends, until a time that counts from duet_channel_open() and that nothing the peer
 * does brings nearer. A listener draws it once, when its replay cache is made: 30 to 90 seconds.
 * Then close the descriptor, and free the channel. It gives up a listener's handshake that is not
 * done, so that one that is never finished ends at that time too.
 *
 * Returns DUET_OK: the time is over, close now (at once where this side is TOP, which spoke first);
 * DUET_AGAIN (polled; a signal handler ran; stopped), DUET_SLOW: call again. A polled program does
 * so when the descriptor is readable while DUET_WANT_READ is in the state, and at least once a
 * second. DUET_E_MISUSE: the peer is authenticated, or the channel has failed by another result
 * than DUET_E_UNAUTHENTICATED or DUET_E_UNTRUSTED; DUET_E_FORKED. The channel's result stays.
 * Source: docs/protocol.md §4 "Probing".   Since 0.2.
 */
DUET_API DUET_CHECKED int duet_channel_silence(duet_channel *channel, int timeout_ms);

/* ---- Library frames, with the channel's own randomness ----
 *
 * Each makes a frame pending and returns at once. It is written by the next call that sends,
 * receives or flushes; DUET_WANT_WRITE is in the state until then. */

/** Ask for a PING that the peer's library answers, under bytes of the channel's own. info.pinging
 * (duet_channel_info()) is 1 until the answer came, which a receiving call takes in. An earlier
 * PING that is not answered is forgotten. Returns DUET_OK; with nothing changed DUET_E_MISUSE
 * (closed); DUET_E_IO (fatal: no randomness), or what ended the channel.
 * Source: docs/protocol.md §1.   Since 0.2. */
DUET_API DUET_CHECKED int duet_channel_ping(duet_channel *channel);

/** Ask for a ROTATE: this side's direction gets new keys, and the old ones are wiped. Returns
 * DUET_OK; with nothing changed DUET_E_MISUSE (closed); or what ended the channel.
 * Source: docs/protocol.md §3.   Since 0.2. */
DUET_API DUET_CHECKED int duet_channel_rekey(duet_channel *channel);

/** Ask for a refresh (a DH ratchet step), which renews the keys of both directions: info.refreshes
 * counts when it is done. A channel asks by itself too, see DUET_SET_REFRESH_BYTES. Returns
 * DUET_OK; with nothing changed DUET_E_MISUSE (the handshake is not done, a direction is closed, a
 * refresh is under way), DUET_E_MEMORY; DUET_E_IO (fatal: no randomness), DUET_E_CRYPTO (fatal), or
 * what ended the channel.
 * Source: docs/protocol.md §5.   Since 0.2. */
DUET_API DUET_CHECKED int duet_channel_refresh(duet_channel *channel);

/* ---- What both ends have in common ---- */

/** Derive n bytes under a label that bind another protocol to this channel. Parameters and results
 * as duet_session_export(). Returns as duet_session_export(); DUET_E_MISUSE before the handshake is
 * done.   Source: docs/protocol.md §4 "Exporter".   Since 0.2. */
DUET_API DUET_CHECKED int duet_channel_export(const duet_channel *channel, uint8_t *out, size_t n,
                                              const uint8_t *label, size_t label_size);

/**
 * End waiting on a channel, from another thread or from a signal handler (it is async-signal-safe).
 *
 * A call that waits returns DUET_AGAIN, and its count is what was done. From then on no call waits:
 * one with a time-out other than 0 returns DUET_AGAIN at once and does nothing, one with 0 works as
 * ever, so that duet_channel_close(channel, 0) is possible. A stop is never lost, whenever it
 * comes, and cannot be taken back.
 *
 * On a stream of the caller's the wait is noticed within a quarter of a second, or when wait()
 * returns; on descriptors at once, but within 20 ms where a call without a time-out waits on a TCP
 * socket in blocking mode (it sets SO_RCVTIMEO if you have not; reset when the channel ends). The
 * channel must not be freed meanwhile.   Since 0.2.
 */
DUET_API void duet_channel_stop(duet_channel *channel);

#ifdef __cplusplus
}
#endif

#endif
