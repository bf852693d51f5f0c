/*
 * Datagrams of a socket of UDP that serves many peers, with both their addresses: a reply leaves
 * from the address that was asked, where the system tells it. One bound to every address would else
 * answer from another, which the peer does not take for the one that it asked.
 */
#ifndef DUET_OS_DATAGRAM_H
#define DUET_OS_DATAGRAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/** Where a datagram came from, and to which address of this machine it was sent. All zeros but for
 * what is set, so that two can be compared as bytes. */
struct duet__os_ends {
    struct sockaddr_storage from;
    uint8_t to[16];     /**< of IPv4 the first four bytes */
    uint32_t to_family; /**< AF_INET or AF_INET6; 0: not known */
    uint32_t to_link;   /**< the number of the interface, where IPv6 needs it; else 0 */
};

/** Let the system tell to which address datagrams were sent, where it can, and give the socket as
 * large a receive buffer as it may have: what comes to a full one is lost. */
void duet__os_datagram_prepare(int fd);

/** Receive one, without waiting. Returns its size, or -1 with errno; EMSGSIZE: it was larger than
 * size, and is gone. */
ssize_t duet__os_datagram_recv(int fd, void *buffer, size_t size, struct duet__os_ends *ends);

/** Send one to where `ends` came from, from the address that it was sent to, without waiting.
 * Returns its size, or -1 with errno. */
ssize_t duet__os_datagram_send(int fd, const void *bytes, size_t size,
                               const struct duet__os_ends *ends);

#endif
