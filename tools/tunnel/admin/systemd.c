/*
 * Notifying systemd (see systemd.h): one datagram to the socket that $NOTIFY_SOCKET names.
 */
#include "systemd.h"

#include "os/os.h"
#include "os/socket.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/** The address of the socket. Returns its size, or 0: the name is none. */
static socklen_t
address_of(struct sockaddr_un *out, const char *name)
{
    size_t size = strlen(name);

    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof out->sun_path)
        return 0;
    memcpy(out->sun_path, name, size);
    if (name[0] == '@')
        out->sun_path[0] = 0; /* the abstract name space */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

int
systemd_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to;
    char text[512];

    if (name == NULL)
        return 0;
    socklen_t size = address_of(&to, name);
    if (size == 0) {
        errno = EINVAL;
        return -1;
    }
    int n = snprintf(text, sizeof text, "%s", state);
    if (strncmp(state, "RELOADING=1", 11) == 0)
        n = snprintf(text, sizeof text, "%s\nMONOTONIC_USEC=%llu", state,
                     (unsigned long long)duet__os_now_us());
    if (n < 0 || (size_t)n >= sizeof text) {
        errno = EMSGSIZE;
        return -1;
    }
    int fd = duet__os_socket(AF_UNIX, SOCK_DGRAM, DUET__OS_NO_WAITS);
    if (fd < 0)
        return -1;
    ssize_t sent = sendto(fd, text, (size_t)n, 0, (struct sockaddr *)&to, size);
    int error = errno;
    close(fd);
    errno = error;
    return sent < 0 ? -1 : 0;
}

uint64_t
systemd_watchdog_ms(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t us, process;

    if (text == NULL || parse_number(&us, text, 1, UINT64_MAX / 2) != 0)
        return 0;
    if (pid != NULL &&
        (parse_number(&process, pid, 1, UINT32_MAX) != 0 || process != (uint64_t)getpid()))
        return 0;
    return us / 2000 > 0 ? us / 2000 : 1;
}
