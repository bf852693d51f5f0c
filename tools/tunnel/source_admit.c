/*
 * Sources that are allowed and denied (see source_admit.h). What is denied stays so, whatever is
 * allowed.
 */
#include "source_admit.h"

#include "network.h"
#include "settings.h"

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
source_admitted(const struct tunnel_settings *t, const struct sockaddr_storage *from)
{
    uint8_t address[NETWORK_ADDRESS];

    if ((t->allow.count == 0 && t->deny.count == 0) || network_address(address, from) != 0)
        return 1;
    return !list_holds(&t->deny, address) &&
           (t->allow.count == 0 || list_holds(&t->allow, address));
}
