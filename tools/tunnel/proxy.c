/*
 * The PROXY protocol, version 2 (see proxy.h; proxy_v1.c has version 1): reading and writing a
 * header in memory. Sockets are proxy_header.c's matter.
 */
#include "proxy.h"

#include "log.h"
#include "network.h"

#include <duet/duet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum { MAGIC_SIZE = 12, TLV_HEAD = 3 };
enum { VERSION = 2, LOCAL = 0, PROXIED = 1 };
enum { UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21, UNIX_STREAM = 0x31 };
enum { TCP4_SIZE = 12, TCP6_SIZE = 36, UNIX_SIZE = 216, UNIX_PATH = 108 };

static const uint8_t magic[MAGIC_SIZE] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                          0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* ---- Reading ---- */

static int
bad_header(const char **why, const char *reason)
{
    *why = reason;
    return DUET_E_FORMAT;
}

/** Do the bytes begin as a header does, as far as they go? *is_v1: 1 when it is a line of text. */
static int
check_magic(const uint8_t *bytes, size_t size, int *is_v1, const char **why)
{
    static const char first[] = "PROXY ";
    size_t n = size < MAGIC_SIZE ? size : MAGIC_SIZE;

    *is_v1 = 0;
    if (memcmp(bytes, magic, n) == 0) /* public: the protocol's mark */
        return size < PROXY_LEAST ? DUET_AGAIN : DUET_OK;
    n = size < sizeof first - 1 ? size : sizeof first - 1;
    *is_v1 = memcmp(bytes, first, n) == 0; /* public: the protocol's mark */
    if (*is_v1)
        return n < sizeof first - 1 ? DUET_AGAIN : DUET_OK;
    return bad_header(why, "no PROXY header; have the proxy send one, or do not ask for it here");
}

/** The size of both addresses in a header; 0: the family is not known. */
static size_t
addresses_size(unsigned family)
{
    switch (family) {
    case TCP4:
        return TCP4_SIZE;
    case TCP6:
        return TCP6_SIZE;
    case UNIX_STREAM:
        return UNIX_SIZE;
    default:
        return 0;
    }
}

/** Read one of both addresses: i is 0 for the source, 1 for the destination. */
static void
read_one_address(struct sockaddr_storage *out, unsigned family, const uint8_t *at, size_t i)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (family == TCP4) {
        memcpy(&in.sin_addr, at + i * 4, 4);
        memcpy(&in.sin_port, at + 8 + i * 2, 2);
        memcpy(out, &in, sizeof in);
    } else if (family == TCP6) {
        memcpy(&in6.sin6_addr, at + i * 16, 16);
        memcpy(&in6.sin6_port, at + 32 + i * 2, 2);
        memcpy(out, &in6, sizeof in6);
    } else {
        memcpy(un.sun_path, at + i * UNIX_PATH, sizeof un.sun_path - 1);
        memcpy(out, &un, sizeof un);
    }
}

/** Read the addresses. Returns their size in the header, or 0: it is too short for them, or the
 * family is not known. */
static size_t
read_addresses(struct proxy *proxy, unsigned family, const uint8_t *at, size_t size)
{
    size_t used = addresses_size(family);

    if (used == 0 || size < used)
        return 0;
    proxy->known = 1;
    read_one_address(&proxy->source, family, at, 0);
    read_one_address(&proxy->destination, family, at, 1);
    return used;
}

/** Do the fields fill what is left exactly? */
static int
check_fields(const uint8_t *at, size_t size)
{
    while (size >= TLV_HEAD) {
        size_t take = TLV_HEAD + (size_t)(at[1] << 8 | at[2]);
        if (take > size)
            return 0;
        at += take;
        size -= take;
    }
    return size == 0;
}

int
proxy_parse(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used, const char **why)
{
    memset(proxy, 0, sizeof *proxy);
    *used = 0;
    *why = "";
    if (size == 0)
        return DUET_AGAIN;
    int is_v1;
    int result = check_magic(bytes, size, &is_v1, why);
    if (result != DUET_OK)
        return result;
    if (is_v1)
        return proxy_parse_v1(proxy, bytes, size, used, why);

    unsigned command = bytes[12] & 0x0f;
    size_t length = (size_t)(bytes[14] << 8 | bytes[15]), addresses = 0;
    const uint8_t *at = bytes + PROXY_LEAST;
    if (bytes[12] >> 4 != VERSION || command > PROXIED)
        return bad_header(why, "a PROXY header of a version or command that is not known");
    if (length > PROXY_MOST - PROXY_LEAST)
        return bad_header(why, "a PROXY header of more than 2048 bytes; have the proxy send less");
    if (size - PROXY_LEAST < length)
        return DUET_AGAIN;
    if (command == PROXIED && bytes[13] != UNSPEC) {
        addresses = read_addresses(proxy, bytes[13], at, length);
        if (addresses == 0)
            return bad_header(why, "a PROXY header without addresses of TCP or a Unix socket");
        if (!check_fields(at + addresses, length - addresses)) {
            memset(proxy, 0, sizeof *proxy);
            return bad_header(why, "a PROXY header whose fields do not fill it");
        }
    }
    *used = PROXY_LEAST + length;
    return DUET_OK;
}

