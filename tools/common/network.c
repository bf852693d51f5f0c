/*
 * Networks and addresses (see network.h).
 */
#include "network.h"

#include "values.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { V4_AT = 12, V4_BITS = 96 }; /* where an address of IPv4 lies in one of IPv6 */
enum { LOOPBACK = 127 };           /* the first byte of its network in IPv4 */

static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

int
network_is_v4(const uint8_t address[NETWORK_ADDRESS])
{
    return memcmp(address, mapped, V4_AT) == 0; /* public: an address */
}

int
network_address(uint8_t out[NETWORK_ADDRESS], const struct sockaddr *from)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (from->sa_family == AF_INET) {
        memcpy(&in, from, sizeof in);
        memcpy(out, mapped, V4_AT);
        memcpy(out + V4_AT, &in.sin_addr, sizeof in.sin_addr);
        return 0;
    }
    if (from->sa_family != AF_INET6)
        return -1;
    memcpy(&in6, from, sizeof in6);
    memcpy(out, &in6.sin6_addr, NETWORK_ADDRESS);
    return 0;
}

int
network_parse(struct network *network, const char *text)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t size = slash != NULL ? (size_t)(slash - text) : strlen(text);
    uint64_t bits = 0;
    int v6;

    if (size >= sizeof address)
        return -1;
    memcpy(address, text, size);
    address[size] = 0;
    memcpy(network->at, mapped, V4_AT);
    if (inet_pton(AF_INET, address, network->at + V4_AT) == 1)
        v6 = 0;
    else if (inet_pton(AF_INET6, address, network->at) == 1)
        v6 = 1;
    else
        return -1;
    if (slash != NULL && parse_number(&bits, slash + 1, 0, v6 ? 128 : 32) != 0)
        return -1;
    network->bits = slash == NULL ? 128 : (unsigned)bits + (v6 ? 0 : V4_BITS);
    return 0;
}

int
network_holds(const struct network *network, const uint8_t address[NETWORK_ADDRESS])
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);

    if (memcmp(network->at, address, whole) != 0) /* public: an address */
        return 0;
    return rest == 0 || ((network->at[whole] ^ address[whole]) & mask) == 0;
}

int
network_is_loopback(const struct sockaddr_storage *address)
{
    static const uint8_t v6[NETWORK_ADDRESS] = {[NETWORK_ADDRESS - 1] = 1};
    uint8_t at[NETWORK_ADDRESS];

    if (network_address(at, (const struct sockaddr *)address) != 0)
        return address->ss_family == AF_UNIX;
    if (network_is_v4(at))
        return at[V4_AT] == LOOPBACK;
    return memcmp(at, v6, sizeof v6) == 0; /* public: an address */
}

int
network_is_global(const uint8_t address[NETWORK_ADDRESS])
{
    static const char *const special[] = {
        /* RFC 6890 and what followed it */
        "0.0.0.0/8",     "10.0.0.0/8",      "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24",    "192.0.2.0/24",   "192.88.99.0/24", "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",    "2001::/23",
        "2001:db8::/32", "2002::/16",       "3fff::/20"};
    struct network network;

    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (network_parse(&network, special[i]) == 0 && network_holds(&network, address))
            return 0;
    return network_is_v4(address) || (address[0] & 0xe0) == 0x20; /* 2000::/3 */
}
