/*
 * The constants of the protocol: every size, code, offset and string that is on the wire or in a
 * key derivation. docs/protocol.md explains them.
 *
 * Those that the public headers name (header and MAC sizes, the application's last code, MORE) are
 * there.
 */
#ifndef DUET_WIRE_H
#define DUET_WIRE_H

#include <duet/session.h>

/* §1 the frame: offsets within the header (SEQ is the sequence number), and the cipher's block */
enum { WIRE_LENGTH = 0, WIRE_CODE = 4, WIRE_SEQ = 8, WIRE_CHECKSUM = 12 };
enum { WIRE_BLOCK = 16, WIRE_GROUP = 64 };

/* §1 the library's codes */
#define WIRE_RESERVED 0xFFFFFF00u
#define WIRE_HELLO    0xFFFFFF01u
#define WIRE_READY    0xFFFFFF02u
#define WIRE_CLOSE    0xFFFFFF03u
#define WIRE_PAD      DUET_CODE_PAD
#define WIRE_PING     0xFFFFFF05u
#define WIRE_PONG     0xFFFFFF06u
#define WIRE_ROTATE   0xFFFFFF07u
#define WIRE_REFRESH  0xFFFFFF08u
#define WIRE_MORE     DUET_CODE_MORE

/* §2, §3 keys */
#define WIRE_VERSION_TEXT "duet/1"
enum {
    WIRE_DIGEST = 32,                                /* SHA-256 */
    WIRE_KEY = 32,                                   /* AES-256 */
    WIRE_EPOCH = WIRE_KEY + WIRE_BLOCK + WIRE_DIGEST /* K, C and Z of one epoch */
};
enum { WIRE_ROTATE_LEAST = 1, WIRE_ROTATE_MOST = 30 };     /* exponents */
enum { WIRE_ROTATE_FRAMES = 16, WIRE_ROTATE_BLOCKS = 22 }; /* by default */
enum { WIRE_SALT_LEAST = 16, WIRE_SALT_MOST = 1024 };      /* bytes of a preset salt */

/* §6 profiles */
enum {
    WIRE_HELLO_SIZE_LEAST = 1536, /* bytes of a HELLO's flight by default */
    WIRE_HELLO_SIZE_MOST = 3072,
    WIRE_FLIGHT_MOST = 16000, /* bytes to which a flight or a write can be filled */
    WIRE_FIRST_MOST = 16,     /* writes that can be filled */
    WIRE_OPENING_FIELDS = 6,  /* of an opening, at most */
    WIRE_OPENING = 96         /* bytes of an opening, at most */
};

/* §4 the handshake */
enum {
    WIRE_NONCE = DUET_NONCE_SIZE,
    WIRE_HELLO_MOST = 16384,       /* bytes of a HELLO's payload */
    WIRE_HELLO_HEAD = 3,           /* pattern(1), length(2) */
    WIRE_MESSAGE_USUAL = 2048,     /* bytes of a message, its head included; ours have less */
    WIRE_PARAMS = 16,              /* bytes before the extensions */
    WIRE_EXTENSION_KEM = 1,        /* the type of extension `kem` */
    WIRE_KEM_MLKEM768 = 1,         /* its suite */
    WIRE_KEM_PAYLOAD_LEAST = 2048, /* a max_payload under which there is no hybrid session */
    WIRE_SESSION_SECRET = 1024,
    WIRE_SKEW_MARGIN_MS = 1000, /* beyond twice max_skew, for which nonces are kept */
    WIRE_MAX_PAYLOAD_LEAST = 256,
    WIRE_OPENING_MOST = 65536, /* bytes of prelude, nonce, HELLOs and READY of one direction */
    /* what is left of that for READY after the longest of the others */
    WIRE_READY_MOST = WIRE_OPENING_MOST - (int)DUET_PRELUDE_MOST - WIRE_OPENING - WIRE_NONCE -
                      2 * (WIRE_HELLO_MOST + (int)DUET_FRAME_OVERHEAD) - (int)DUET_FRAME_OVERHEAD
};

/* §5 REFRESH (the DH ratchet): the payload's first byte */
enum { WIRE_REFRESH_ASK = 1, WIRE_REFRESH_ANSWER = 2, WIRE_REFRESH_DONE = 3 };

#endif
