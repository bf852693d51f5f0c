/*
 * How a further stream proves that it is part of a transfer (see streams.h).
 *
 * A proof is HMAC-SHA256 under the token over the end's label and what the stream's own session
 * exports, so it is of no use on another session.
 */
#include "streams.h"

#include "log.h"
#include "os/os.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static const char sender_label[] = "duet transfer stream, sender";
static const char receiver_label[] = "duet transfer stream, receiver";

static void
make_proof(const struct stream *stream, int of_sender, uint8_t out[STREAM_PROOF])
{
    const char *label = of_sender ? sender_label : receiver_label;
    uint8_t input[sizeof receiver_label + STREAM_PROOF];
    size_t size = (of_sender ? sizeof sender_label : sizeof receiver_label) - 1;
    unsigned length = 0;

    memcpy(input, label, size);
    memcpy(input + size, stream->binding, STREAM_PROOF);
    if (HMAC(EVP_sha256(), stream->all->token, TRANSFER_TOKEN, input, size + STREAM_PROOF, out,
             &length) == NULL)
        (void)duet__os_random(out, STREAM_PROOF); /* equals nothing */
    duet_wipe(input, sizeof input);
}

/** Take the peer's JOIN: number(1) ‖ proof(32). Returns the number; 0: it is no proof. */
static unsigned
take_proof(struct stream *stream)
{
    uint8_t proof[STREAM_PROOF];
    duet_message message;

    if (carrier_take(&stream->carrier, &message, STREAM_JOIN_MS) != 1 ||
        message.code != TRANSFER_JOIN || message.size != 1 + STREAM_PROOF)
        return 0;
    const uint8_t *came = message.data;
    make_proof(stream, !stream->carrier.sends, proof);
    int same = CRYPTO_memcmp(proof, came + 1, STREAM_PROOF) == 0;
    duet_wipe(proof, sizeof proof);
    return same ? came[0] : 0;
}

/** Give a stream its number, if no other has it. Returns 0, or -1. */
static int
take_number(struct stream *stream, unsigned number)
{
    struct streams *all = stream->all;
    int bad = number == 0 || number >= all->count;

    pthread_mutex_lock(&all->lock);
    for (unsigned i = 1; i < all->count; i++)
        bad |= all->list[i].number == number;
    bad |= all->stopped;
    if (!bad)
        stream->number = number;
    pthread_mutex_unlock(&all->lock);
    return bad ? -1 : 0;
}

/** Put this end's JOIN. Returns 0, or -1. */
static int
put_proof(struct stream *stream, unsigned number)
{
    uint8_t message[1 + STREAM_PROOF] = {(uint8_t)number};

    make_proof(stream, stream->carrier.sends, message + 1);
    if (carrier_put(&stream->carrier, TRANSFER_JOIN, message, sizeof message) != 0)
        return -1;
    carrier_push(&stream->carrier);
    return 0;
}

int
stream_join(struct stream *stream)
{
    int is_sender = stream->carrier.sends;
    unsigned number = (unsigned)(stream - stream->all->list);
    int bad = is_sender && put_proof(stream, number) != 0;

    if (!bad) {
        unsigned given = take_proof(stream);
        bad = given == 0 || (is_sender && given != number) || take_number(stream, given) != 0 ||
              (!is_sender && put_proof(stream, given) != 0);
        if (given == 0 && !carrier_stopped(&stream->carrier))
            log_warning("a peer that holds the secret is no part of this transfer; it was sent "
                        "away");
    }
    if (!bad)
        stream_set_state(stream, STREAM_JOINED);
    return bad ? -1 : 0;
}
