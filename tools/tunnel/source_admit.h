/*
 * Where connections come from, and which sources a tunnel takes them from: `allow` and `deny`.
 */
#ifndef DUET_TUNNEL_SOURCE_ADMIT_H
#define DUET_TUNNEL_SOURCE_ADMIT_H

#include <netinet/in.h>
#include <sys/socket.h>

struct tunnel_settings;

#define SOURCE_NOT_ADMITTED "its source is not allowed; see allow and deny"

/** Where a connection came from, in less room than struct sockaddr_storage takes; of a Unix socket
 * the family alone. */
union source_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/** Keep an address. */
void source_address_set(union source_address *source, const struct sockaddr *from);

/** 1 when connections from there are taken. A Unix socket's always are. */
int source_admitted(const struct tunnel_settings *tunnel, const struct sockaddr *from);

#endif
