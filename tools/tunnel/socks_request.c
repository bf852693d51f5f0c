/*
 * Requests by SOCKS5 (see socks_request.h): read from a program, sent to the server, judged there.
 * No state of a connection is changed here; that is socks.c's matter.
 */
#include "socks_request.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { VERSION = 5, NO_LOGIN = 0, NO_METHOD = 0xff, CONNECT = 1 };
enum { IP4 = 1, NAME = 3, IP6 = 4, IP4_SIZE = 4, IP6_SIZE = 16, PORT_SIZE = 2 };
enum { MESSAGE_VERSION = 1, MESSAGE_HEAD = 5 };

struct socks_request *
socks_request_new(void)
{
    struct socks_request *request = calloc(1, sizeof *request);

    if (request != NULL)
        request->reply = SOCKS_FAILED;
    return request;
}

void
socks_request_free(struct socks_request *request)
{
    if (request != NULL)
        strlist_free(&request->target);
    free(request);
}

/* ---- Hosts ---- */

/** Write an address; one of IPv4 in the form of IPv6 is one of IPv4. Returns 0, or -1. */
static int
take_address(struct socks_request *r, int family, const uint8_t *bytes)
{
    static const uint8_t mapped[IP6_SIZE - IP4_SIZE] = {[10] = 0xff, [11] = 0xff};

    /* public: addresses */
    if (family == AF_INET6 && memcmp(bytes, mapped, sizeof mapped) == 0) {
        family = AF_INET;
        bytes += sizeof mapped;
    }
    r->is_name = 0;
    return inet_ntop(family, bytes, r->host, sizeof r->host) != NULL ? 0 : -1;
}

/** Take an address, or a name that may hold one in digits. Returns 0, or -1: it is neither. */
static int
take_host(struct socks_request *r, unsigned kind, const uint8_t *bytes, size_t size)
{
    uint8_t address[IP6_SIZE];

    if (kind == IP4 || kind == IP6)
        return take_address(r, kind == IP4 ? AF_INET : AF_INET6, bytes);
    if (size == 0 || size > SOCKS_NAME_MOST || memchr(bytes, 0, size) != NULL)
        return -1;
    memcpy(r->host, bytes, size);
    r->host[size] = 0;
    if (inet_pton(AF_INET, r->host, address) == 1)
        return 0;
    if (inet_pton(AF_INET6, r->host, address) == 1)
        return take_address(r, AF_INET6, address);
    r->is_name = 1;
    return target_is_name(r->host) ? 0 : -1;
}

/* ---- A client's program ---- */

/** What speaks here in SOCKS5's place. */
static const char *
other_protocol(uint8_t byte)
{
    if (byte == 4)
        return "it speaks SOCKS4; only SOCKS5 is understood, so set the program to that";
    if (byte >= 'A' && byte <= 'Z')
        return "it speaks HTTP; only SOCKS5 is understood, so name this as a SOCKS5 proxy, not as "
               "an HTTP proxy";
    if (byte == 0x16)
        return "it speaks TLS; only SOCKS5 is understood here";
    return "it does not speak SOCKS5";
}

