/*
 * The shared secret's derived keys (docs/protocol.md §2, §3, §4).
 *
 * A configuration derives them once for each secret; every handshake then uses them. The session
 * secret is handshake.c's.
 */
#include "handshake/psk.h"

#include "base/wipe.h"
#include "frame/cipher.h"
#include "os/os.h"

#include <string.h>

int
duet__psk_init(struct duet__psk *psk, const uint8_t *bytes, size_t size)
{
    static const char salt[] = WIRE_VERSION_TEXT " psk";
    uint8_t prk[WIRE_DIGEST];

    memset(psk, 0, sizeof *psk);
    if (size % 2 != 0 || size < DUET_SECRET_LEAST || size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    psk->secret = duet__os_locked_new(size);
    if (psk->secret == NULL)
        return DUET_E_MEMORY;
    duet__copy_secret(psk->secret, bytes, size);
    psk->size = size;
    duet__secret_id(psk->id, bytes, size);
    duet__cipher_prepare(&psk->half[DUET_TOP], DUET_TOP, bytes, size / 2);
    duet__cipher_prepare(&psk->half[DUET_BOTTOM], DUET_BOTTOM, bytes + size / 2, size / 2);
    duet__hkdf_extract(prk, (struct duet__bytes){salt, sizeof salt - 1},
                       (struct duet__bytes){bytes, size});
    duet__hmac_set_key(&psk->noise, prk, sizeof prk);
    duet_wipe(prk, sizeof prk);
    return DUET_OK;
}

void
duet__psk_wipe(struct duet__psk *psk)
{
    duet__os_locked_free(psk->secret, psk->size);
    duet_wipe(psk, sizeof *psk);
}
