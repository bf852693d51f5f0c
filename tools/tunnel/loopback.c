/*
 * Which addresses do not leave this machine (see loopback.h).
 */
#include "loopback.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { LOOPBACK = 127 };

int
is_local(const struct sockaddr_storage *address)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (address->ss_family == AF_UNIX)
        return 1;
    memcpy(&in, address, sizeof in);
    memcpy(&in6, address, sizeof in6);
    if (address->ss_family == AF_INET)
        return ntohl(in.sin_addr.s_addr) >> 24 == LOOPBACK;
    if (address->ss_family != AF_INET6)
        return 0;
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return in6.sin6_addr.s6_addr[12] == LOOPBACK;
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}
