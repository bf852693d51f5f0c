/*
 * A shared secret and what is derived of it once (docs/protocol.md §2, §3, §4).
 */
#include "shake/realm.h"

#include "base/copy.h"
#include "frame/dir.h"

#include <stdlib.h>
#include <string.h>

int
duet__realm_init(struct duet__realm *realm, const uint8_t *octets, size_t size)
{
    static const char psk_salt[] = WIRE_VERSION_TEXT " psk";
    uint8_t prk[WIRE_DIGEST];

    memset(realm, 0, sizeof *realm);
    if (size % 2 != 0 || size < DUET_SECRET_LEAST || size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    realm->secret = malloc(size);
    if (realm->secret == NULL)
        return DUET_E_MEMORY;
    duet__copy_secret(realm->secret, octets, size);
    realm->size = size;
    duet__secret_id(realm->id, octets, size);
    duet__dir_prepare(&realm->half[DUET_TOP], DUET_TOP, octets, size / 2);
    duet__dir_prepare(&realm->half[DUET_BOTTOM], DUET_BOTTOM, octets + size / 2, size / 2);
    duet__hkdf_extract(prk, (struct duet__octets){psk_salt, sizeof psk_salt - 1},
                       (struct duet__octets){octets, size});
    duet__hmac_set_key(&realm->psk, prk, sizeof prk);
    duet_wipe(prk, sizeof prk);
    return DUET_OK;
}

void
duet__realm_wipe(struct duet__realm *realm)
{
    if (realm->secret != NULL)
        duet_wipe(realm->secret, realm->size);
    free(realm->secret);
    duet_wipe(realm, sizeof *realm);
}
