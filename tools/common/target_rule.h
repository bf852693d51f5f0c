/*
 * Which targets a client may ask a server for (`allow-target`): names, networks, and their ports.
 */
#ifndef DUET_TOOL_TARGET_RULE_H
#define DUET_TOOL_TARGET_RULE_H

#include "network.h"

#include <stdint.h>

enum { TARGET_NAME_MOST = 255 }; /* bytes of a name */

struct target_rule {
    struct network network; /* where is_network is set */
    int is_network;
    const char *name; /* within the text that was read; "*.NAME": all below it, "*": any */
    unsigned name_size;
    unsigned least_port, most_port;
};

/** Read HOST, HOST:PORT or HOST:PORT-PORT, where HOST is a name, *.NAME, *, an address or a
 * network; an IPv6 one with a port stands in brackets. Returns 0, or -1. */
int target_rule_parse(struct target_rule *rule, const char *text);

/** What is wrong with a rule; NULL: nothing. */
const char *target_rule_fault(const char *text);

/** 1 when text is a name that may be looked up: letters, digits, dashes, underscores and dots, and
 * no address. */
int target_is_name(const char *text);

/** Does a rule of names name this one, at this port? Case and a final dot do not matter. */
int target_rule_names(const struct target_rule *rule, const char *name, unsigned port);

/** Does a rule of networks hold this address, at this port? */
int target_rule_holds(const struct target_rule *rule, const uint8_t address[NETWORK_ADDRESS],
                      unsigned port);

#endif
