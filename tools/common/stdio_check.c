/*
 * Checks of the standard streams (see stdio_check.h).
 */
#include "stdio_check.h"

#include "log.h"

#include <fcntl.h>

void
stdio_fill(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int
stdio_check(int fd, int standard, const char *name)
{
    int flags = fcntl(fd, F_GETFL);
    int wrong = standard == 0 ? O_WRONLY : O_RDONLY;

    if (flags >= 0 && (flags & O_ACCMODE) != wrong)
        return EXIT_DONE;
    return log_error(
        EXIT_LOCAL, "%s: is closed, or not open for %s; use %s /dev/null if you mean that",
        printable(name), standard == 0 ? "reading" : "writing", standard == 0 ? "<" : ">");
}
