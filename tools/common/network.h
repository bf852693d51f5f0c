/*
 * Networks, as ADDRESS or ADDRESS/BITS, and what kind of address a socket's is.
 *
 * Every address is taken as IPv6, one of IPv4 in its mapped form, so that sockets of one family and
 * of both are treated the same.
 */
#ifndef DUET_TOOL_NETWORK_H
#define DUET_TOOL_NETWORK_H

#include <stdint.h>
#include <sys/socket.h>

enum { NETWORK_ADDRESS = 16 }; /* bytes of an address */

struct network {
    uint8_t at[NETWORK_ADDRESS];
    unsigned bits; /* of these are the network's, 0 to 128 */
};

/** Read a network. Returns 0, or -1. */
int network_parse(struct network *network, const char *text);

/** Does the network hold the address? Returns 1 or 0. */
int network_holds(const struct network *network, const uint8_t address[NETWORK_ADDRESS]);

/** Take a socket's address apart. Returns 0, or -1: it is none of IP. */
int network_address(uint8_t out[NETWORK_ADDRESS], const struct sockaddr *from);

/** Is it an address of IPv4? Returns 1 or 0. */
int network_is_v4(const uint8_t address[NETWORK_ADDRESS]);

/** 1 for an address that does not leave this machine: a Unix socket's, or of loopback. */
int network_is_loopback(const struct sockaddr_storage *address);

/** 1 for an address of the public internet: none of this machine, of a private or a special
 * network, or that has an address of IPv4 within it for a gateway. */
int network_is_global(const uint8_t address[NETWORK_ADDRESS]);

#endif
