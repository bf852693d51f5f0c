/*
 * Addresses (see address.h).
 */
#include "address.h"

#include "options.h"
#include "say.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

/** Cut host:port or [v6]:port. Returns 0, or -1. */
static int
split(struct address *out, const char *address)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    uint64_t number;

    if (colon == NULL || colon[1] == 0)
        return -1;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && colon[-1] == ']') {
        host++;
        size -= 2;
    } else if (memchr(address, ':', size) != NULL) {
        return -1; /* an IPv6 address without brackets */
    }
    if (size >= sizeof out->host || strlen(colon + 1) >= sizeof out->port)
        return -1;
    memcpy(out->host, host, size);
    out->host[size] = 0;
    memcpy(out->port, colon + 1, strlen(colon + 1) + 1);
    if (out->port[0] >= '0' && out->port[0] <= '9' &&
        parse_number(&number, out->port, 0, 65535) != 0)
        return -1;
    return 0;
}

static int
bad_address(const char *address)
{
    return fail(
        EXIT_USAGE,
        "%s: no address; it is host:port (to 65535, or a service's name), [v6]:port, :port, "
        "unix:/path, fd:N or systemd:NAME",
        shown(address));
}

/** unix:/path. Returns an exit code. */
static int
parse_unix(struct address *out, const char *address)
{
    const char *path = address + 5;

    out->kind = ADDRESS_UNIX;
    out->un.sun_family = AF_UNIX;
    if (path[0] == 0 || strlen(path) >= sizeof out->un.sun_path)
        return fail(EXIT_USAGE, "%s: the path is empty or too long; it takes 1 to 107 octets",
                    shown(address));
    memcpy(out->un.sun_path, path, strlen(path));
    return EXIT_DONE;
}

/** fd:N. Returns an exit code. */
static int
parse_inherited(struct address *out, const char *address)
{
    uint64_t number;

    out->kind = ADDRESS_FD;
    if (parse_number(&number, address + 3, 0, 65535) != 0)
        return bad_address(address);
    if (fcntl((int)number, F_GETFD) < 0)
        return fail(EXIT_CONNECT, "%s: is not open in this process; who starts it must pass it on",
                    shown(address));
    out->fd = (int)number;
    return EXIT_DONE;
}

int
address_parse(struct address *out, const char *address, int passive)
{
    memset(out, 0, sizeof *out);
    if (strncmp(address, "unix:", 5) == 0)
        return parse_unix(out, address);
    if (strncmp(address, "fd:", 3) == 0)
        return parse_inherited(out, address);
    if (strncmp(address, "systemd:", 8) == 0) {
        out->kind = ADDRESS_SYSTEMD;
        out->name = address + 8;
        return passive ? EXIT_DONE
                       : fail(EXIT_USAGE, "%s: can only be listened on", shown(address));
    }
    out->kind = ADDRESS_TCP;
    if (split(out, address) != 0 || (!passive && out->host[0] == 0))
        return bad_address(address);
    return EXIT_DONE;
}

int
address_resolve(struct addrinfo **list, const struct address *address, int passive)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};

    int result =
        getaddrinfo(address->host[0] != 0 ? address->host : NULL, address->port, &hints, list);
    if (result == 0)
        return EXIT_DONE;
    return fail(EXIT_CONNECT, "%s:%s: %s; is the name right, and can this machine resolve it?",
                shown(address->host), shown(address->port),
                result == EAI_SYSTEM ? reason() : gai_strerror(result));
}

int
address_check(const char *address, int passive)
{
    struct address parts;
    uint64_t number;

    if (strncmp(address, "unix:", 5) == 0)
        return address[5] != 0 && strlen(address + 5) < sizeof parts.un.sun_path ? 0 : -1;
    if (strncmp(address, "fd:", 3) == 0)
        return passive ? parse_number(&number, address + 3, 0, 65535) : -1;
    if (strncmp(address, "systemd:", 8) == 0)
        return passive && address[8] != 0 ? 0 : -1;
    if (split(&parts, address) != 0)
        return -1;
    return passive || parts.host[0] != 0 ? 0 : -1;
}

void
address_prepare(int fd)
{
    int one = 1;

    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on a Unix socket */
}

void
address_name(char *out, size_t cap, const struct sockaddr_storage *address)
{
    char host[128], port[16]; /* numbers, with an interface's name */

    snprintf(out, cap, "a local peer");
    if (address->ss_family != AF_INET && address->ss_family != AF_INET6)
        return;
    if (getnameinfo((const struct sockaddr *)address, sizeof *address, host, sizeof host, port,
                    sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(out, cap, "%s port %s", host, port);
}
