/*
 * Sockets of TCP or Multipath TCP (see stream_socket.h).
 */
#include "stream_socket.h"

#include "log.h"
#include "os/socket.h"

int
stream_socket(int family, int mptcp)
{
    static int is_reported;

    if (mptcp && (family == AF_INET || family == AF_INET6)) {
        int fd = duet__os_mptcp_socket(family);
        if (fd >= 0)
            return fd;
        if (!is_reported)
            log_warning("mptcp: this kernel makes no such sockets (%s), so TCP is used; see sysctl "
                        "net.mptcp.enabled",
                        errno_text());
        is_reported = 1;
    }
    return duet__os_socket(family, SOCK_STREAM, DUET__OS_NO_WAITS);
}
