/*
 * The result of the library that stands for a failed system call.
 *
 * A lost connection and a system that refuses are different results: the peer can cause only the
 * first.
 */
#include "os/os.h"

#include <duet/error.h>
#include <errno.h>

int
duet__os_result(int reason)
{
    switch (reason) {
    case EINTR:
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
        return DUET_AGAIN;
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
        return DUET_E_TRUNCATED;
    default:
        return DUET_E_IO;
    }
}
