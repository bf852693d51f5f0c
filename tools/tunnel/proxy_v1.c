/*
 * The PROXY protocol, version 1 (see proxy.h): a line of text, of HAProxy's doc/proxy-protocol.txt,
 * section 2.1.
 */
#include "proxy.h"

#include "values.h"

#include <arpa/inet.h>
#include <duet/duet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 6 }; /* PROXY, the family, two addresses, two ports */

static int
bad_line(const char **why)
{
    *why = "a PROXY header of version 1 that is not as its document says";
    return DUET_E_FORMAT;
}

/** Read an address and a port. Returns 0, or -1. */
static int
read_address(struct sockaddr_storage *out, int family, const char *host, const char *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    uint64_t number;

    if (parse_number(&number, port, 0, UINT16_MAX) != 0)
        return -1;
    in.sin_port = in6.sin6_port = htons((uint16_t)number);
    if (inet_pton(family, host, family == AF_INET ? (void *)&in.sin_addr : &in6.sin6_addr) != 1)
        return -1;
    if (family == AF_INET)
        memcpy(out, &in, sizeof in);
    else
        memcpy(out, &in6, sizeof in6);
    return 0;
}

/** Split a line at its single spaces. Returns the number of fields; FIELDS + 1: there are more. */
static unsigned
split(char *line, char *fields[FIELDS])
{
    unsigned count = 0;

    for (char *at = line; at != NULL; count++) {
        if (count == FIELDS)
            return FIELDS + 1;
        fields[count] = at;
        at = strchr(at, ' ');
        if (at != NULL)
            *at++ = 0;
    }
    return count;
}

/** Read a line without its end. */
static int
read_line(struct proxy *proxy, char *line, const char **why)
{
    static const char unknown[] = "PROXY UNKNOWN";
    char *fields[FIELDS];

    if (strncmp(line, unknown, sizeof unknown - 1) == 0 &&
        (line[sizeof unknown - 1] == 0 || line[sizeof unknown - 1] == ' '))
        return DUET_OK; /* what follows is to be ignored */
    if (split(line, fields) != FIELDS)
        return bad_line(why);
    int family = strcmp(fields[1], "TCP4") == 0 ? AF_INET : AF_INET6;
    if ((family == AF_INET6 && strcmp(fields[1], "TCP6") != 0) ||
        read_address(&proxy->source, family, fields[2], fields[4]) != 0 ||
        read_address(&proxy->destination, family, fields[3], fields[5]) != 0) {
        memset(proxy, 0, sizeof *proxy);
        return bad_line(why);
    }
    proxy->known = 1;
    return DUET_OK;
}

int
proxy_parse_v1(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used,
               const char **why)
{
    char line[PROXY_V1_MOST + 1] = {0};
    size_t most = size < PROXY_V1_MOST ? size : PROXY_V1_MOST, end = 0;

    while (end + 1 < most && !(bytes[end] == '\r' && bytes[end + 1] == '\n'))
        end++;
    if (end + 1 >= most) {
        if (size < PROXY_V1_MOST)
            return DUET_AGAIN;
        return bad_line(why);
    }
    memcpy(line, bytes, end);
    if (strlen(line) != end)
        return bad_line(why);
    int result = read_line(proxy, line, why);
    if (result == DUET_OK)
        *used = end + 2;
    return result;
}

size_t
proxy_write_v1(uint8_t out[PROXY_MOST], const struct proxy *proxy)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    int family = proxy->source.ss_family, is_v4 = family == AF_INET;
    struct sockaddr_in in[2];
    struct sockaddr_in6 in6[2];
    char *text = (char *)out;

    if (!proxy->known || family != proxy->destination.ss_family ||
        (family != AF_INET && family != AF_INET6))
        return (size_t)snprintf(text, PROXY_MOST, "PROXY UNKNOWN\r\n");
    memcpy(&in[0], &proxy->source, sizeof in[0]);
    memcpy(&in[1], &proxy->destination, sizeof in[1]);
    memcpy(&in6[0], &proxy->source, sizeof in6[0]);
    memcpy(&in6[1], &proxy->destination, sizeof in6[1]);
    inet_ntop(family, is_v4 ? (void *)&in[0].sin_addr : &in6[0].sin6_addr, source, sizeof source);
    inet_ntop(family, is_v4 ? (void *)&in[1].sin_addr : &in6[1].sin6_addr, destination,
              sizeof destination);
    return (size_t)snprintf(text, PROXY_MOST, "PROXY %s %s %s %u %u\r\n", is_v4 ? "TCP4" : "TCP6",
                            source, destination,
                            (unsigned)ntohs(is_v4 ? in[0].sin_port : in6[0].sin6_port),
                            (unsigned)ntohs(is_v4 ? in[1].sin_port : in6[1].sin6_port));
}
