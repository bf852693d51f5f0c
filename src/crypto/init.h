/*
 * What a process sets up once.
 */
#ifndef DUET_CRYPTO_INIT_H
#define DUET_CRYPTO_INIT_H

/** Choose the kernel and fetch libcrypto's objects, the first time. Any thread may call it. Returns
 * DUET_OK, DUET_E_CRYPTO. */
int duet__init(void);

#endif
