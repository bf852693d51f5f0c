/*
 * Environment variables that may change how a program works, which a setuid program must not obey.
 */
#ifndef DUET_OS_ENVIRONMENT_H
#define DUET_OS_ENVIRONMENT_H

/** The variable's value; NULL when it is not set, or when the program is setuid or setgid. */
const char *duet__os_environment(const char *name);

#endif
