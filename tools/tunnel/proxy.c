/*
 * The PROXY protocol, version 2 (see proxy.h).
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
refuse(const char **why, const char *reason)
{
    *why = reason;
    return DUET_E_FORMAT;
}

/** Do the bytes begin as a header does, as far as they go? */
static int
check_magic(const uint8_t *bytes, size_t size, const char **why)
{
    static const char first[] = "PROXY";
    size_t n = size < MAGIC_SIZE ? size : MAGIC_SIZE;

    if (memcmp(bytes, magic, n) == 0) /* public: the protocol's mark */
        return size < PROXY_LEAST ? DUET_AGAIN : DUET_OK;
    if (bytes[0] == 'P') {
        n = size < sizeof first - 1 ? size : sizeof first - 1;
        if (memcmp(bytes, first, n) == 0) /* public: the protocol's mark */
            return n < sizeof first - 1
                       ? DUET_AGAIN
                       : refuse(why, "a PROXY header of version 1; have the proxy send version 2");
    }
    return refuse(why, "no PROXY header; have the proxy send version 2, or do not ask for it here");
}

static void
read_in4(struct sockaddr_storage *out, const uint8_t *address, const uint8_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    memcpy(&in.sin_addr, address, sizeof in.sin_addr);
    memcpy(&in.sin_port, port, sizeof in.sin_port);
    memcpy(out, &in, sizeof in);
}

static void
read_in6(struct sockaddr_storage *out, const uint8_t *address, const uint8_t *port)
{
    struct sockaddr_in6 in = {.sin6_family = AF_INET6};

    memcpy(&in.sin6_addr, address, sizeof in.sin6_addr);
    memcpy(&in.sin6_port, port, sizeof in.sin6_port);
    memcpy(out, &in, sizeof in);
}

static void
read_unix(struct sockaddr_storage *out, const uint8_t *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    memcpy(un.sun_path, path, sizeof un.sun_path);
    un.sun_path[sizeof un.sun_path - 1] = 0;
    memcpy(out, &un, sizeof un);
}

/** The addresses. Returns their size in the header, or 0: it is too short for them, or they are
 * of a kind that is not known. */
static size_t
read_addresses(struct proxy *proxy, unsigned family, const uint8_t *at, size_t size)
{
    proxy->known = 1;
    if (family == TCP4 && size >= TCP4_SIZE) {
        read_in4(&proxy->source, at, at + 8);
        read_in4(&proxy->destination, at + 4, at + 10);
        return TCP4_SIZE;
    }
    if (family == TCP6 && size >= TCP6_SIZE) {
        read_in6(&proxy->source, at, at + 32);
        read_in6(&proxy->destination, at + 16, at + 34);
        return TCP6_SIZE;
    }
    if (family == UNIX_STREAM && size >= UNIX_SIZE) {
        read_unix(&proxy->source, at);
        read_unix(&proxy->destination, at + UNIX_PATH);
        return UNIX_SIZE;
    }
    proxy->known = 0;
    return 0;
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
    int result = check_magic(bytes, size, why);
    if (result != DUET_OK)
        return result;

    unsigned command = bytes[12] & 0x0f;
    size_t length = (size_t)(bytes[14] << 8 | bytes[15]), addresses = 0;
    const uint8_t *at = bytes + PROXY_LEAST;
    if (bytes[12] >> 4 != VERSION || command > PROXIED)
        return refuse(why, "a PROXY header of a version or command that is not known");
    if (length > PROXY_MOST - PROXY_LEAST)
        return refuse(why, "a PROXY header of more than 2048 bytes; have the proxy send less");
    if (size - PROXY_LEAST < length)
        return DUET_AGAIN;
    if (command == PROXIED && bytes[13] != UNSPEC) {
        addresses = read_addresses(proxy, bytes[13], at, length);
        if (addresses == 0)
            return refuse(why, "a PROXY header without addresses of TCP or a Unix socket");
        if (!check_fields(at + addresses, length - addresses)) {
            memset(proxy, 0, sizeof *proxy);
            return refuse(why, "a PROXY header whose fields do not fill it");
        }
    }
    *used = PROXY_LEAST + length;
    return DUET_OK;
}

/* ---- Writing ---- */

/** Write both addresses. Returns their size; *family tells what they are. */
static size_t
write_addresses(uint8_t *at, uint8_t *family, const struct proxy *proxy)
{
    const struct sockaddr_storage *ends[2] = {&proxy->source, &proxy->destination};

    *family = UNSPEC;
    if (!proxy->known || ends[0]->ss_family != ends[1]->ss_family)
        return 0;
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        switch (ends[i]->ss_family) {
        case AF_INET:
            *family = TCP4;
            memcpy(&in, ends[i], sizeof in);
            memcpy(at + i * 4, &in.sin_addr, 4);
            memcpy(at + 8 + i * 2, &in.sin_port, 2);
            break;
        case AF_INET6:
            *family = TCP6;
            memcpy(&in6, ends[i], sizeof in6);
            memcpy(at + i * 16, &in6.sin6_addr, 16);
            memcpy(at + 32 + i * 2, &in6.sin6_port, 2);
            break;
        case AF_UNIX:
            *family = UNIX_STREAM;
            memcpy(at + i * UNIX_PATH, ((const struct sockaddr_un *)ends[i])->sun_path, UNIX_PATH);
            break;
        default:
            return 0;
        }
    }
    return *family == TCP4 ? TCP4_SIZE : *family == TCP6 ? TCP6_SIZE : UNIX_SIZE;
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
    at += write_addresses(at, &out[13], proxy);
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

int
proxy_network(const char *text)
{
    struct network network;

    return network_parse(&network, text);
}

static int
holds(const char *text, const uint8_t address[NETWORK_ADDRESS])
{
    struct network network;

    return network_parse(&network, text) == 0 && network_holds(&network, address);
}

int
proxy_trusted(const struct strlist *trusted, const struct sockaddr_storage *peer)
{
    uint8_t address[NETWORK_ADDRESS];

    if (network_address(address, peer) != 0)
        return peer->ss_family == AF_UNIX;
    if (trusted->count == 0)
        return holds("127.0.0.0/8", address) || holds("::1", address);
    for (size_t i = 0; i < trusted->count; i++)
        if (holds(trusted->at[i], address))
            return 1;
    return 0;
}
