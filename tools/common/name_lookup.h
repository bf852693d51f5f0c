/*
 * Looking a host's name up, with a deadline, which getaddrinfo() does not take.
 */
#ifndef DUET_TOOL_NAME_LOOKUP_H
#define DUET_TOOL_NAME_LOOKUP_H

#include "address.h"

enum { NAME_LATE = 1 }; /* beside getaddrinfo()'s results: a signal came, or the deadline passed */

/** Ask for the addresses of a name, timeout_ms at most (negative: as long as it takes). Returns
 * getaddrinfo()'s result, or NAME_LATE. */
int name_lookup(struct addrinfo **list, const struct address *address, const struct addrinfo *hints,
                int timeout_ms);

#endif
