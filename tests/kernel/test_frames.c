/*
 * Frames under the kernel that is chosen, against libcrypto: every length, sealed and opened whole
 * and in pieces, in place and not, at every alignment (docs/protocol.md §1). ctest runs this
 * program under each kernel.
 */
#include "base/bytes.h"
#include "kernel/oracle.h"
#include "support/kernel_named.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = (1 << 20) + 9, ROOM = MOST + (int)DUET_FRAME_OVERHEAD + 2 * ORACLE_GUARD + 64 };

static uint8_t plain[ROOM], clear[ROOM], expected[ROOM], wire[ROOM], opened[ROOM];

/** A direction's state as the oracle keeps it, and the two ends that are held to it. */
static struct ends {
    uint8_t key[32], block[16];
    uint32_t chain[8];
    uint32_t seq;
    duet_cipher tx, rx;
} ends;

static void
start(void)
{
    uint8_t chain[32];

    oracle_draw(ends.key, sizeof ends.key);
    oracle_block(ends.block);
    oracle_draw(chain, sizeof chain);
    oracle_draw(&ends.seq, sizeof ends.seq);
    for (size_t i = 0; i < 8; i++)
        ends.chain[i] = duet__load32(chain + 4 * i);
    assert_int_equal(duet_cipher_init(&ends.tx, ends.key, ends.block, chain, ends.seq, UINT32_MAX),
                     DUET_OK);
    assert_int_equal(duet_cipher_init(&ends.rx, ends.key, ends.block, chain, ends.seq, UINT32_MAX),
                     DUET_OK);
}

/** The frame by libcrypto alone, into expected. */
static void
expect(const uint8_t *payload, uint32_t len, uint32_t code)
{
    size_t size = DUET_HEADER_SIZE + len;

    duet__store32(clear, len);
    duet__store32(clear + 4, code);
    duet__store32(clear + 8, ends.seq);
    duet__store32(clear + 12, len ^ code ^ ends.seq);
    memcpy(clear + DUET_HEADER_SIZE, payload, len);
    oracle_hash(ends.chain, clear, size);
    duet__store32(clear + size, ends.chain[0]);
    duet__store32(clear + size + 4, ends.chain[1]);
    oracle_ctr(ends.key, ends.block, clear, expected, size + DUET_MAC_SIZE);
    duet__add128(ends.block, (size + DUET_MAC_SIZE + 15) / 16);
    ends.seq++;
}

/** The next piece: all that is left, or a few bytes. */
static size_t
piece(size_t left, int whole)
{
    uint16_t drawn;

    oracle_draw(&drawn, sizeof drawn);
    size_t n = drawn % 5 == 0 ? drawn : drawn % 97u;
    return whole || n > left ? left : n;
}

static void
seal_frame(uint8_t *frame, const uint8_t *payload, size_t len, uint32_t code, int whole)
{
    size_t at = 0, put = 0;

    if (whole) {
        assert_int_equal(duet_seal(&ends.tx, frame, payload, len, code), DUET_OK);
        return;
    }
    assert_int_equal(duet_cipher_seal_begin(&ends.tx, frame, code, (uint32_t)len), DUET_OK);
    do {
        size_t n = piece(len - at, 0);
        uint8_t *out = frame + DUET_HEADER_SIZE + at;
        assert_int_equal(duet_cipher_seal_piece(&ends.tx, out, &put, payload + at, n), DUET_OK);
        at += n;
        assert_int_equal(put, n + (at == len ? DUET_MAC_SIZE : 0));
    } while (at < len);
}

static void
open_frame(uint8_t *out, const uint8_t *frame, size_t len, uint32_t code, int whole)
{
    size_t at = 0, got = 0, size = len + DUET_MAC_SIZE, put;
    uint32_t told_code, told_len;
    int result = DUET_AGAIN;

    assert_int_equal(duet_cipher_open_header(&ends.rx, &told_code, &told_len, frame), DUET_OK);
    assert_int_equal(told_code, code);
    assert_int_equal(told_len, len);
    frame += DUET_HEADER_SIZE;
    while (result == DUET_AGAIN) {
        size_t n = piece(size - at, whole);
        result = duet_cipher_open_piece(&ends.rx, out + got, &put, frame + at, n);
        at += n;
        got += put;
    }
    assert_int_equal(result, DUET_OK);
    assert_int_equal(at, size);
    assert_int_equal(got, len);
}

static void
one(size_t len, size_t align, int in_place, int whole)
{
    uint32_t code = (uint32_t)len * 3;
    uint8_t *payload = plain + align;
    uint8_t *frame = wire + ORACLE_GUARD + (align * 5 + 3) % 64;
    uint8_t *out = in_place ? frame + DUET_HEADER_SIZE : opened + ORACLE_GUARD + align;

    oracle_draw(payload, len);
    expect(payload, (uint32_t)len, code);
    oracle_guard(frame, len + DUET_FRAME_OVERHEAD);
    if (in_place)
        memcpy(frame + DUET_HEADER_SIZE, payload, len);
    seal_frame(frame, in_place ? frame + DUET_HEADER_SIZE : payload, len, code, whole);
    assert_memory_equal(frame, expected, len + DUET_FRAME_OVERHEAD);
    oracle_assert_guards(frame, len + DUET_FRAME_OVERHEAD);
    if (!in_place)
        oracle_guard(out, len);
    open_frame(out, frame, len, code, whole);
    assert_memory_equal(out, payload, len);
    if (!in_place)
        oracle_assert_guards(out, len);
}

static void
every_length(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 4200; len++) {
        if (len % 64 == 0)
            start();
        one(len, len * 7 % 64, len % 2, len / 2 % 2);
        one(len, len * 11 % 64, len % 2, len / 2 % 2 == 0);
    }
}

static void
every_alignment(void **state)
{
    static const size_t lengths[] = {1, 16, 40, 47, 48, 49, 64, 200};

    (void)state;
    start();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (size_t align = 0; align < 64; align++)
            for (int how = 0; how < 4; how++)
                one(lengths[i], align, how % 2, how / 2);
}

static void
long_ones(void **state)
{
    (void)state;
    start();
    for (size_t len = (1 << 16) - 66; len <= (1 << 16) + 66; len += 3)
        one(len, len % 64, len % 2, len % 3 == 0);
    for (size_t len = (1 << 20) - 9; len <= MOST; len += 6)
        one(len, len % 64, len % 2, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length),
        cmocka_unit_test(every_alignment),
        cmocka_unit_test(long_ones),
    };
    if (kernel_is_missing())
        return KERNEL_SKIP;
    print_message("kernel %s\n", duet_kernel_name());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
