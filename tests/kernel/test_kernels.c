/*
 * Every kernel that this processor can run against libcrypto: AES-256-CTR and SHA-256 from a chain,
 * for each number of groups, each alignment, one stream and two, one chain and two, in place and
 * not, over the wraps of the counter, with guard bytes around (docs/protocol.md §1).
 */
#include "kernel/kernel.h"

#include "base/bytes.h"
#include "kernel/oracle.h"

#include <duet/duet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GROUP = 64, MOST = 65, ROOM = MOST * GROUP + 2 * ORACLE_GUARD + GROUP };

/** One stream of a test: what goes in, what libcrypto makes of it, and where the kernel writes. */
struct stream {
    uint8_t plain[ROOM], sealed[ROOM], got[ROOM];
    uint8_t raw[32], block[16];
    struct duet__key key;
    uint32_t begin[8], end[8], chain[8];
    const uint8_t *in; /* the plaintext, at its alignment */
    uint8_t *out;
    size_t groups;
};

static struct stream streams[2];

/** Draw a stream anew; out stands at another alignment than in. */
static void
prepare(struct stream *s, const struct duet__kernel *kernel, size_t groups, size_t align)
{
    size_t size = groups * GROUP;
    uint8_t *in = s->plain + align % GROUP;

    s->groups = groups;
    s->in = in;
    s->out = s->got + ORACLE_GUARD + (align * 7 + 5) % GROUP;
    oracle_draw(s->raw, sizeof s->raw);
    oracle_block(s->block);
    oracle_draw(s->begin, sizeof s->begin);
    oracle_draw(in, size);
    kernel->set_key(&s->key, s->raw);
    oracle_ctr(s->raw, s->block, in, s->sealed, size);
    memcpy(s->end, s->begin, sizeof s->end);
    oracle_compress(s->end, in, groups);
}

/** A run over the stream: from `from`, which is moved to where it goes when it is to be in place.
 */
static struct duet__run
run_of(struct stream *s, const uint8_t *from, int in_place)
{
    struct duet__run run = {&s->key, s->block, s->chain, s->out, from, s->groups};

    memcpy(s->chain, s->begin, sizeof s->chain);
    memset(s->out, 0, s->groups * GROUP);
    oracle_guard(s->out, s->groups * GROUP);
    if (!in_place)
        return run;
    memcpy(s->out, from, s->groups * GROUP);
    run.in = s->out;
    return run;
}

static void
check(const struct stream *s, const uint8_t *expected)
{
    assert_memory_equal(s->out, expected, s->groups * GROUP);
    assert_memory_equal(s->chain, s->end, sizeof s->end);
    oracle_assert_guards(s->out, s->groups * GROUP);
}

static void
one(const struct duet__kernel *kernel, size_t groups, size_t align, int in_place)
{
    struct stream *s = &streams[0];
    struct duet__run run;

    prepare(s, kernel, groups, align);
    run = run_of(s, s->in, in_place);
    assert_int_equal(kernel->seal(&run), 0);
    check(s, s->sealed);
    run = run_of(s, s->sealed, in_place);
    assert_int_equal(kernel->open(&run), 0);
    check(s, s->in);
    memcpy(s->chain, s->begin, sizeof s->chain);
    kernel->compress(s->chain, s->in, groups);
    assert_memory_equal(s->chain, s->end, sizeof s->end);
}

static void
two(const struct duet__kernel *kernel, const size_t groups[2], size_t align, int in_place)
{
    struct duet__run run[2];

    for (size_t i = 0; i < 2; i++) {
        prepare(&streams[i], kernel, groups[i], align + 9 * i);
        run[i] = run_of(&streams[i], streams[i].in, in_place);
    }
    assert_int_equal(kernel->seal2(run), 0);
    for (size_t i = 0; i < 2; i++) {
        check(&streams[i], streams[i].sealed);
        run[i] = run_of(&streams[i], streams[i].sealed, in_place);
    }
    assert_int_equal(kernel->open2(run), 0);
    for (size_t i = 0; i < 2; i++)
        check(&streams[i], streams[i].in);
}

/** Two chains at once: of texts of their own, or of one text. */
static void
two_chains(const struct duet__kernel *kernel, size_t groups, size_t align, int same)
{
    uint32_t chain[2][8];
    const uint8_t *in[2];

    for (size_t i = 0; i < 2; i++) {
        prepare(&streams[i], kernel, groups, align + 9 * i);
        in[i] = streams[same ? 0 : i].in;
        memcpy(chain[i], streams[i].begin, sizeof chain[i]);
        memcpy(streams[i].end, streams[i].begin, sizeof streams[i].end);
        oracle_compress(streams[i].end, in[i], groups);
    }
    kernel->compress2(chain, in, groups);
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(chain[i], streams[i].end, sizeof chain[i]);
}

static void
keystream(const struct duet__kernel *kernel)
{
    uint8_t zeros[GROUP] = {0}, theirs[GROUP], room[GROUP + 2 * ORACLE_GUARD];
    uint8_t *out = room + ORACLE_GUARD;
    struct stream *s = &streams[0];

    for (size_t i = 0; i < 50; i++) {
        prepare(s, kernel, 0, 0);
        if (i < 16) /* carries from each byte of the counter */
            memset(s->block + i, 0xff, 16 - i);
        oracle_ctr(s->raw, s->block, zeros, theirs, sizeof zeros);
        oracle_guard(out, GROUP);
        assert_int_equal(kernel->keystream(&s->key, s->block, out), 0);
        assert_memory_equal(out, theirs, sizeof theirs);
        oracle_assert_guards(out, GROUP);
    }
}

static void
every_length(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++)
        for (size_t groups = 0; groups <= MOST; groups++)
            for (size_t align = 0; align < 16; align++)
                for (int in_place = 0; in_place < 2; in_place++)
                    one(kernel, groups, align, in_place);
}

static void
every_alignment(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++)
        for (size_t groups = 1; groups <= 4; groups++)
            for (size_t align = 16; align < GROUP; align++)
                for (int in_place = 0; in_place < 2; in_place++)
                    one(kernel, groups, align, in_place);
}

static void
two_streams(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++)
        for (size_t first = 0; first <= MOST; first += first < 9 ? 1 : 8)
            for (size_t second = 0; second <= MOST; second += second < 9 ? 1 : 8)
                for (int in_place = 0; in_place < 2; in_place++)
                    two(kernel, (size_t[2]){first, second}, first + second, in_place);
}

static void
chains_of_two(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++)
        for (size_t groups = 0; groups <= MOST; groups++)
            for (size_t align = 0; align < 16; align++)
                for (int same = 0; same < 2; same++)
                    two_chains(kernel, groups, align, same);
}

static void
streams_of_cipher(void **state)
{
    const struct duet__kernel *kernel;

    (void)state;
    for (size_t k = 0; (kernel = duet__kernel_at(k)) != NULL; k++) {
        print_message("kernel %s\n", kernel->name);
        keystream(kernel);
    }
}

static int
set_up(void **state)
{
    (void)state;
    return duet_init() == DUET_OK ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_of_cipher), cmocka_unit_test(every_length),
        cmocka_unit_test(every_alignment),   cmocka_unit_test(two_streams),
        cmocka_unit_test(chains_of_two),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
