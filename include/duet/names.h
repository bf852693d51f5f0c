/*
 * The names of version 0.1, for programs that were written for it.
 *
 * <duet/duet.h> includes it; `#define DUET_NO_OLD_NAMES` before that leaves it out. It goes with
 * version 1.0. What became opaque (duet_secret, duet_identity, duet_peers, duet_profile) has no old
 * form: see "Moving from 0.1" in CHANGELOG.md. New programs use none of this.
 */
#ifndef DUET_NAMES_H
#define DUET_NAMES_H

#include <duet/duet.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define duet_handshake     duet_channel_handshake
#define duet_send          duet_channel_send
#define duet_recv          duet_channel_recv
#define duet_next_frame    duet_channel_next_frame
#define duet_send_message  duet_channel_send_message
#define duet_recv_message  duet_channel_recv_message
#define duet_send_messages duet_channel_send_messages
#define duet_recv_messages duet_channel_recv_messages
#define duet_send_frame    duet_channel_send_frame
#define duet_exchange      duet_channel_exchange
#define duet_flush         duet_channel_flush
#define duet_close         duet_channel_close

#define duet_dir          duet_cipher
#define duet_dir_init_raw duet_cipher_init
#define duet_seal_begin   duet_cipher_seal_begin
#define duet_seal_piece   duet_cipher_seal_piece
#define duet_open_header  duet_cipher_open_header
#define duet_open_piece   duet_cipher_open_piece

#define DUET_E_STRANGER DUET_E_UNAUTHENTICATED

/** Use duet_cipher_seal_begin() and duet_cipher_seal_piece(). */
DUET_CHECKED static inline int
duet_seal(duet_cipher *cipher, uint8_t *frame, const uint8_t *payload, size_t len, uint32_t code)
{
    size_t put;

    if (len > UINT32_MAX)
        return DUET_E_MISUSE;
    int result = duet_cipher_seal_begin(cipher, frame, code, (uint32_t)len);
    if (result != DUET_OK)
        return result;
    return duet_cipher_seal_piece(cipher, frame + DUET_HEADER_SIZE, &put, payload, len);
}

/** Use duet_channel_open_with(). */
DUET_CHECKED static inline int
duet_channel_open_stream(duet_channel **channel, const duet_config *config, duet_replay *replay,
                         enum duet_role role, const duet_stream *stream)
{
    duet_opening opening = {sizeof opening, config, replay, role, NULL, NULL, NULL, stream, -1, -1};

    return duet_channel_open_with(channel, &opening);
}

/** Use duet_channel_open_with(). */
DUET_CHECKED static inline int
duet_channel_open_preset(duet_channel **channel, duet_session *session, const duet_stream *stream,
                         int rfd, int wfd)
{
    duet_opening opening = {sizeof opening, NULL, NULL,   DUET_TOP, session,
                            NULL,           NULL, stream, rfd,      wfd};

    return duet_channel_open_with(channel, &opening);
}

/** Use duet_job. */
typedef struct duet_send_job {
    duet_channel *channel;
    const void *data;
    size_t size, sent;
    int result;
} duet_send_job;

/** Use duet_job. */
typedef struct duet_recv_job {
    duet_channel *channel;
    void *buffer;
    size_t size, got;
    int result;
} duet_recv_job;

/** Use duet_channel_many(), which is faster. */
static inline void
duet_send_many(duet_send_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duet_job job = {jobs[i].channel, jobs[i].data, jobs[i].size, 0, NULL, 0, 0, 0, 0};
        duet_channel_many(&job, 1);
        jobs[i].sent = job.sent;
        jobs[i].result = job.send_result;
    }
}

/** Use duet_channel_many(), which is faster. */
static inline void
duet_recv_many(duet_recv_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        duet_job job = {jobs[i].channel, NULL, 0, 0, jobs[i].buffer, jobs[i].size, 0, 0, 0};
        duet_channel_many(&job, 1);
        jobs[i].got = job.got;
        jobs[i].result = job.recv_result;
    }
}

/** Use duet_session_send() with DUET_CODE_PAD. */
DUET_CHECKED static inline int
duet_session_pad(duet_session *session, uint8_t *out, size_t len)
{
    return duet_session_send(session, out, DUET_CODE_PAD, NULL, len);
}

/** Use duet_key_new() and duet_config_add(). */
DUET_CHECKED static inline int
duet_config_add_secret(duet_config *config, const uint8_t *bytes, size_t size)
{
    duet_key *key;
    int result = duet_key_new(&key, DUET_KIND_SECRET, bytes, size, 0);

    if (result == DUET_OK)
        result = duet_config_add(config, key);
    duet_key_free(key);
    return result;
}

/** Use duet_info: receipts and receipt. */
DUET_CHECKED static inline int
duet_session_receipt(const duet_session *session, uint8_t receipt[DUET_RECEIPT_SIZE],
                     enum duet_role role)
{
    duet_info info;

    duet_session_info(session, &info);
    if ((role != DUET_TOP && role != DUET_BOTTOM) || !(info.receipts & 1u << role))
        return DUET_E_MISUSE;
    memcpy(receipt, info.receipt[role], DUET_RECEIPT_SIZE);
    return DUET_OK;
}

/** Nothing need be set up before the other calls any more. */
DUET_CHECKED static inline int
duet_init(void)
{
    return strcmp(duet_kernel_name(), "none") != 0 ? DUET_OK : DUET_E_CRYPTO;
}

/** Use duet_wipe() with its size. */
static inline void
duet_dir_wipe(duet_cipher *cipher)
{
    if (cipher != NULL)
        duet_wipe(cipher, sizeof *cipher);
}

/** What duet_session_ask() asked for. */
enum duet_request {
    DUET_ASK_FRESH,   /**< duet_session_accept() */
    DUET_ASK_KNOWN,   /**< duet_session_end() */
    DUET_ASK_CLOSE,   /**< duet_session_close() */
    DUET_ASK_ROTATE,  /**< duet_session_rekey() */
    DUET_ASK_PING,    /**< duet_session_ping() */
    DUET_ASK_REFRESH, /**< duet_session_refresh() */
    DUET_ASK_ANSWER   /**< duet_session_refresh() */
};

/** Use the call that the request names. */
DUET_CHECKED static inline int
duet_session_ask(duet_session *session, enum duet_request request, const uint8_t *bytes)
{
    uint64_t now_ms = 0;

    switch (request) {
    case DUET_ASK_FRESH:
        for (int i = 0; bytes != NULL && i < 8; i++)
            now_ms = now_ms << 8 | bytes[i];
        return duet_session_accept(session, now_ms);
    case DUET_ASK_KNOWN:
        return duet_session_end(session);
    case DUET_ASK_CLOSE:
        return duet_session_close(session);
    case DUET_ASK_ROTATE:
        return duet_session_rekey(session);
    case DUET_ASK_PING:
        return duet_session_ping(session, bytes);
    case DUET_ASK_REFRESH:
    case DUET_ASK_ANSWER:
        return duet_session_refresh(session, bytes);
    }
    return DUET_E_MISUSE;
}

#ifdef __cplusplus
}
#endif

#endif
