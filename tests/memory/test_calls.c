/*
 * One call at a time: what a call works out on its way is left nowhere, and what it leaves is there
 * once.
 */
#include "memory/stage.h"

#include "base/wipe.h"
#include "crypto/x25519.h"
#include "frame/cipher.h"
#include "handshake/handshake.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct duet__cipher direction;
/* On pages of its own: a needle that lies in two mappings is not found. */
static _Alignas(4096) struct duet__handshake handshake;
static struct duet__psk psk;
static uint8_t exporter[WIRE_DIGEST];
static const uint8_t label[WIRE_DIGEST] = {1};
static const struct duet__bytes nothing = {NULL, 0};

/** Derive the values to look for, on a stack that is thrown away. */
static void
expect_of_rotation(void)
{
    uint8_t salt[WIRE_DIGEST], root[WIRE_DIGEST], epoch[WIRE_EPOCH];
    struct duet__info info = duet__info("rotate", label);

    scan_add("old", direction.root, sizeof direction.root);
    scan_add("old", direction.key.bytes, WIRE_KEY);
    duet__derive(direction.root, &info, salt, sizeof salt);
    duet__hkdf_extract(root, (struct duet__bytes){salt, sizeof salt}, nothing);
    info = duet__info("epoch", label);
    duet__derive(root, &info, epoch, sizeof epoch);
    scan_add("on the way", salt, sizeof salt);
    scan_add("on the way", epoch + WIRE_KEY + WIRE_BLOCK, WIRE_DIGEST);
    scan_add("R", root, sizeof root);
    scan_add("K", epoch, WIRE_KEY);
}

static void
rotate_one(void)
{
    struct duet__schedule schedule = {NULL, label};

    (void)!duet__cipher_rotate(&direction, &schedule, nothing);
}

static void
rotation(void **state)
{
    (void)state;
    stage_begin();
    memset(&direction, 0, sizeof direction);
    stage_random(direction.root, sizeof direction.root);
    direction.state = DUET__CIPHER_IDLE;
    stage_run(rotate_one);
    stage_run(expect_of_rotation);
    stage_clear();
    stage_run(rotate_one);
    assert_gone("old");
    assert_gone("on the way");
    assert_copies("R", 1);
    assert_copies("K", 1);
    duet_wipe(&direction, sizeof direction);
    assert_gone(NULL);
    stage_end();
}

static void
write_m2(void)
{
    struct duet__writer to = duet__writer(handshake.message, DUET__MESSAGE_MOST);

    assert_int_equal(duet__noise_write(&handshake.noise, &to, nothing), DUET_OK);
}

static void
begin_noise(void)
{
    uint8_t secret[64];

    stage_random(secret, sizeof secret);
    assert_int_equal(duet__psk_init(&psk, secret, sizeof secret), DUET_OK);
    handshake.psk = &psk;
    handshake.label = label;
    handshake.pattern = DUET_PATTERN_EPHEMERAL;
    stage_random(handshake.noise.e, WIRE_KEY);
    stage_random(handshake.noise.psk, WIRE_KEY);
    memset(handshake.noise.re, 9, WIRE_KEY);
    assert_int_equal(duet__handshake_make_room(&handshake), DUET_OK);
    assert_int_equal(duet__noise_begin(&handshake.noise, DUET__NOISE_NNPSK0, 0, nothing), DUET_OK);
    handshake.noise.message = 1;
}

static void
expect_of_noise(void)
{
    const struct duet__x25519_pair mine = {handshake.noise.e, handshake.noise.e_public};
    uint8_t shared[WIRE_KEY];

    scan_add("old", handshake.noise.ck, WIRE_DIGEST);
    assert_int_equal(duet__x25519(shared, &mine, handshake.noise.re), DUET_OK);
    scan_add("on the way", shared, sizeof shared);
}

static void
expect_of_finish(void)
{
    uint8_t keys[2 * WIRE_KEY], bound[WIRE_DIGEST + 2 * WIRE_NONCE], prk[WIRE_DIGEST];

    duet__noise_split(&handshake.noise, keys, keys + WIRE_KEY);
    scan_add("on the way", keys, sizeof keys);
    memcpy(bound, handshake.noise.h, WIRE_DIGEST);
    memcpy(bound + WIRE_DIGEST, handshake.nonces, sizeof handshake.nonces);
    duet__sha256(bound, bound, sizeof bound);
    duet__hkdf_extract(prk, (struct duet__bytes){bound, WIRE_DIGEST},
                       (struct duet__bytes){keys, sizeof keys});
    scan_add("on the way", prk, sizeof prk);
}

