/*
 * The hash of a file's content (see content_hash.h).
 */
#include "content_hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum { HASH_CHUNK = 65536 };

int
hash_prefix(uint8_t hash[TRANSFER_HASH], int fd, uint64_t size)
{
    uint8_t *chunk = malloc(HASH_CHUNK);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int bad =
        chunk == NULL || context == NULL || EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1;

    for (uint64_t at = 0; at < size && !bad;) {
        size_t want = size - at < HASH_CHUNK ? (size_t)(size - at) : HASH_CHUNK;
        ssize_t n = pread(fd, chunk, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        bad = n <= 0 || EVP_DigestUpdate(context, chunk, (size_t)n) != 1;
        at += n > 0 ? (uint64_t)n : 0;
    }
    bad = bad || EVP_DigestFinal_ex(context, hash, NULL) != 1;
    EVP_MD_CTX_free(context);
    free(chunk);
    return bad ? -1 : 0;
}
