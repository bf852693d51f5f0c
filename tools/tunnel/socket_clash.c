/*
 * Addresses of different tunnels that are one (see socket_clash.h).
 *
 * Addresses that are the same text are the settings' matter: peers of several tunnels may come in
 * at one. A host and "any address" on one port do not meet either, as the kernel gives a connection
 * to the host's socket.
 */
#include "socket_clash.h"

#include "address.h"
#include "listen.h"
#include "log.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/** Where a tunnel listens, as text and as addresses. */
struct place {
    const struct tunnel_settings *tunnel;
    const char *text;
    struct address address;
};

/** 1 when both are one host; they have one port. */
static int
is_same_host(const struct sockaddr *a, const struct sockaddr *b)
{
    struct sockaddr_in v4[2];
    struct sockaddr_in6 v6[2];

    if (a->sa_family != b->sa_family)
        return 0;
    if (a->sa_family == AF_INET) {
        memcpy(&v4[0], a, sizeof v4[0]);
        memcpy(&v4[1], b, sizeof v4[1]);
        return v4[0].sin_addr.s_addr == v4[1].sin_addr.s_addr;
    }
    memcpy(&v6[0], a, sizeof v6[0]);
    memcpy(&v6[1], b, sizeof v6[1]);
    /* public: addresses */
    return memcmp(&v6[0].sin6_addr, &v6[1].sin6_addr, sizeof v6[0].sin6_addr) == 0 &&
           v6[0].sin6_scope_id == v6[1].sin6_scope_id;
}

static int
lists_meet(const struct addrinfo *one, const struct addrinfo *others)
{
    for (; one != NULL; one = one->ai_next)
        for (const struct addrinfo *other = others; other != NULL; other = other->ai_next)
            if (is_same_host(one->ai_addr, other->ai_addr))
                return 1;
    return 0;
}

/** Compare two places. Returns an exit code; what cannot be resolved is no clash, and reported when
 * it is listened on. */
static int
compare_places(const struct place *a, const struct place *b)
{
    struct addrinfo *one = NULL, *other = NULL;
    int code = EXIT_DONE;

    if (strcmp(a->address.port, b->address.port) != 0 || a->address.is_udp != b->address.is_udp ||
        strcmp(a->text, b->text) == 0)
        return EXIT_DONE;
    if (listener_lookup(&one, &a->address) == 0 && listener_lookup(&other, &b->address) == 0 &&
        lists_meet(one, other))
        code = log_error(EXIT_USAGE,
                         "tunnel %s: %s is also where %s listens, as %s; choose another, or let "
                         "tunnels that share an address write it the same way",
                         b->tunnel->name, printable(b->text), a->tunnel->name, a->text);
    if (one != NULL)
        freeaddrinfo(one);
    if (other != NULL)
        freeaddrinfo(other);
    return code;
}

/** Where a tunnel listens on a fixed port. Returns 1; 0: another kind of address. */
static int
find_place(struct place *place, const struct tunnel_settings *tunnel, size_t word)
{
    place->tunnel = tunnel;
    place->text = settings_address(tunnel, word);
    return address_fault(place->text, 1) == NULL && !address_has_port_0(place->text) &&
           address_parse_any(&place->address, place->text, 1) == EXIT_DONE &&
           place->address.kind == ADDRESS_TCP;
}

/** Compare a tunnel's addresses with those of the tunnels before it. */
static int
compare_tunnel(const struct settings *settings, size_t which, size_t before)
{
    struct place a, b;
    int code = EXIT_DONE;
    const struct tunnel_settings *one = settings_listener(settings, before);
    const struct tunnel_settings *other = settings_listener(settings, which);

    for (size_t i = 0; i < settings_address_count(one) && code == EXIT_DONE; i++) {
        if (!find_place(&a, one, i))
            continue;
        for (size_t j = 0; j < settings_address_count(other) && code == EXIT_DONE; j++)
            if (find_place(&b, other, j))
                code = compare_places(&a, &b);
    }
    return code;
}

int
socket_clash_find(const struct settings *settings)
{
    int code = EXIT_DONE;

    for (size_t i = 1; i < settings_listener_count(settings) && code == EXIT_DONE; i++)
        for (size_t j = 0; j < i && code == EXIT_DONE; j++)
            code = compare_tunnel(settings, i, j);
    return code;
}
