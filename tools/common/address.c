/*
 * Addresses (see address.h).
 */
#include "address.h"

#include "interrupt.h"
#include "log.h"
#include "name_lookup.h"
#include "values.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

enum { UDP_PREFIX = 4 }; /* bytes of "udp:" */

/* Seconds, and probes: on an idle connection a peer whose machine or network died is noticed after
 * two minutes. Where bytes are under way, TCP's own retries decide. */
enum { KEEPALIVE_IDLE = 60, KEEPALIVE_INTERVAL = 15, KEEPALIVE_COUNT = 4 };

/** host:port or [v6]:port. Returns NULL, or what is wrong with it. */
static const char *
read_tcp(struct address *out, const char *address, int passive)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    uint64_t number;

    if (address[0] == '"' || address[0] == '\'')
        return "it is written without quotes: host:port";
    if (strchr(address, '/') != NULL)
        return "no address; it is host:port without scheme or path, or unix:/path";
    if (colon == NULL || colon[1] == 0)
        return "no port after a colon; write host:port, [v6]:port, :port to listen, or unix:/path";
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && colon[-1] == ']') {
        host++;
        size -= 2;
    } else if (memchr(address, ':', size) != NULL) {
        return "an IPv6 address is written in brackets: [v6]:port";
    }
    if (size >= sizeof out->host)
        return "the host's name is too long";
    if (size == 0 && !passive)
        return "no host; write host:port (:port alone is for listening)";
    if (strlen(colon + 1) >= sizeof out->port ||
        (colon[1] >= '0' && colon[1] <= '9' && parse_number(&number, colon + 1, 0, 65535) != 0))
        return "no such port; it is a number up to 65535, or a service's name";
    memcpy(out->host, host, size);
    out->host[size] = 0;
    memcpy(out->port, colon + 1, strlen(colon + 1) + 1);
    return NULL;
}

static const char *
read_unix(struct address *out, const char *path)
{
    out->kind = ADDRESS_UNIX;
    out->un.sun_family = AF_UNIX;
    if (path[0] == 0 || strlen(path) >= sizeof out->un.sun_path)
        return "the path is empty or too long; it takes 1 to 107 bytes";
    memcpy(out->un.sun_path, path, strlen(path));
    out->un_size = sizeof out->un;
    if (path[0] != '@')
        return NULL;
    if (path[1] == 0)
        return "no name after the @; an abstract socket is unix:@name, a file of that name "
               "unix:./@";
    /* As systemd, ssh and socat write it: a name of Linux's own, which is no file. */
    out->un.sun_path[0] = 0;
    out->un_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    return NULL;
}

static const char *
read_inherited(struct address *out, const char *text)
{
    uint64_t number;

    out->kind = ADDRESS_FD;
    if (parse_number(&number, text, 0, 65535) != 0)
        return "no descriptor; it is fd:N, such as fd:3";
    out->fd = (int)number;
    return NULL;
}

static const char *
read_systemd(struct address *out, const char *name, int passive)
{
    out->kind = ADDRESS_SYSTEMD;
    out->name = name;
    if (!passive)
        return "can only be listened on";
    return name[0] != 0 ? NULL
                        : "no name; it is systemd:NAME, see FileDescriptorName= in "
                          "systemd.socket(5)";
}

/** An address of any kind after "udp:". Returns NULL, or what is wrong with the text. */
static const char *
read_address(struct address *out, const char *address, int passive)
{
    memset(out, 0, sizeof *out);
    if (address_is_udp(address)) {
        const char *fault = read_address(out, address + UDP_PREFIX, passive);
        out->is_udp = 1;
        return out->kind == ADDRESS_UNIX || address_is_udp(address + UDP_PREFIX)
                   ? "is no address of UDP; write udp:host:port"
                   : fault;
    }
    if (strncmp(address, "unix:", 5) == 0)
        return read_unix(out, address + 5);
    if (strncmp(address, "fd:", 3) == 0)
        return read_inherited(out, address + 3);
    if (strncmp(address, "systemd:", 8) == 0)
        return read_systemd(out, address + 8, passive);
    out->kind = ADDRESS_TCP;
    return read_tcp(out, address, passive);
}

int
address_is_udp(const char *address)
{
    return strncmp(address, "udp:", UDP_PREFIX) == 0;
}

int
address_parse(struct address *out, const char *address, int passive)
{
    const char *fault = read_address(out, address, passive);

    if (fault == NULL && out->is_udp)
        fault = "UDP is for tunnels: duet client, duet server and duet run";
    if (fault != NULL)
        return log_error(EXIT_USAGE, "%s: %s", printable_word(address), fault);
    return address_parse_any(out, address, passive);
}

int
address_parse_any(struct address *out, const char *address, int passive)
{
    const char *fault = read_address(out, address, passive);

    if (fault != NULL)
        return log_error(EXIT_USAGE, "%s: %s", printable_word(address), fault);
    if (out->kind == ADDRESS_FD && fcntl(out->fd, F_GETFD) < 0)
        return log_error(EXIT_CONNECT,
                         "%s: is not open in this process; who starts it must pass it on",
                         printable_word(address));
    return EXIT_DONE;
}

const char *
address_fault(const char *address, int passive)
{
    struct address parts;
    const char *fault = read_address(&parts, address, passive);

    if (fault == NULL && parts.kind == ADDRESS_FD && !passive)
        return "can only be listened on here";
    return fault;
}

int
address_has_port_0(const char *address)
{
    struct address parts;

    return read_address(&parts, address, 1) == NULL && parts.kind == ADDRESS_TCP &&
           parts.port[strspn(parts.port, "0")] == 0;
}

int
address_lookup(struct addrinfo **list, const struct address *address, int passive, int timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = address->is_udp ? SOCK_DGRAM : SOCK_STREAM,
                             .ai_flags = passive ? AI_PASSIVE : 0};

    /* A number needs no resolver. */
    hints.ai_flags |= AI_NUMERICHOST;
    int result =
        getaddrinfo(address->host[0] != 0 ? address->host : NULL, address->port, &hints, list);
    hints.ai_flags &= ~AI_NUMERICHOST;
    if (result == EAI_NONAME)
        result = name_lookup(list, address, &hints, timeout_ms);
    return result;
}

int
address_resolve(struct addrinfo **list, const struct address *address, int passive, int timeout_ms)
{
    int result = address_lookup(list, address, passive, timeout_ms);

    if (result == 0)
        return EXIT_DONE;
    if (result == NAME_LATE && interrupted())
        return EXIT_INTERRUPTED;
    if (result == NAME_LATE)
        return log_error(EXIT_CONNECT,
                         "%s: the resolver did not answer within %g s; check this machine's "
                         "resolver, or give an address in numbers%s",
                         printable_word(address->host), timeout_ms / 1000.0,
                         passive ? "" : "; --timeout waits longer");
    if (result == EAI_SERVICE)
        return log_error(EXIT_CONNECT,
                         "%s:%s: no service of this name here; give the port's number",
                         printable_word(address->host), printable_word(address->port));
    return log_error(EXIT_CONNECT, "%s:%s: %s; is the name right, and can this machine resolve it?",
                     printable_word(address->host), printable_word(address->port),
                     result == EAI_SYSTEM ? errno_text() : gai_strerror(result));
}

void
address_prepare(int fd)
{
    int one = 1;

    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails on a Unix socket */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
#ifdef TCP_KEEPIDLE
    const int idle = KEEPALIVE_IDLE, interval = KEEPALIVE_INTERVAL, count = KEEPALIVE_COUNT;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
#endif
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
