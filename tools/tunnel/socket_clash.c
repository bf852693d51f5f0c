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
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/** Where a tunnel listens, as text and as addresses. */
struct place {
    const struct tunnel_settings *tunnel;
    const char *text;
    struct address address;
    struct addrinfo *list; /* what the text leads to, once it was asked; NULL: nothing known */
    int is_asked;
};

/** All places of a configuration on fixed ports. */
struct places {
    struct place *at;
    size_t count;
    uint64_t names_end_ms; /* of all their names together */
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

/** The addresses of a place, which are asked for once: a name may take its time. */
static const struct addrinfo *
place_list(const struct places *places, struct place *place)
{
    if (!place->is_asked &&
        listener_lookup(&place->list, &place->address, places->names_end_ms) != 0)
        place->list = NULL;
    place->is_asked = 1;
    return place->list;
}

/** Compare two places. Returns an exit code; what cannot be resolved is no clash, and reported when
 * it is listened on. */
static int
compare_places(const struct places *places, struct place *a, struct place *b)
{
    if (a->tunnel == b->tunnel || strcmp(a->address.port, b->address.port) != 0 ||
        a->address.is_udp != b->address.is_udp || strcmp(a->text, b->text) == 0 ||
        !lists_meet(place_list(places, a), place_list(places, b)))
        return EXIT_DONE;
    return log_error(EXIT_USAGE,
                     "tunnel %s: %s is also where %s listens, as %s; choose another, or let "
                     "tunnels that share an address write it the same way",
                     b->tunnel->name, printable(b->text), a->tunnel->name, a->text);
}

/** Where a tunnel listens on a fixed port. Returns 1; 0: another kind of address. */
static int
find_place(struct place *place, const struct tunnel_settings *tunnel, size_t word)
{
    *place = (struct place){.tunnel = tunnel, .text = settings_address(tunnel, word)};
    return address_fault(place->text, 1) == NULL && !address_has_port_0(place->text) &&
           address_parse_any(&place->address, place->text, 1) == EXIT_DONE &&
           place->address.kind == ADDRESS_TCP;
}

/** Find all of them. Returns 0, or -1: no memory. */
static int
find_places(struct places *places, const struct settings *settings)
{
    size_t most = 0;

    for (size_t i = 0; i < settings_listener_count(settings); i++)
        most += settings_address_count(settings_listener(settings, i));
    *places = (struct places){.names_end_ms = listener_names_end()};
    places->at = calloc(most + 1, sizeof *places->at);
    if (places->at == NULL)
        return -1;
    for (size_t i = 0; i < settings_listener_count(settings); i++) {
        const struct tunnel_settings *tunnel = settings_listener(settings, i);
        for (size_t j = 0; j < settings_address_count(tunnel); j++)
            places->count += (size_t)find_place(&places->at[places->count], tunnel, j);
    }
    return 0;
}

static void
free_places(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->at[i].list != NULL)
            freeaddrinfo(places->at[i].list);
    free(places->at);
}

int
socket_clash_find(const struct settings *settings)
{
    struct places places;
    int code = EXIT_DONE;

    if (find_places(&places, settings) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    for (size_t i = 1; i < places.count && code == EXIT_DONE; i++)
        for (size_t j = 0; j < i && code == EXIT_DONE; j++)
            code = compare_places(&places, &places.at[j], &places.at[i]);
    free_places(&places);
    return code;
}
