/*
 * The extension `kem`: TOP's m1 offers an ML-KEM-768 encapsulation key, BOTTOM's m2 answers with a
 * ciphertext for it, and the shared secret becomes part of S (docs/protocol.md §4 "Hybrid").
 *
 * Both lie in payloads of Noise, so the handshake hash covers them.
 */
#include "handshake/hybrid.h"

#include "base/wipe.h"
#include "handshake/handshake.h"

enum { SUITE_SIZE = 1 };

int
duet__hybrid_offer(struct duet__hybrid *hybrid)
{
    if (hybrid->setting == DUET_HYBRID_OFF)
        return DUET_OK;
    hybrid->offered = 1;
    int result = duet__mlkem_generate(&hybrid->pair, hybrid->bytes, hybrid->draw);
    duet_wipe(hybrid->draw, sizeof hybrid->draw);
    return result;
}

void
duet__hybrid_write(const struct duet__hybrid *hybrid, struct duet__writer *to)
{
    size_t size = hybrid->offered ? (size_t)DUET__MLKEM_KEY : (size_t)DUET__MLKEM_TEXT;

    if (!hybrid->offered && !hybrid->agreed)
        return;
    duet__write16(to, WIRE_EXTENSION_KEM);
    duet__write16(to, (unsigned)(SUITE_SIZE + size));
    duet__write8(to, WIRE_KEM_MLKEM768);
    duet__write(to, hybrid->bytes, size);
}

/** 1 when the extension is of our suite, with size bytes after it, and its sender can take part in
 * a hybrid refresh. */
static int
is_proper(const struct duet__params *theirs, size_t size)
{
    return theirs->kem_size == SUITE_SIZE + size && theirs->kem[0] == WIRE_KEM_MLKEM768 &&
           theirs->max_payload >= WIRE_KEM_PAYLOAD_LEAST;
}

int
duet__hybrid_answer(struct duet__hybrid *hybrid, const struct duet__params *theirs)
{
    if (hybrid->setting == DUET_HYBRID_OFF)
        return DUET_OK;
    if (theirs->has_kem && theirs->kem_size < SUITE_SIZE)
        return DUET_E_PROTOCOL;
    /* A suite that is not known here is skipped, as an unknown extension is. */
    if (!theirs->has_kem || theirs->kem[0] != WIRE_KEM_MLKEM768)
        return hybrid->setting == DUET_HYBRID_REQUIRE ? DUET_E_UNTRUSTED : DUET_OK;
    if (!is_proper(theirs, DUET__MLKEM_KEY))
        return DUET_E_PROTOCOL;
    int result = duet__mlkem_encapsulate(hybrid->bytes, hybrid->shared, theirs->kem + SUITE_SIZE,
                                         hybrid->draw);
    duet_wipe(hybrid->draw, sizeof hybrid->draw);
    hybrid->agreed = result == DUET_OK;
    return result;
}

int
duet__hybrid_take(struct duet__hybrid *hybrid, const struct duet__params *theirs)
{
    if (!theirs->has_kem)
        return hybrid->setting == DUET_HYBRID_REQUIRE ? DUET_E_UNTRUSTED : DUET_OK;
    if (!hybrid->offered || !is_proper(theirs, DUET__MLKEM_TEXT))
        return DUET_E_PROTOCOL;
    int result = duet__mlkem_decapsulate(hybrid->shared, hybrid->pair, theirs->kem + SUITE_SIZE);
    duet__mlkem_free(hybrid->pair);
    hybrid->pair = NULL;
    hybrid->agreed = result == DUET_OK;
    return result;
}

void
duet__hybrid_wipe(struct duet__hybrid *hybrid)
{
    duet__mlkem_free(hybrid->pair);
    duet_wipe(hybrid, sizeof *hybrid);
}
