/*
 * Sources that are allowed and denied (see source_admit.h). What is denied stays so, whatever is
 * allowed.
 */
#include "source_admit.h"

#include "network.h"
#include "settings.h"

#include <string.h>

void
source_address_set(union source_address *source, const struct sockaddr *from)
{
    memset(source, 0, sizeof *source);
    if (from->sa_family == AF_INET)
        memcpy(&source->in, from, sizeof source->in);
    else if (from->sa_family == AF_INET6)
        memcpy(&source->in6, from, sizeof source->in6);
    else
        source->any.sa_family = from->sa_family;
}

static int
list_holds(const struct strlist *networks, const uint8_t address[NETWORK_ADDRESS])
{
    struct network network;

    for (size_t i = 0; i < networks->count; i++)
        if (network_parse(&network, networks->at[i]) == 0 && network_holds(&network, address))
            return 1;
    return 0;
}

int
source_admitted(const struct tunnel_settings *t, const struct sockaddr *from)
{
    uint8_t address[NETWORK_ADDRESS];

    if ((t->allow.count == 0 && t->deny.count == 0) || network_address(address, from) != 0)
        return 1;
    return !list_holds(&t->deny, address) &&
           (t->allow.count == 0 || list_holds(&t->allow, address));
}
