/*
 * Kernels under clang's MemorySanitizer, with key, counter, chain and content poisoned: a branch or
 * an index that depends on one of them is reported. Valgrind 3.19 knows neither the SHA extensions
 * nor VAES. Small frames go through the layer of frames, under the kernel that DUET_KERNEL names.
 *
 * `leak` as argument: one look-up by a key's byte, which must be reported.
 */
#include "ct/secret.h"

#include "base/public.h"
#include "kernel/kernel.h"
#include "support/kernel_named.h"

#include <duet/duet.h>
#include <string.h>

enum { GROUP = 64, MOST = 5, FRAME = 300 };

/** All that one stream has, secret but for how long it is. */
struct stream {
    struct duet__key key;
    uint8_t block[16];
    uint32_t chain[8];
    uint8_t in[MOST * GROUP], out[MOST * GROUP];
};

void
duet__ct_public(const void *p, size_t size)
{
    show(p, size);
}

static struct duet__run
prepare(struct stream *s, const struct duet__kernel *kernel, size_t groups)
{
    uint8_t raw[32];

    memset(s, 0x5a, sizeof *s);
    memset(raw, 0x33, sizeof raw);
    hide(s, sizeof *s);
    hide(raw, sizeof raw);
    kernel->set_key(&s->key, raw);
    return (struct duet__run){&s->key, s->block, s->chain, s->out, s->in, groups};
}

static void
one_kernel(const struct duet__kernel *kernel)
{
    static struct stream stream[2];
    uint8_t keystream[GROUP];
    uint32_t chains[2][8] = {{0}};

    hide(chains, sizeof chains);
    for (size_t groups = 0; groups <= MOST; groups++) {
        struct duet__run run[2] = {prepare(&stream[0], kernel, groups),
                                   prepare(&stream[1], kernel, MOST - groups)};
        need(kernel->keystream(&stream[0].key, stream[0].block, keystream) == 0, "keystream");
        kernel->compress(stream[0].chain, stream[0].in, groups);
        kernel->compress2(chains, (const uint8_t *const[2]){stream[0].in, stream[1].in}, groups);
        need(kernel->seal(&run[0]) == 0, "seal");
        need(kernel->open(&run[0]) == 0, "open");
        need(kernel->seal2(run) == 0, "seal2");
        need(kernel->open2(run) == 0, "open2");
    }
}

static void
every_kernel(void)
{
    const struct duet__kernel *kernel;

    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++) {
        if (kernel == &duet__kernel_portable) /* libcrypto is not built for this */
            continue;
        printf("kernel %s\n", kernel->name);
        one_kernel(kernel);
    }
}

static void
start(duet_cipher *d)
{
    uint8_t key[32], block[16], chain[32];

    memset(key, 1, sizeof key);
    memset(block, 2, sizeof block);
    memset(chain, 3, sizeof chain);
    hide(key, sizeof key);
    hide(block, sizeof block);
    hide(chain, sizeof chain);
    need(duet_cipher_init(d, key, block, chain, 1, FRAME) == DUET_OK, "a direction");
}

/** Frames whose content is secret, whole and in two pieces, and one that is forged. */
static void
frames(void)
{
    static uint8_t payload[FRAME], frame[FRAME + DUET_FRAME_OVERHEAD], out[FRAME];
    duet_cipher tx, rx;
    uint32_t code, len;
    size_t put;

    start(&tx);
    start(&rx);
    hide(payload, sizeof payload);
    for (size_t n = 0; n <= FRAME; n++) {
        size_t first = n / 3;
        need(duet_seal(&tx, frame, payload, n, 7) == DUET_OK, "to seal");
        show(frame, n + DUET_FRAME_OVERHEAD);
        if (n == FRAME)
            frame[n] ^= 1;
        need(duet_cipher_open_header(&rx, &code, &len, frame) == DUET_OK && len == n, "a header");
        need(duet_cipher_open_piece(&rx, out, &put, frame + DUET_HEADER_SIZE, first) == DUET_AGAIN,
             "more");
        int result = duet_cipher_open_piece(
            &rx, out + first, &put, frame + DUET_HEADER_SIZE + first, n - first + DUET_MAC_SIZE);
        need(result == (n == FRAME ? DUET_E_FORGED : DUET_OK), "to open");
    }
    duet_wipe(&tx, sizeof tx);
    duet_wipe(&rx, sizeof rx);
}

/** The control, which must be reported. */
static int
leak(void)
{
    static const uint8_t table[256] = {1};
    static uint8_t key = 1;

    hide(&key, 1);
    printf("%d\n", table[key]);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "leak") == 0)
        return leak();
    need(duet_init() == DUET_OK, "libcrypto");
    if (kernel_is_missing())
        return KERNEL_SKIP;
    every_kernel();
    if (strcmp(duet_kernel_name(), "portable") != 0)
        frames();
    puts(watched() ? "no branch and no index depends on a secret" : "not watched: only tried");
    return 0;
}
