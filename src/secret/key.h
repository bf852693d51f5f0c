/*
 * Public X25519 keys as text, shared by identities and peers.
 */
#ifndef DUET_SECRET_KEY_H
#define DUET_SECRET_KEY_H

#include "base/ini.h"

/** Read the value of a PublicKey: 44 digits of base64, for a key in the one form that X25519 gives.
 * Returns DUET_OK, DUET_E_FORMAT with *where. */
int duet__key_read_public(uint8_t key[DUET_KEY_SIZE], const struct duet__ini *ini,
                          duet_where *where);

#endif
