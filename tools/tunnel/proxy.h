/*
 * The PROXY protocol, versions 1 and 2: whose connection it is that a proxy hands on.
 *
 * Memory in, memory out. A header is read only where the tunnel asks for it and only from trusted
 * proxies, as its sender can claim any source. The protocol's text is HAProxy's
 * doc/proxy-protocol.txt, section 2.
 */
#ifndef DUET_TUNNEL_PROXY_H
#define DUET_TUNNEL_PROXY_H

#include "strlist.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    PROXY_LEAST = 16,    /* bytes before the addresses */
    PROXY_MARK = 12,     /* bytes that tell which version it is; none is shorter */
    PROXY_V1_MOST = 107, /* bytes of the longest line of version 1 */
    PROXY_MOST = 2048,   /* bytes of the longest header that is taken */

    /* duet's own fields after the addresses, each a text without a final NUL: */
    PROXY_TLV_SECRET = 0xe0, /* the secret's id, 16 hex digits */
    PROXY_TLV_KEY = 0xe1,    /* the peer's public key in base64 */
    PROXY_TLV_NAME = 0xe2    /* its name in the peers file */
};

struct proxy {
    int known; /* 1: it names the addresses; 0: the socket's are used */
    struct sockaddr_storage source, destination; /* both of one family: IPv4, IPv6 or Unix */
    /* For proxy_write() alone; NULL: left out. */
    const uint8_t *secret_id; /* DUET_SECRET_ID_SIZE bytes */
    const uint8_t *peer_key;  /* DUET_KEY_SIZE bytes */
    const char *peer_name;
};

/**
 * Read a header.
 *
 * bytes   the first bytes of the stream, size bytes. *used: out, how many the header takes.
 * why     out: a sentence when the bytes are none.
 *
 * Returns DUET_OK; DUET_AGAIN: it may become one; DUET_E_FORMAT.
 */
int proxy_parse(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used,
                const char **why);

/** Write a header of version 2. out: PROXY_MOST bytes. Returns its size. */
size_t proxy_write(uint8_t out[PROXY_MOST], const struct proxy *proxy);

/** Version 1, which has no room for the secret's id and the identity. proxy_parse() calls the first
 * of these once it has seen the version. */
int proxy_parse_v1(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used,
                   const char **why);
size_t proxy_write_v1(uint8_t out[PROXY_MOST], const struct proxy *proxy);

/** May this peer send a header? trusted: networks as ADDRESS or ADDRESS/BITS; an empty list is
 * loopback's. Unix sockets are always trusted. Returns 1 or 0. */
int proxy_trusted(const struct strlist *trusted, const struct sockaddr *peer);

#endif