/** Write a few bytes, which a socket's buffer takes. Returns 0, or -1. */
static int
write_all(int fd, const uint8_t *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

/** How many bytes can be read without reading beyond this part of the opening. */
static size_t
bytes_wanted(const struct socks_request *r)
{
    size_t whole;

    if (r->step == SOCKS_METHODS)
        whole = r->size < 2 ? 2 : 2 + (size_t)r->bytes[1];
    else if (r->size < MESSAGE_HEAD)
        whole = MESSAGE_HEAD; /* the same here: up to the first byte of the host */
    else if (r->bytes[3] == NAME)
        whole = MESSAGE_HEAD + (size_t)r->bytes[4] + PORT_SIZE;
    else
        whole = MESSAGE_HEAD - 1 + (r->bytes[3] == IP4 ? IP4_SIZE : IP6_SIZE) + PORT_SIZE;
    return whole - r->size;
}

/** Its methods are read: choose the one without a login. */
static enum socks_result
methods_read(struct socks_request *r, int fd, const char **why)
{
    uint8_t answer[] = {VERSION, NO_METHOD};

    if (memchr(r->bytes + 2, NO_LOGIN, r->bytes[1]) != NULL)
        answer[1] = NO_LOGIN;
    r->size = 0;
    r->step = SOCKS_REQUEST;
    *why = "the program closed before its SOCKS method was answered";
    if (write_all(fd, answer, sizeof answer) != 0)
        return SOCKS_BAD;
    *why = "the program wants a login by SOCKS5, which there is none of here; set it to none";
    r->is_answered = answer[1] != NO_LOGIN; /* the end of it */
    return answer[1] == NO_LOGIN ? SOCKS_AGAIN : SOCKS_BAD;
}

static enum socks_result
refuse(struct socks_request *r, enum socks_reply reply, const char **why, const char *reason)
{
    r->reply = reply;
    *why = reason;
    return SOCKS_BAD;
}

/** The head of the request is here: is it one that can be served? */
static enum socks_result
check_head(struct socks_request *r, const char **why)
{
    if (r->bytes[0] != VERSION)
        return refuse(r, SOCKS_FAILED, why, "its SOCKS request is malformed");
    if (r->bytes[1] != CONNECT)
        return refuse(r, SOCKS_NO_COMMAND, why,
                      "it asks by SOCKS for something else than CONNECT, which is all there is");
    if (r->bytes[3] != IP4 && r->bytes[3] != IP6 && r->bytes[3] != NAME)
        return refuse(r, SOCKS_NO_ADDRESS_TYPE, why, "its SOCKS request has no known address type");
    if (r->bytes[3] == NAME && r->bytes[4] == 0)
        return refuse(r, SOCKS_FAILED, why, "it asks by SOCKS for a name that is empty");
    return SOCKS_AGAIN;
}

static enum socks_result
request_read(struct socks_request *r, const char **why)
{
    unsigned kind = r->bytes[3];
    const uint8_t *host = r->bytes + (kind == NAME ? MESSAGE_HEAD : MESSAGE_HEAD - 1);
    const uint8_t *port = r->bytes + r->size - PORT_SIZE;

    r->port = (unsigned)port[0] << 8 | port[1];
    if (take_host(r, kind, host, (size_t)(port - host)) != 0)
        return refuse(r, SOCKS_FAILED, why, "it asks by SOCKS for a name that cannot be one");
    if (r->port == 0)
        return refuse(r, SOCKS_FAILED, why, "it asks by SOCKS for port 0");
    r->step = SOCKS_READ;
    return SOCKS_WHOLE;
}

/** Act on what has come. */
static enum socks_result
opening_step(struct socks_request *r, int fd, const char **why)
{
    if (r->step == SOCKS_METHODS && r->bytes[0] != VERSION) {
        r->is_answered = 1; /* no answer of SOCKS5 is of use there */
        *why = other_protocol(r->bytes[0]);
        return SOCKS_BAD;
    }
    if (r->step == SOCKS_REQUEST && r->size == MESSAGE_HEAD && check_head(r, why) != SOCKS_AGAIN)
        return SOCKS_BAD;
    if (bytes_wanted(r) > 0)
        return SOCKS_AGAIN;
    return r->step == SOCKS_METHODS ? methods_read(r, fd, why) : request_read(r, why);
}

enum socks_result
socks_opening_read(struct socks_request *r, int fd, const char **why)
{
    enum socks_result result;

    do {
        ssize_t n = recv(fd, r->bytes + r->size, bytes_wanted(r), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return SOCKS_AGAIN;
        if (n <= 0) {
            *why = "the program closed within its SOCKS request";
            return r->step == SOCKS_METHODS && r->size == 0 ? SOCKS_GONE : SOCKS_BAD;
        }
        r->size += (size_t)n;
        result = opening_step(r, fd, why);
    } while (result == SOCKS_AGAIN);
    return result;
}

int
socks_opening_answer(struct socks_request *r, int fd, enum socks_reply reply)
{
    /* the address that the server has is its own matter: 0.0.0.0, port 0 */
    const uint8_t answer[] = {VERSION, (uint8_t)reply, 0, IP4, 0, 0, 0, 0, 0, 0};

    if (r->is_answered)
        return 0;
    r->is_answered = 1;
    return write_all(fd, answer, sizeof answer);
}

/* ---- Between the ends ---- */

size_t
socks_message_write(uint8_t out[SOCKS_MESSAGE_MOST], const struct socks_request *r)
{
    uint8_t address[IP6_SIZE];
    size_t size = strlen(r->host);
    const void *host = r->host;

    out[0] = MESSAGE_VERSION;
    out[1] = CONNECT;
    out[2] = (uint8_t)(r->port >> 8);
    out[3] = (uint8_t)r->port;
    out[4] = NAME;
    if (!r->is_name) {
        int is_v4 = inet_pton(AF_INET, r->host, address) == 1;
        out[4] = is_v4 ? IP4 : IP6;
        size = is_v4 ? IP4_SIZE : IP6_SIZE;
        host = address;
        if (!is_v4)
            (void)inet_pton(AF_INET6, r->host, address);
    }
    memcpy(out + MESSAGE_HEAD, host, size);
    return MESSAGE_HEAD + size;
}

/** Name the target for connect.c and the logs. Returns 0, or -1: no memory. */
static int
name_target(struct socks_request *r)
{
    char text[SOCKS_NAME_MOST + 16];
    int is_v6 = strchr(r->host, ':') != NULL;

    snprintf(text, sizeof text, "%s%s%s:%u", is_v6 ? "[" : "", r->host, is_v6 ? "]" : "", r->port);
    return strlist_add(&r->target, text);
}

int
socks_message_read(struct socks_request *r, const uint8_t *bytes, size_t size)
{
    r->reply = SOCKS_FAILED;
    if (size < MESSAGE_HEAD)
        return -1;
    size_t host = size - MESSAGE_HEAD;
    r->reply = SOCKS_NO_COMMAND;
    if (bytes[0] != MESSAGE_VERSION || bytes[1] != CONNECT)
        return -1;
    r->reply = SOCKS_NO_ADDRESS_TYPE;
    if (bytes[4] != IP4 && bytes[4] != IP6 && bytes[4] != NAME)
        return -1;
    r->reply = SOCKS_FAILED;
    r->port = (unsigned)bytes[2] << 8 | bytes[3];
    if (r->port == 0 || (bytes[4] == IP4 && host != IP4_SIZE) ||
        (bytes[4] == IP6 && host != IP6_SIZE) ||
        take_host(r, bytes[4], bytes + MESSAGE_HEAD, host) != 0)
        return -1;
    return name_target(r);
}

/* ---- At the server ---- */

/** Is the name listed by name? */
static int
is_named(const struct strlist *rules, const struct socks_request *r)
{
    struct target_rule rule;

    for (size_t i = 0; r->is_name && i < rules->count; i++)
        if (target_rule_parse(&rule, rules->at[i]) == 0 &&
            target_rule_names(&rule, r->host, r->port))
            return 1;
    return 0;
}

int
socks_is_allowed(const struct tunnel_settings *t, const struct socks_request *r)
{
    struct target_rule rule;
    struct network address;

    if (!r->is_name)
        return network_parse(&address, r->host) == 0 && socks_address_allowed(t, r, address.at);
    if (is_named(&t->allow_targets, r))
        return 1;
    /* its addresses may lie in a network that is listed */
    for (size_t i = 0; i < t->allow_targets.count; i++)
        if (target_rule_parse(&rule, t->allow_targets.at[i]) == 0 && rule.is_network &&
            r->port >= rule.least_port && r->port <= rule.most_port)
            return 1;
    return 0;
}

int
socks_address_allowed(const struct tunnel_settings *t, const struct socks_request *r,
                      const uint8_t address[NETWORK_ADDRESS])
{
    struct target_rule rule;

    for (size_t i = 0; i < t->allow_targets.count; i++)
        if (target_rule_parse(&rule, t->allow_targets.at[i]) == 0 &&
            target_rule_holds(&rule, address, r->port))
            return 1;
    return is_named(&t->allow_targets, r) && network_is_global(address);
}

enum socks_reply
socks_reply_of(int error)
{
    switch (error) {
    case EACCES:
        return SOCKS_NOT_ALLOWED;
    case ENETUNREACH:
        return SOCKS_NO_NETWORK;
    case EHOSTUNREACH:
    case ETIMEDOUT:
        return SOCKS_NO_HOST;
    case ECONNREFUSED:
        return SOCKS_NO_SERVICE;
    default:
        return SOCKS_FAILED;
    }
}

const char *
socks_reply_text(unsigned reply)
{
    static const char *const texts[] = {
        [SOCKS_DONE] = "it is connected",
        [SOCKS_FAILED] = "it failed; the server's log says why",
        [SOCKS_NOT_ALLOWED] = "the server does not allow that target (allow-target)",
        [SOCKS_NO_NETWORK] = "the target's network cannot be reached",
        [SOCKS_NO_HOST] = "the target cannot be reached or resolved",
        [SOCKS_NO_SERVICE] = "the target refuses the connection",
        [SOCKS_EXPIRED] = "the time to live expired",
        [SOCKS_NO_COMMAND] = "the server does not know that request",
        [SOCKS_NO_ADDRESS_TYPE] = "the server does not know such addresses"};

    return reply < SOCKS_REPLIES ? texts[reply] : "the server's answer is malformed";
}
