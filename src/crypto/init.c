/*
 * duet__init(): sets the two things that a process has once, the kernel and libcrypto's objects.
 */
#include "crypto/init.h"

#include "crypto/aead.h"
#include "crypto/mlkem.h"
#include "crypto/x25519.h"
#include "kernel/kernel.h"

#include <duet/duet.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int outcome = DUET_E_CRYPTO;

static void
init_once(void)
{
    if (duet__kernel_choose() == 0)
        outcome = duet__aead_init();
    if (outcome == DUET_OK)
        outcome = duet__x25519_init();
    if (outcome == DUET_OK)
        duet__mlkem_init();
}

int
duet__init(void)
{
    pthread_once(&once, init_once);
    return outcome;
}

const char *
duet_kernel_name(void)
{
    return duet__init() == DUET_OK ? duet__kernel()->name : "none";
}

int
duet_has_hybrid(void)
{
    return duet__init() == DUET_OK && duet__mlkem_available();
}

const char *
duet_version(void)
{
    return DUET_VERSION;
}
