/*
 * Addresses as text: host:port, [v6]:port, :port, unix:/path, unix:@name (abstract), fd:N and
 * systemd:NAME, and for tunnels udp: before all but unix:. dial.h connects to them, listen.h
 * listens on them.
 */
#ifndef DUET_TOOL_ADDRESS_H
#define DUET_TOOL_ADDRESS_H

#include <netdb.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX, ADDRESS_FD, ADDRESS_SYSTEMD };

struct address {
    enum address_kind kind;
    int is_udp;     /* 1: it is one of UDP, or a socket of datagrams */
    char host[256]; /* of TCP; "" for any */
    char port[32];
    struct sockaddr_un un;
    socklen_t un_size; /* of un: a name that is abstract has no end mark */
    int fd;
    const char *name; /* of systemd's; within the text that was parsed */
};

/** Is a text an address of UDP? */
int address_is_udp(const char *address);

/** Read an address of a stream; passive 1: it is to be listened on. Returns an exit code. */
int address_parse(struct address *out, const char *address, int passive);

/** The same, of UDP too. */
int address_parse_any(struct address *out, const char *address, int passive);

/** What is wrong with a tunnel's address, as a sentence; NULL: nothing that its text shows. Nothing
 * is printed. */
const char *address_fault(const char *address, int passive);

/** 1 when a good address asks the system for a free port. */
int address_has_port_0(const char *address);

/** Find the addresses of a name, in timeout_ms at most (negative: as long as it takes);
 * freeaddrinfo() is the caller's. Returns an exit code. */
int address_resolve(struct addrinfo **list, const struct address *address, int passive,
                    int timeout_ms);

/** The same, printing nothing. Returns 0, or another number when there are none. */
int address_lookup(struct addrinfo **list, const struct address *address, int passive,
                   int timeout_ms);

/** Name a socket's address in numbers, for a reader. */
void address_name(char *out, size_t cap, const struct sockaddr_storage *address);

/** Make a connection ready: not for children, and without delay. */
void address_prepare(int fd);

#endif
