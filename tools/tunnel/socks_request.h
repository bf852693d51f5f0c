/*
 * What a client's program asks for by SOCKS5 (RFC 1928), and how the two ends of a tunnel say it:
 * by a message each, under codes of the application's range.
 */
#ifndef DUET_TUNNEL_SOCKS_REQUEST_H
#define DUET_TUNNEL_SOCKS_REQUEST_H

#include "network.h"
#include "settings.h"
#include "strlist.h"
#include "target_rule.h"

#include <stddef.h>
#include <stdint.h>

/*
 * The client reads the program's opening and sends the server one message under TUNNEL_CODE_ASK:
 *
 *   byte 0      version, 1
 *   byte 1      command, 1: CONNECT
 *   bytes 2, 3  port, big-endian
 *   byte 4      what follows to the message's end: 1 an IPv4 address (4 bytes), 4 an IPv6 address
 *               (16 bytes), 3 a name (1 to 255 bytes)
 *
 * The server answers by one message under TUNNEL_CODE_ANSWER: byte 0 is the version, byte 1 one of
 * enum socks_reply. After SOCKS_DONE both directions are the stream's.
 */
enum {
    TUNNEL_CODE_ASK = 16,
    TUNNEL_CODE_ANSWER = 17,
    SOCKS_NAME_MOST = TARGET_NAME_MOST,
    SOCKS_MESSAGE_MOST = 5 + SOCKS_NAME_MOST,
    SOCKS_ANSWER = 2,                        /* bytes of an answer */
    SOCKS_OPENING_MOST = 7 + SOCKS_NAME_MOST /* of its larger part, the request; methods: 257 */
};

/** RFC 1928's reply codes. */
enum socks_reply {
    SOCKS_DONE,
    SOCKS_FAILED,
    SOCKS_NOT_ALLOWED,
    SOCKS_NO_NETWORK,
    SOCKS_NO_HOST,
    SOCKS_NO_SERVICE, /* the connection was refused */
    SOCKS_EXPIRED,
    SOCKS_NO_COMMAND,
    SOCKS_NO_ADDRESS_TYPE,
    SOCKS_REPLIES
};

/** One request, at either end. */
struct socks_request {
    enum { SOCKS_METHODS, SOCKS_REQUEST, SOCKS_READ } step; /* of the opening */
    int is_answered; /* 1: the one that asked has its answer, or none is to come */
    int is_served;   /* 1: the stream has begun */
    unsigned reply;  /* enum socks_reply: the answer if the connection ends now */
    int is_name;     /* 1: host is a name; 0: an address */
    char host[SOCKS_NAME_MOST + 1];
    unsigned port;
    struct strlist target; /* a server's: HOST:PORT, for connect.c and the logs */
    size_t size;           /* of these: */
    uint8_t bytes[SOCKS_OPENING_MOST];
};

/** NULL: no memory. */
struct socks_request *socks_request_new(void);
void socks_request_free(struct socks_request *request); /**< NULL is fine */

/* ---- A client's program ---- */

enum socks_result {
    SOCKS_AGAIN, /* more is to come */
    SOCKS_WHOLE, /* the request is read */
    SOCKS_BAD,   /* it is none, or one that is refused; why is a sentence */
    SOCKS_GONE   /* the program closed without a byte: a health check */
};

/** Read what has come of the opening, and nothing after it; answer its first part. */
enum socks_result socks_opening_read(struct socks_request *request, int fd, const char **why);

/** Tell the program how its request ended. Returns 0, or -1: it did not take that. */
int socks_opening_answer(struct socks_request *request, int fd, enum socks_reply reply);

/* ---- Between the ends ---- */

/** Write the request as a message. Returns its size. */
size_t socks_message_write(uint8_t out[SOCKS_MESSAGE_MOST], const struct socks_request *request);

/** Read one. Returns 0; -1: it is malformed, and request->reply says what to answer. */
int socks_message_read(struct socks_request *request, const uint8_t *bytes, size_t size);

/* ---- At the server ---- */

/** May a client of this tunnel ask for that? */
int socks_is_allowed(const struct tunnel_settings *tunnel, const struct socks_request *request);

/** May this address be connected to for that? It is the one that was asked for, or of the name. */
int socks_address_allowed(const struct tunnel_settings *tunnel, const struct socks_request *request,
                          const uint8_t address[NETWORK_ADDRESS]);

/** The reply for an errno of connect(2). */
enum socks_reply socks_reply_of(int error);

/** A reply in words. */
const char *socks_reply_text(unsigned reply);

#endif
