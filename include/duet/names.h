/*
 * The names of version 0.1, for programs that were written for it.
 *
 * <duet/duet.h> includes it; `#define DUET_NO_OLD_NAMES` before that leaves it out. It goes with
 * version 1.0. What became opaque (duet_secret, duet_identity, duet_peers, duet_profile) has no old
 * form: see "Moving from 0.1" in CHANGELOG.md. New programs use none of this.
 */
#ifndef DUET_NAMES_H
#define DUET_NAMES_H

#include <duet/channel.h>
#include <duet/error.h>
#include <duet/frame.h>
#include <duet/secret.h>
#include <duet/session.h>

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
#define duet_send_many     duet_channel_send_many
#define duet_recv_many     duet_channel_recv_many
#define duet_flush         duet_channel_flush
#define duet_close         duet_channel_close

#define duet_dir          duet_cipher
#define duet_dir_init_raw duet_cipher_init
#define duet_dir_wipe     duet_cipher_wipe
#define duet_seal_begin   duet_cipher_seal_begin
#define duet_seal_piece   duet_cipher_seal_piece
#define duet_open_header  duet_cipher_open_header
#define duet_open_piece   duet_cipher_open_piece

#define DUET_E_STRANGER DUET_E_UNAUTHENTICATED

/** Use duet_cipher_seal(), where the code comes before the payload. */
static inline int
duet_seal(duet_cipher *cipher, uint8_t *frame, const uint8_t *payload, size_t len, uint32_t code)
{
    return duet_cipher_seal(cipher, frame, code, payload, len);
}

/** Use duet_session_send() with DUET_CODE_PAD. */
static inline int
duet_session_pad(duet_session *session, uint8_t *out, size_t len)
{
    return duet_session_send(session, out, DUET_CODE_PAD, NULL, len);
}

/** Use duet_key_new() and duet_config_add(). */
static inline int
duet_config_add_secret(duet_config *config, const uint8_t *bytes, size_t size)
{
    duet_key *key;
    int result = duet_key_new(&key, DUET_KIND_SECRET, bytes, size, 0);

    if (result == DUET_OK)
        result = duet_config_add(config, key);
    duet_key_free(key);
    return result;
}

/** What duet_session_ask() asked for. */
enum duet_request {
    DUET_ASK_FRESH,   /**< duet_session_accept() */
    DUET_ASK_KNOWN,   /**< duet_session_refuse() */
    DUET_ASK_CLOSE,   /**< duet_session_close() */
    DUET_ASK_ROTATE,  /**< duet_session_rekey() */
    DUET_ASK_PING,    /**< duet_session_ping() */
    DUET_ASK_REFRESH, /**< duet_session_refresh() */
    DUET_ASK_ANSWER   /**< duet_session_answer() */
};

/** Use the call that the request names. */
static inline int
duet_session_ask(duet_session *session, enum duet_request request, const uint8_t *bytes)
{
    uint64_t now_ms = 0;

    switch (request) {
    case DUET_ASK_FRESH:
        for (int i = 0; bytes != NULL && i < 8; i++)
            now_ms = now_ms << 8 | bytes[i];
        return duet_session_accept(session, now_ms);
    case DUET_ASK_KNOWN:
        return duet_session_refuse(session);
    case DUET_ASK_CLOSE:
        return duet_session_close(session);
    case DUET_ASK_ROTATE:
        return duet_session_rekey(session);
    case DUET_ASK_PING:
        return duet_session_ping(session, bytes);
    case DUET_ASK_REFRESH:
        return duet_session_refresh(session, bytes);
    case DUET_ASK_ANSWER:
        return duet_session_answer(session, bytes);
    }
    return DUET_E_MISUSE;
}

#ifdef __cplusplus
}
#endif

#endif