/* ---- Writing ---- */

/** The header's family for a pair of addresses. */
static uint8_t
family_of(const struct proxy *proxy)
{
    if (!proxy->known || proxy->source.ss_family != proxy->destination.ss_family)
        return UNSPEC;
    switch (proxy->source.ss_family) {
    case AF_INET:
        return TCP4;
    case AF_INET6:
        return TCP6;
    case AF_UNIX:
        return UNIX_STREAM;
    default:
        return UNSPEC;
    }
}

static void
write_address(uint8_t *at, unsigned family, const struct sockaddr_storage *address, size_t i)
{
    const uint8_t *from = (const uint8_t *)address;

    if (family == TCP4) {
        memcpy(at + i * 4, from + offsetof(struct sockaddr_in, sin_addr), 4);
        memcpy(at + 8 + i * 2, from + offsetof(struct sockaddr_in, sin_port), 2);
    } else if (family == TCP6) {
        memcpy(at + i * 16, from + offsetof(struct sockaddr_in6, sin6_addr), 16);
        memcpy(at + 32 + i * 2, from + offsetof(struct sockaddr_in6, sin6_port), 2);
    } else if (family == UNIX_STREAM) {
        memcpy(at + i * UNIX_PATH, from + offsetof(struct sockaddr_un, sun_path), UNIX_PATH);
    }
}

static size_t
write_field(uint8_t *at, uint8_t type, const char *text, size_t size)
{
    at[0] = type;
    at[1] = (uint8_t)(size >> 8);
    at[2] = (uint8_t)size;
    memcpy(at + TLV_HEAD, text, size);
    return TLV_HEAD + size;
}

size_t
proxy_write(uint8_t out[PROXY_MOST], const struct proxy *proxy)
{
    char id[2 * DUET_SECRET_ID_SIZE + 1], key[DUET_KEY_TEXT_SIZE];
    uint8_t *at = out + PROXY_LEAST;

    memcpy(out, magic, MAGIC_SIZE);
    out[12] = VERSION << 4 | PROXIED;
    out[13] = family_of(proxy);
    write_address(at, out[13], &proxy->source, 0);
    write_address(at, out[13], &proxy->destination, 1);
    at += addresses_size(out[13]);
    if (proxy->secret_id != NULL) {
        to_hex(id, proxy->secret_id, DUET_SECRET_ID_SIZE);
        at += write_field(at, PROXY_TLV_SECRET, id, sizeof id - 1);
    }
    if (proxy->peer_key != NULL) {
        duet_key_text(key, proxy->peer_key);
        at += write_field(at, PROXY_TLV_KEY, key, sizeof key - 1);
    }
    size_t name = proxy->peer_name != NULL ? strlen(proxy->peer_name) : 0;
    if (name > 0 && name < DUET_PEER_NAME_SIZE)
        at += write_field(at, PROXY_TLV_NAME, proxy->peer_name, name);
    size_t length = (size_t)(at - out) - PROXY_LEAST;
    out[14] = (uint8_t)(length >> 8);
    out[15] = (uint8_t)length;
    return PROXY_LEAST + length;
}

/* ---- Trust ---- */

static int
network_text_holds(const char *text, const uint8_t address[NETWORK_ADDRESS])
{
    struct network network;

    return network_parse(&network, text) == 0 && network_holds(&network, address);
}

int
proxy_trusted(const struct strlist *trusted, const struct sockaddr *peer)
{
    uint8_t address[NETWORK_ADDRESS];

    if (network_address(address, peer) != 0)
        return peer->sa_family == AF_UNIX;
    if (trusted->count == 0)
        return network_text_holds("127.0.0.0/8", address) || network_text_holds("::1", address);
    for (size_t i = 0; i < trusted->count; i++)
        if (network_text_holds(trusted->at[i], address))
            return 1;
    return 0;
}