static void
finish(void)
{
    duet__handshake_finish(&handshake, exporter);
}

static void
initiation(void **state)
{
    (void)state;
    stage_begin();
    stage_run(begin_noise);
    stage_run(expect_of_noise);
    stage_clear();
    stage_run(write_m2);
    assert_gone("old");
    assert_gone("on the way");
    scan_add("ck", handshake.noise.ck, WIRE_DIGEST);
    scan_add("k", handshake.noise.k, WIRE_KEY);
    scan_add("e", handshake.noise.e, WIRE_KEY);
    assert_copies("ck", 1);
    assert_copies("k", 1);
    assert_copies("e", 1);
    stage_run(expect_of_finish);
    stage_clear();
    stage_run(finish);
    assert_gone("on the way");
    assert_gone("ck");
    assert_gone("k");
    assert_gone("e");
    scan_add("S", handshake.secret, sizeof handshake.secret);
    scan_add("X", exporter, sizeof exporter);
    assert_copies("S", 1);
    assert_copies("X", 1);
    duet__handshake_wipe(&handshake);
    duet_wipe(exporter, sizeof exporter);
    duet__psk_wipe(&psk);
    assert_gone(NULL);
    stage_end();
}

/* ---- Derivations ---- */

static uint8_t ikm[80], prk[WIRE_DIGEST], okm[96];
static const struct duet__bytes salt_bytes = {"salt", 4};

static void
expect_of_derivation(void)
{
    struct duet__hmac_key key;
    uint8_t out[96 + WIRE_DIGEST];

    duet__hkdf_extract(out, salt_bytes, (struct duet__bytes){ikm, sizeof ikm});
    scan_add("prk", out, WIRE_DIGEST);
    duet__hmac_set_key(&key, out, WIRE_DIGEST);
    scan_add("on the way", &key, sizeof key);
    duet__hkdf_expand(out, nothing, nothing, out, 96 + WIRE_DIGEST);
    scan_add("okm", out, 96);
    scan_add("on the way", out + 96, WIRE_DIGEST); /* nobody asked for it */
}

static void
extract(void)
{
    duet__hkdf_extract(prk, salt_bytes, (struct duet__bytes){ikm, sizeof ikm});
}

static void
expand(void)
{
    duet__hkdf_expand(prk, nothing, nothing, okm, sizeof okm);
}

static void
derivations(void **state)
{
    (void)state;
    stage_begin();
    stage_random(ikm, sizeof ikm);
    stage_run(expect_of_derivation);
    stage_clear();
    scan_add("ikm", ikm, sizeof ikm);
    stage_run(extract);
    assert_copies("ikm", 1);
    assert_copies("prk", 1);
    stage_run(expand);
    assert_copies("prk", 1);
    assert_copies("okm", 1);
    assert_gone("on the way");
    duet_wipe(ikm, sizeof ikm);
    duet_wipe(prk, sizeof prk);
    duet_wipe(okm, sizeof okm);
    assert_gone(NULL);
    stage_end();
}

/* ---- The compression, under which all of these run ---- */

static uint32_t chain[8];
static uint8_t group[WIRE_GROUP];

static void
compress(void)
{
    duet__kernel()->compress(chain, group, 1);
}

static void
compression(void **state)
{
    (void)state;
    stage_begin();
    stage_random(chain, sizeof chain);
    stage_random(group, WIRE_KEY); /* not the same as what stands for W */
    scan_add("chain", chain, sizeof chain);
    scan_add("group", group, WIRE_KEY);
    for (size_t i = 0; i < WIRE_KEY; i += 4) { /* as words it is the same secret */
        uint32_t words[4];
        for (size_t k = 0; k < 4; k++)
            words[k] = duet__load32(group + (i + 4 * k) % WIRE_KEY);
        if (i % 16 == 0)
            scan_add("words", words, sizeof words);
        duet_wipe(words, sizeof words);
    }
    stage_run(compress);
    assert_gone("chain");
    assert_gone("words");
    assert_copies("group", 1);
    scan_add("next", chain, sizeof chain);
    assert_copies("next", 1);
    duet_wipe(chain, sizeof chain);
    duet_wipe(group, sizeof group);
    assert_gone(NULL);
    stage_end();
}

/* ---- The kernels' passes ---- */

