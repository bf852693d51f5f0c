/*
 * The ground floor: bytes and integers, comparison, bounded reading and writing, wiping, results.
 */
#include "base/equal.h"
#include "base/reader.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void
integers(void **state)
{
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 0xff}, out[8];

    (void)state;
    assert_int_equal(duet__load16(bytes), 0x0102);
    assert_int_equal(duet__load32(bytes), 0x01020304);
    assert_true(duet__load64(bytes) == 0x01020304050607ffu);
    duet__store64(out, 0x01020304050607ffu);
    assert_memory_equal(out, bytes, 8);
    duet__store32(out, 0x01020304);
    duet__store16(out + 4, 0x10506);
    assert_memory_equal(out, bytes, 6);
}

static void
counter_of_128_bits(void **state)
{
    uint8_t block[16], zero[16] = {0};

    (void)state;
    memset(block, 0xff, sizeof block);
    duet__add128(block, 1);
    assert_memory_equal(block, zero, 16);
    duet__add128(block, UINT64_MAX);
    duet__add128(block, 1);
    assert_int_equal(block[7], 1);
    assert_int_equal(block[15], 0);
}

static void
comparison(void **state)
{
    uint8_t a[64], b[64];

    (void)state;
    memset(a, 7, sizeof a);
    memcpy(b, a, sizeof a);
    assert_int_equal(duet__equal(a, b, 64), 1);
    assert_int_equal(duet__equal(a, b, 0), 1);
    for (size_t i = 0; i < 64 * 8; i++) {
        b[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(duet__equal(a, b, 64), 0);
        assert_int_equal(duet__equal(a, b, i / 8), 1);
        b[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}

static void
reading(void **state)
{
    static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    struct duet__reader r = duet__reader(data, sizeof data);

    (void)state;
    assert_int_equal(duet__read8(&r), 1);
    assert_int_equal(duet__read16(&r), 0x0203);
    assert_int_equal(duet__read32(&r), 0x04050607);
    assert_true(duet__read64(&r) == 0x08090a0b0c0d0e0fu);
    assert_ptr_equal(duet__read(&r, 0), data + 15);
    assert_null(duet__read(&r, 2)); /* one too many, and bad from then on */
    assert_null(duet__read(&r, 1));
    assert_int_equal(duet__read8(&r), 0);
    assert_int_equal(r.bad, 1);
    assert_int_equal(r.left, 1);
}

static void
writing(void **state)
{
    uint8_t data[18] = {0};
    struct duet__writer w = duet__writer(data, 16);

    (void)state;
    duet__write8(&w, 1);
    duet__write32(&w, 0x02030405);
    duet__write64(&w, 0x060708090a0b0c0du);
    assert_false(w.bad);
    duet__write32(&w, 0xffffffff); /* no room: nothing of it is written */
    duet__write8(&w, 0xff);
    assert_true(w.bad);
    assert_int_equal(w.used, 13);
    for (size_t i = 0; i < sizeof data; i++)
        assert_int_equal(data[i], i < 13 ? i + 1 : 0);
}

static void
wiping(void **state)
{
    uint8_t bytes[100];

    (void)state;
    memset(bytes, 9, sizeof bytes);
    duet_wipe(bytes + 1, 98);
    assert_int_equal(bytes[0] + bytes[99], 18);
    for (size_t i = 1; i < 99; i++)
        assert_int_equal(bytes[i], 0);
    duet_wipe(NULL, 0);
}

/* Every result: its number leads to its own line, whose texts say something; no other number does.
 */
static void
results(void **state)
{
    static const int numbers[] = {
#define NUMBER(name, number, kind, sentence, cure) number,
        DUET_RESULTS(NUMBER)
#undef NUMBER
    };
    size_t known = 0;

    (void)state;
    for (int n = -200; n <= 200; n++) {
        const duet_result_info *info = duet_explain(n);
        if (info == NULL)
            continue;
        known++;
        assert_int_equal(info->number, n);
        assert_int_equal(strncmp(info->name, "DUET_", 5), 0);
        assert_true(strlen(info->sentence) > 3 && strlen(info->cure) > 3);
        assert_int_equal(info->kind >= DUET_CLASS_FATAL, n <= -20);
    }
    assert_int_equal(known, sizeof numbers / sizeof *numbers);
}

/* A direction behind anything, as in a struct of the caller's. */
static void
aligned_direction(void **state)
{
    struct {
        uint64_t before;
        duet_cipher d;
        char after;
    } holder;
    static const uint8_t bytes[32] = {1};
    uint8_t frame[DUET_FRAME_OVERHEAD + 200], payload[200] = {0};

    (void)state;
    assert_int_equal((uintptr_t)&holder.d % 16, 0);
    assert_int_equal(duet_cipher_init(&holder.d, bytes, bytes, bytes, 1, 1000), DUET_OK);
    assert_int_equal(duet_seal(&holder.d, frame, payload, sizeof payload, 0), DUET_OK);
    duet_wipe(&holder.d, sizeof holder.d);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),   cmocka_unit_test(counter_of_128_bits),
        cmocka_unit_test(comparison), cmocka_unit_test(reading),
        cmocka_unit_test(writing),    cmocka_unit_test(wiping),
        cmocka_unit_test(results),    cmocka_unit_test(aligned_direction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
