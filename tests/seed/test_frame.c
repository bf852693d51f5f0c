/*
 * The seed's section 2, sentence by sentence: the seed is the specification that this project began
 * from, and docs/protocol.md §1 goes on from it. Its frame is built here from its text alone, by
 * libcrypto (the oracle), and must be what duet_seal() writes and what opening accepts.
 */
#include "kernel/oracle.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 70000, HEADER = 16, MAC = 8 };

static uint8_t payload[MOST], frame[MOST + HEADER + MAC], expected[sizeof frame], opened[MOST];

/** One direction as the seed describes it. */
struct seed {
    uint8_t key[32], block[16];
    uint32_t chain[8], number;
};

static void
put32(uint8_t *out, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t
get32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

/** Two ciphers and the seed's direction from one state. */
static void
begin(struct seed *seed, duet_cipher *sender, duet_cipher *receiver, uint32_t number)
{
    uint8_t chain[32];

    oracle_draw(seed->key, sizeof seed->key);
    oracle_block(seed->block);
    oracle_draw(chain, sizeof chain);
    for (int i = 0; i < 8; i++)
        seed->chain[i] = get32(chain + 4 * i);
    seed->number = number;
    oracle_draw(payload, sizeof payload);
    assert_int_equal(duet_cipher_init(sender, seed->key, seed->block, chain, number, MOST),
                     DUET_OK);
    assert_int_equal(duet_cipher_init(receiver, seed->key, seed->block, chain, number, MOST),
                     DUET_OK);
}

/** The next frame by the seed's text, into `expected`. Returns its size. */
static size_t
build(struct seed *seed, uint32_t code, size_t size)
{
    size_t all = HEADER + size + MAC;

    /* 2: "the length in the first 4 bytes, a protocol-specific code in the next 4 bytes, and the
     * number (in sequence) of the frame in the next 4 bytes"; "given in 'network byte order'". */
    put32(expected, (uint32_t)size);
    put32(expected + 4, code);
    put32(expected + 8, seed->number);
    /* 2: "a checksum for the header only, which is formed by bitwise XORing the three prior
     * 4-byte fields". */
    put32(expected + 12, (uint32_t)size ^ code ^ seed->number);
    /* 2: "The payload follows the header, and is LENGTH bytes long." */
    memcpy(expected + HEADER, payload, size);
    /* 2: "the 8 most significant bytes of the SHA-256 hash of the concatanation of the header and
     * payload, while also preserving the SHA-256 internal state from the prior frame", "as if it
     * starts at byte zero". */
    oracle_hash(seed->chain, expected, HEADER + size);
    put32(expected + HEADER + size, seed->chain[0]);
    put32(expected + HEADER + size + 4, seed->chain[1]);
    /* 2: "Each frame is entirely encrypted; the HEADER, PAYLOAD, HMAC are concatanated and
     * subsequently encrypted." */
    oracle_ctr(seed->key, seed->block, expected, expected, all);
    /* 2: "The protocol does not require the full AES-CTR cipher pad to be used": the next frame
     * begins with the next whole block. */
    for (size_t blocks = (all + 15) / 16; blocks > 0; blocks--) {
        for (int i = 15; i >= 0 && ++seed->block[i] == 0; i--)
            ;
    }
    /* 0: "starting from 1, and wrapping when the 32-bit maximum number is reached". */
    seed->number++;
    return all;
}

static void
check_frame(struct seed *seed, duet_cipher *sender, duet_cipher *receiver, uint32_t code,
            size_t size)
{
    size_t all = build(seed, code, size), put;
    uint32_t got_code, got_size;

    assert_int_equal(duet_seal(sender, frame, payload, size, code), DUET_OK);
    assert_memory_equal(frame, expected, all);
    assert_int_equal(duet_cipher_open_header(receiver, &got_code, &got_size, expected), DUET_OK);
    assert_int_equal(got_code, code);
    assert_int_equal(got_size, size);
    assert_int_equal(duet_cipher_open_piece(receiver, opened, &put, expected + HEADER, size + MAC),
                     DUET_OK);
    assert_int_equal(put, size);
    assert_memory_equal(opened, payload, size);
}

/* 2: all of it, for lengths on and off each boundary, over the counter's wraps. "A frame may not
 * fall on the 16-byte boundary of the AES-CTR stream cipher." */
static void
frames_are_the_seed_s(void **state)
{
    static const size_t large[] = {1000, 4096, 4097, 16384, 65535, MOST};

    (void)state;
    for (int run = 0; run < 20; run++) {
        struct seed seed;
        duet_cipher sender, receiver;
        uint32_t code;
        begin(&seed, &sender, &receiver, 1);
        for (size_t size = 0; size < 200; size++) {
            oracle_draw(&code, sizeof code);
            check_frame(&seed, &sender, &receiver, code, size);
        }
        for (size_t i = 0; i < sizeof large / sizeof *large; i++)
            check_frame(&seed, &sender, &receiver, (uint32_t)i, large[i]);
        duet_wipe(&sender, sizeof sender);
        duet_wipe(&receiver, sizeof receiver);
    }
}

/* 0: "wrapping when the 32-bit maximum number is reached". */
static void
numbers_wrap(void **state)
{
    struct seed seed;
    duet_cipher sender, receiver;

    (void)state;
    begin(&seed, &sender, &receiver, 0xfffffffdu);
    for (int i = 0; i < 6; i++)
        check_frame(&seed, &sender, &receiver, 5, 10);
    assert_int_equal(seed.number, 3);
    duet_wipe(&sender, sizeof sender);
    duet_wipe(&receiver, sizeof receiver);
}

/* 2: "the header can be entirely deciphered before the payload is received", and "The MAC follows
 * the payload": nothing is verified before it, and each piece may come alone. */
static void
header_opens_alone(void **state)
{
    struct seed seed;
    duet_cipher sender, receiver;
    uint8_t header[HEADER];
    uint32_t code, size;
    size_t put, all;

    (void)state;
    begin(&seed, &sender, &receiver, 1);
    all = build(&seed, 77, 100);
    memcpy(header, expected, sizeof header);
    assert_int_equal(duet_cipher_open_header(&receiver, &code, &size, header), DUET_OK);
    assert_int_equal(code, 77);
    assert_int_equal(size, 100);
    for (size_t at = HEADER; at < all; at++) {
        int result = duet_cipher_open_piece(&receiver, opened, &put, expected + at, 1);
        assert_int_equal(result, at + 1 < all ? DUET_AGAIN : DUET_OK);
    }
    duet_wipe(&sender, sizeof sender);
    duet_wipe(&receiver, sizeof receiver);
}

/** What opening `expected` gives, with one bit of it changed. */
static int
open_changed(duet_cipher *receiver, size_t at, int bit)
{
    uint32_t code, size;
    size_t put;
    int result;

    expected[at] ^= (uint8_t)(1 << bit);
    result = duet_cipher_open_header(receiver, &code, &size, expected);
    if (result == DUET_OK)
        result =
            duet_cipher_open_piece(receiver, opened, &put, expected + HEADER, (size_t)size + MAC);
    return result;
}

/* 2: checksum, number and MAC do what they are there for: no changed bit of a frame is accepted. */
static void
no_bit_may_change(void **state)
{
    (void)state;
    for (size_t at = 0; at < HEADER + 20 + MAC; at++) {
        for (int bit = 0; bit < 8; bit++) {
            struct seed seed;
            duet_cipher sender, receiver;
            int result;
            begin(&seed, &sender, &receiver, 1);
            build(&seed, 3, 20);
            result = open_changed(&receiver, at, bit);
            assert_int_equal(result, at < HEADER ? DUET_E_CHECKSUM : DUET_E_FORGED);
            duet_wipe(&sender, sizeof sender);
            duet_wipe(&receiver, sizeof receiver);
        }
    }
}

/* 0: "keeping track of the sequence of messages that the other party sends": one is dropped. */
static void
order_is_kept(void **state)
{
    struct seed seed;
    duet_cipher sender, receiver;
    uint8_t place[16];
    uint32_t code, size;

    (void)state;
    begin(&seed, &sender, &receiver, 1);
    check_frame(&seed, &sender, &receiver, 1, 10);
    memcpy(place, seed.block, sizeof place);
    build(&seed, 1, 8); /* dropped; the next lies at its place in the keystream */
    memcpy(seed.block, place, sizeof place);
    build(&seed, 1, 8);
    assert_int_equal(duet_cipher_open_header(&receiver, &code, &size, expected), DUET_E_SEQUENCE);
    duet_wipe(&sender, sizeof sender);
    duet_wipe(&receiver, sizeof receiver);
}

/* 3: "it cannot exceed the hard limit of the 32-bit unsigned integer for its length". */
static void
length_has_32_bits(void **state)
{
    struct seed seed;
    duet_cipher sender, receiver;
    uint64_t over = (uint64_t)1 << 32;

    (void)state;
    if (sizeof(size_t) <= 4)
        skip();
    begin(&seed, &sender, &receiver, 1);
    assert_int_equal(duet_seal(&sender, frame, payload, (size_t)over, 0), DUET_E_MISUSE);
    check_frame(&seed, &sender, &receiver, 1, 10); /* nothing changed */
    assert_int_equal(duet_cipher_seal_begin(&sender, frame, 0, UINT32_MAX), DUET_OK);
    duet_wipe(&sender, sizeof sender);
    duet_wipe(&receiver, sizeof receiver);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_the_seed_s), cmocka_unit_test(numbers_wrap),
        cmocka_unit_test(header_opens_alone),    cmocka_unit_test(no_bit_may_change),
        cmocka_unit_test(order_is_kept),         cmocka_unit_test(length_has_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
