/*
 * X25519 keys as text, shared by identities and peers.
 */
#ifndef DUET_SECRET_KEY_H
#define DUET_SECRET_KEY_H

#include "secret/ini.h"

/** Read 44 digits of base64 into a key. Returns 0, or -1. */
int duet__key_read(uint8_t key[DUET_KEY_SIZE], struct duet__text text);

#endif
