/*
 * duet: a private, authenticated channel between two peers that share a secret.
 *
 * Includes everything. Most programs need channel.h (a channel on a descriptor) and secret.h (key
 * files); session.h is the same without I/O; frame.h is the lowest layer.
 *
 * Before 1.0 structs and calls may change with each minor version, so the shared library's name has
 * the minor version: libduet.so.0.2. A patch version changes neither.
 */
#ifndef DUET_DUET_H
#define DUET_DUET_H

#include <duet/channel.h>
#include <duet/error.h>
#include <duet/frame.h>
#include <duet/own.h>
#include <duet/replay.h>
#include <duet/secret.h>
#include <duet/session.h>

#define DUET_VERSION_MAJOR 0
#define DUET_VERSION_MINOR 2
#define DUET_VERSION_PATCH 0
#define DUET_VERSION       "0.2.0"

#ifdef __cplusplus
extern "C" {
#endif

/** A constant or an enumerator of the headers. */
typedef struct duet_constant {
    const char *name; /**< such as "DUET_E_FORGED"; NULL ends the table */
    int64_t value;
} duet_constant;

/** Every constant and enumerator of the headers, for languages without a C preprocessor, in no
 * order; the last one's name is NULL. Static and constant.   Since 0.2. */
DUET_API const duet_constant *duet_constants(void);

/** Whether libcrypto has ML-KEM-768 (OpenSSL 3.5 or newer), which hybrid sessions need; see
 * DUET_SET_HYBRID. Returns 1, or 0.   Since 0.2. */
DUET_API int duet_has_hybrid(void);

/** The library's version, DUET_VERSION when it was built.   Since 0.1. */
DUET_API const char *duet_version(void);

/** The name of the CPU kernel in use, such as "portable": the fastest, or the one that DUET_KERNEL
 * names in the environment; a name of none that works here selects nothing. "none": libcrypto lacks
 * AES-256-CTR, AES-256-GCM or X25519, and nothing works.   Since 0.1. */
DUET_API const char *duet_kernel_name(void);

#ifdef __cplusplus
}
#endif

#ifndef DUET_NO_OLD_NAMES
#include <duet/names.h>
#endif

#endif