enum { GROUPS = 8 };

static const struct duet__kernel *kernel;
static struct duet__key pass_key;
static uint8_t block[WIRE_BLOCK], text[2][GROUPS * WIRE_GROUP];
static uint32_t chains[2][8];

/** A chain in the two orders in which kernels keep it. */
static void
add_chain(const char *name, const uint32_t words[8])
{
    const uint32_t halves[8] = {words[5], words[4], words[1], words[0],
                                words[7], words[6], words[3], words[2]};

    scan_add(name, words, DUET__DIGEST);
    scan_add(name, halves, DUET__DIGEST);
}

/** What a pass works out: the chains before the last group and after it, and its keystream. */
static void
expect_of_pass(void)
{
    uint32_t before[2][8], after[8];
    uint8_t at[WIRE_BLOCK], stream[WIRE_GROUP];

    memcpy(before, chains, sizeof before);
    memcpy(at, block, sizeof at);
    at[WIRE_BLOCK - 1] += 4 * (GROUPS - 1);
    for (int i = 0; i < 2; i++) {
        add_chain("first", chains[i]);
        kernel->compress(before[i], text[i], GROUPS - 1);
        add_chain("before", before[i]);
        memcpy(after, before[i], sizeof after);
        kernel->compress(after, text[i] + (size_t)(GROUPS - 1) * WIRE_GROUP, 1);
        add_chain("after", after);
    }
    assert_int_equal(kernel->keystream(&pass_key, at, stream), 0);
    scan_add("keystream", stream, sizeof stream);
}

static struct duet__run
run_of(int lane)
{
    const struct duet__run run = {&pass_key, block, chains[lane], text[lane], text[lane], GROUPS};

    return run;
}

static void
seal_one(void)
{
    const struct duet__run run = run_of(0);

    assert_int_equal(kernel->seal(&run), 0);
}

static void
open_one(void)
{
    const struct duet__run run = run_of(0);

    assert_int_equal(kernel->open(&run), 0);
}

static void
seal_two(void)
{
    const struct duet__run runs[2] = {run_of(0), run_of(1)};

    assert_int_equal(kernel->seal2(runs), 0);
}

static void
open_two(void)
{
    const struct duet__run runs[2] = {run_of(0), run_of(1)};

    assert_int_equal(kernel->open2(runs), 0);
}

/** Seal the texts, so that they can be opened; the chains stay. */
static void
seal_texts(void)
{
    uint32_t begin[2][8];

    memcpy(begin, chains, sizeof begin);
    seal_two();
    memcpy(chains, begin, sizeof chains);
}

/** What the passes in assembler keep in memory is wiped at once; what a compiler made of the others
 * may be left on the stack, until the session wipes that. */
static void
try_pass(void (*pass)(void), int opens)
{
    const int in_assembler =
        strcmp(kernel->name, "x86_ni") == 0 || strcmp(kernel->name, "x86_vaes_avx2") == 0;
    uint8_t raw[WIRE_KEY];

    stage_begin();
    stage_random(raw, sizeof raw);
    kernel->set_key(&pass_key, raw);
    duet_wipe(raw, sizeof raw);
    stage_random(block, sizeof block);
    block[WIRE_BLOCK - 1] = 0;
    for (int i = 0; i < 2; i++) {
        stage_random(chains[i], sizeof chains[i]);
        for (size_t k = 0; k < sizeof text[i]; k += WIRE_KEY)
            stage_random(text[i] + k, WIRE_KEY); /* longer ones would be alike */
    }
    stage_run(expect_of_pass);
    if (opens)
        stage_run(seal_texts);
    stage_clear();
    stage_run(pass);
    duet_wipe(chains, sizeof chains);
    if (!in_assembler)
        stage_run(duet__wipe_stack);
    assert_gone("before");
    assert_gone("first");
    assert_gone("after");
    assert_gone("keystream");
    duet_wipe(&pass_key, sizeof pass_key);
    stage_end();
}

static void
passes(void **state)
{
    (void)state;
    for (size_t i = 0; (kernel = duet__kernel_at(i)) != NULL; i++) {
        try_pass(seal_one, 0);
        try_pass(open_one, 1);
        try_pass(seal_two, 0);
        try_pass(open_two, 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compression), cmocka_unit_test(passes),     cmocka_unit_test(derivations),
        cmocka_unit_test(rotation),    cmocka_unit_test(initiation),
    };
    if (duet_init() != DUET_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
