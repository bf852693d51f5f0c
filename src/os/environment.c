/*
 * Environment variables, ignored in a setuid or setgid program: there the caller is not trusted.
 *
 * secure_getenv() also knows of file capabilities; elsewhere the user and group ids are compared.
 */
#include "os/environment.h"

#include "os/features.h"

#include <stdlib.h>
#include <unistd.h>

const char *
duet__os_environment(const char *name)
{
#ifdef DUET__OS_SECURE_GETENV
    return secure_getenv(name);
#else
    if (getuid() != geteuid() || getgid() != getegid())
        return NULL;
    return getenv(name);
#endif
}
