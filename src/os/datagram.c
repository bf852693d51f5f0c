/*
 * Datagrams with both their addresses (see datagram.h): IP_PKTINFO and IPV6_RECVPKTINFO on Linux.
 * Elsewhere the system chooses the address that a reply leaves from.
 */
#include "os/datagram.h"

#include "os/features.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

enum { BUFFER = 1 << 20 }; /* bytes; the system gives less where its limit is lower */

static void
set_buffer(int fd)
{
    const int size = BUFFER;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

#ifdef DUET__OS_PKTINFO

/** Room for the one control message of a datagram. */
union control {
    struct cmsghdr head;
    char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
    char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

void
duet__os_datagram_prepare(int fd)
{
    int one = 1;

    set_buffer(fd);
    (void)setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one); /* fails with IPv4 */
}

/** Note the address that a control message tells. */
static void
take_control(struct duet__os_ends *ends, const struct cmsghdr *control)
{
    struct in_pktinfo v4;
    struct in6_pktinfo v6;

    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
        memcpy(&v4, CMSG_DATA(control), sizeof v4);
        memcpy(ends->to, &v4.ipi_spec_dst, sizeof v4.ipi_spec_dst);
        ends->to_family = AF_INET;
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
        memcpy(&v6, CMSG_DATA(control), sizeof v6);
        if (IN6_IS_ADDR_MULTICAST(&v6.ipi6_addr))
            return; /* nothing is sent from there */
        memcpy(ends->to, &v6.ipi6_addr, sizeof v6.ipi6_addr);
        ends->to_family = AF_INET6;
        if (IN6_IS_ADDR_LINKLOCAL(&v6.ipi6_addr))
            ends->to_link = v6.ipi6_ifindex;
    }
}

static void
note_control(struct duet__os_ends *ends, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL && ends->to_family == 0;
         c = CMSG_NXTHDR(message, c))
        take_control(ends, c);
}

/** Let a datagram leave from an address. */
static void
set_control(struct msghdr *message, union control *room, const struct duet__os_ends *ends)
{
    struct in_pktinfo v4 = {0};
    struct in6_pktinfo v6 = {0};
    int is_v4 = ends->to_family == AF_INET;
    size_t size = is_v4 ? sizeof v4 : sizeof v6;

    if (ends->to_family == 0)
        return;
    memcpy(&v4.ipi_spec_dst, ends->to, sizeof v4.ipi_spec_dst);
    memcpy(&v6.ipi6_addr, ends->to, sizeof v6.ipi6_addr);
    v6.ipi6_ifindex = ends->to_link;
    memset(room, 0, sizeof *room);
    room->head.cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    room->head.cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    room->head.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&room->head), is_v4 ? (const void *)&v4 : (const void *)&v6, size);
    message->msg_control = room;
    message->msg_controllen = CMSG_SPACE(size);
}

#else

union control {
    char none;
};

void
duet__os_datagram_prepare(int fd)
{
    set_buffer(fd);
}

static void
note_control(struct duet__os_ends *ends, struct msghdr *message)
{
    (void)ends;
    (void)message;
}

static void
set_control(struct msghdr *message, union control *room, const struct duet__os_ends *ends)
{
    (void)message;
    (void)room;
    (void)ends;
}

#endif

ssize_t
duet__os_datagram_recv(int fd, void *buffer, size_t size, struct duet__os_ends *ends)
{
    union control room;
    struct iovec part = {buffer, size};
    struct msghdr message = {.msg_name = &ends->from,
                             .msg_namelen = sizeof ends->from,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &room,
                             .msg_controllen = sizeof room};

    memset(ends, 0, sizeof *ends);
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
    if (n >= 0 && (message.msg_flags & MSG_TRUNC)) {
        errno = EMSGSIZE;
        return -1;
    }
    if (n >= 0)
        note_control(ends, &message);
    return n;
}

ssize_t
duet__os_datagram_send(int fd, const void *bytes, size_t size, const struct duet__os_ends *ends)
{
    union control room;
    struct sockaddr_storage to = ends->from;
    struct iovec part = {.iov_len = size};
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = to.ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                                                    : sizeof(struct sockaddr_in6),
                             .msg_iov = &part,
                             .msg_iovlen = 1};

    memcpy(&part.iov_base, &bytes, sizeof bytes); /* it is only read */
    set_control(&message, &room, ends);
    return sendmsg(fd, &message, MSG_DONTWAIT);
}
