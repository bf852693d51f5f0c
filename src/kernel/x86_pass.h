/*
 * The passes of x86_ni and x86_vaes_avx2 over one lane or two, in assembler: the order of the
 * instructions decides the speed of two lanes, and compilers change it and run out of registers.
 *
 * Two hashes fill the sixteen registers but for four. So a group's cipher is cut into four parts,
 * between which its blocks are in memory. Lane 0's parts follow the steps 0, 4, 8 and 12 of its
 * hash, lane 1's 1, 5, 9 and 13; there xmm0 and xmm13 to xmm15 are free. Only the last part writes:
 * by then all of the group's text is in registers, so out may be the text.
 */
#ifndef DUET_KERNEL_X86_PASS_H
#define DUET_KERNEL_X86_PASS_H

#include "kernel/x86.h"

#include "base/public.h"
#include "base/wipe.h"

#include <stddef.h>

/*
 * The file that includes this defines, as text for the assembler:
 *   CIPHER_0(l) to CIPHER_3(l)  the parts of the cipher of lane l;
 *   SUM(k, w, x)                x = k + w, as words; k is in memory;
 *   ALIGN(b, w, x)              x = the last three words of b, then the first of w.
 */

/** One instruction. */
#define DO(text) text "\n\t"

/** What a lane keeps in memory while its groups pass. AT() knows the places. */
struct work {
    _Alignas(32) __m128i counter[BLOCKS]; /* of the next blocks, the low halves first */
    uint8_t blocks[16 * BLOCKS];          /* between two parts of the cipher */
    struct state begin;                   /* the hash before this group */
};                                        /* secret, so it is wiped */

/** A place in the work of lane l, and in the lane itself. */
#define AT(l, place)    "160*" #l "+" place "(%[work])"
#define STATE(l, place) "80*" #l "+" place "(%[lane])"

_Static_assert(sizeof(struct work) == 160 && offsetof(struct work, blocks) == 64 &&
                   offsetof(struct work, begin) == 128 && sizeof(struct lane) == 80 &&
                   offsetof(struct lane, state) == 16,
               "the assembler has these numbers");

/* Constants in memory: the order of bytes in words and in counters, and what a group adds. */
static const _Alignas(32) uint64_t word_bytes[2] = {0x0405060700010203, 0x0c0d0e0f08090a0b};
static const _Alignas(32) uint64_t counter_bytes[4] = {0x08090a0b0c0d0e0f, 0x0001020304050607,
                                                       0x08090a0b0c0d0e0f, 0x0001020304050607};
static const _Alignas(32) uint64_t blocks_each[4] = {BLOCKS, 0, BLOCKS, 0};

/* ---- Registers: abef, cdgh and four times four words of the message of each lane ---- */

#define X(l, name) "%%xmm" X_##l##_##name
#define X_0_A      "1"
#define X_0_C      "2"
#define X_0_0      "3"
#define X_0_1      "4"
#define X_0_2      "5"
#define X_0_3      "6"
#define X_1_A      "7"
#define X_1_C      "8"
#define X_1_0      "9"
#define X_1_1      "10"
#define X_1_2      "11"
#define X_1_3      "12"

/* ---- A step of the hash: step q, of lane l; before, now and next are words of the message ---- */

#define LOAD(l, q, now)                                                                            \
    DO("movdqu 16*" #q "(%[text" #l "]), " X(l, now)) DO("pshufb %[word_bytes], " X(l, now))
#define LOW(l, q, now)                                                                             \
    SUM("16*" #q "(%[constants])", X(l, now), "%%xmm0") DO("sha256rnds2 " X(l, A) ", " X(l, C))
#define HIGH(l) DO("pshufd $14, %%xmm0, %%xmm0") DO("sha256rnds2 " X(l, C) ", " X(l, A))
#define WORDS_END(l, before, now, next)                                                            \
    ALIGN(X(l, before), X(l, now), "%%xmm13")                                                      \
    DO("paddd %%xmm13, " X(l, next)) DO("sha256msg2 " X(l, now) ", " X(l, next))
#define WORDS_BEGIN(l, before, now) DO("sha256msg1 " X(l, now) ", " X(l, before))

/* Step 0, 1 and 2, 3, 4 to 12, 13 and 14, 15 */
#define STEP_A(l, q, before, now, next) LOAD(l, q, now) LOW(l, q, now) HIGH(l)
#define STEP_B(l, q, before, now, next) STEP_A(l, q, before, now, next) WORDS_BEGIN(l, before, now)
#define STEP_C(l, q, before, now, next) LOAD(l, q, now) STEP_D(l, q, before, now, next)
#define STEP_D(l, q, before, now, next) STEP_E(l, q, before, now, next) WORDS_BEGIN(l, before, now)
#define STEP_E(l, q, before, now, next) LOW(l, q, now) WORDS_END(l, before, now, next) HIGH(l)
#define STEP_F(l, q, before, now, next) LOW(l, q, now) HIGH(l)

/* ---- A group ---- */

#define NOTHING(l)

/* The steps; first and second: what of the cipher stands after this step of lane 0 and of lane 1 */
#define GROUP(STEPS)                                                                               \
    STEPS(STEP_A, 0, 3, 0, 1, CIPHER_0, NOTHING)                                                   \
    STEPS(STEP_B, 1, 0, 1, 2, NOTHING, CIPHER_0)                                                   \
    STEPS(STEP_B, 2, 1, 2, 3, NOTHING, NOTHING)                                                    \
    STEPS(STEP_C, 3, 2, 3, 0, NOTHING, NOTHING)                                                    \
    STEPS(STEP_D, 4, 3, 0, 1, CIPHER_1, NOTHING)                                                   \
    STEPS(STEP_D, 5, 0, 1, 2, NOTHING, CIPHER_1)                                                   \
    STEPS(STEP_D, 6, 1, 2, 3, NOTHING, NOTHING)                                                    \
    STEPS(STEP_D, 7, 2, 3, 0, NOTHING, NOTHING)                                                    \
    STEPS(STEP_D, 8, 3, 0, 1, CIPHER_2, NOTHING)                                                   \
    STEPS(STEP_D, 9, 0, 1, 2, NOTHING, CIPHER_2)                                                   \
    STEPS(STEP_D, 10, 1, 2, 3, NOTHING, NOTHING)                                                   \
    STEPS(STEP_D, 11, 2, 3, 0, NOTHING, NOTHING)                                                   \
    STEPS(STEP_D, 12, 3, 0, 1, CIPHER_3, NOTHING)                                                  \
    STEPS(STEP_E, 13, 0, 1, 2, NOTHING, CIPHER_3)                                                  \
    STEPS(STEP_E, 14, 1, 2, 3, NOTHING, NOTHING)                                                   \
    STEPS(STEP_F, 15, 2, 3, 0, NOTHING, NOTHING)

#define ONE_LANE(STEP, q, before, now, next, first, second) STEP(0, q, before, now, next) first(0)
#define TWO_LANES(STEP, q, before, now, next, first, second)                                       \
    STEP(0, q, before, now, next) first(0) STEP(1, q, before, now, next) second(1)

#define STATE_KEEP(l)                                                                              \
    DO("movdqa " X(l, A) ", " AT(l, "128")) DO("movdqa " X(l, C) ", " AT(l, "144"))
#define STATE_ADD(l) DO("paddd " AT(l, "128") ", " X(l, A)) DO("paddd " AT(l, "144") ", " X(l, C))
#define ADVANCE(l)                                                                                 \
    DO("add $64, %[text" #l "]") DO("add $64, %[in" #l "]") DO("add $64, %[out" #l "]")

#define CONSTANTS                                                                                  \
    [constants] "r"(duet__sha256_constants), [word_bytes] "m"(*(const __m128i *)word_bytes),       \
        [counter_bytes] "m"(counter_bytes), [blocks_each] "m"(blocks_each)
#define STATE_READ(l)                                                                              \
    DO("movdqa " STATE(l, "16") ", " X(l, A)) DO("movdqa " STATE(l, "32") ", " X(l, C))
#define STATE_WRITE(l)                                                                             \
    DO("movdqa " X(l, A) ", " STATE(l, "16")) DO("movdqa " X(l, C) ", " STATE(l, "32"))
#define LOOP(group) DO(".p2align 5") DO("1:") group DO("dec %[groups]") DO("jnz 1b")
#define EACH(what)  what(0) what(1)
#define CLOBBERS                                                                                   \
    "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",        \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* More than any compiler must take. */
#pragma GCC diagnostic ignored "-Woverlength-strings"

/** So many groups of one lane, at least one. */
static void
run_one(struct work *work, struct lane *lane, size_t groups)
{
    __asm__ volatile(STATE_READ(0) LOOP(STATE_KEEP(0) GROUP(ONE_LANE) STATE_ADD(0) ADVANCE(0))
                         STATE_WRITE(0)
                     : [groups] "+r"(groups), [text0] "+r"(lane->text), [in0] "+r"(lane->in),
                       [out0] "+r"(lane->out)
                     : [work] "r"(work), [lane] "r"(lane), [key0] "r"(lane->round), CONSTANTS
                     : CLOBBERS);
}

/** So many groups of each of two lanes, at least one. */
static void
run_two(struct work work[LANES], struct lane lane[LANES], size_t groups)
{
    __asm__ volatile(
        EACH(STATE_READ) LOOP(EACH(STATE_KEEP) GROUP(TWO_LANES) EACH(STATE_ADD) EACH(ADVANCE))
            EACH(STATE_WRITE)
        : [groups] "+r"(groups), [text0] "+r"(lane[0].text), [in0] "+r"(lane[0].in),
          [out0] "+r"(lane[0].out), [text1] "+r"(lane[1].text), [in1] "+r"(lane[1].in),
          [out1] "+r"(lane[1].out)
        : [work] "r"(work), [lane] "r"(lane), [key0] "r"(lane[0].round), [key1] "r"(lane[1].round),
          CONSTANTS
        : CLOBBERS);
}

/* What the parts of the cipher use; the upper halves are zero already. */
static inline void
wipe_registers(void)
{
    __asm__ volatile(DO("pxor %%xmm0, %%xmm0") DO("pxor %%xmm13, %%xmm13")
                         DO("pxor %%xmm14, %%xmm14") DO("pxor %%xmm15, %%xmm15")
                     :
                     :
                     : "xmm0", "xmm13", "xmm14", "xmm15");
}

/* The assembler keeps it there: it is the chain, which makes the MAC. */
static inline void
wipe_lane(struct lane *lane)
{
    duet__wipe_small(&lane->state, sizeof lane->state);
}

/* ---- Passes ---- */

static ALWAYS void
cipher_step(unsigned step, __m128i b[BLOCKS], struct lane *lane)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        if (step == 0)
            b[i] = _mm_xor_si128(next_block(&lane->counter), lane->round[0]);
        else if (step < ROUNDS)
            b[i] = _mm_aesenc_si128(b[i], lane->round[step]);
        else if (step == ROUNDS)
            b[i] = _mm_aesenclast_si128(b[i], lane->round[ROUNDS]);
        else
            store(lane->out + 16 * i, _mm_xor_si128(b[i], load(lane->in + 16 * i)));
    }
}

static ALWAYS void
cipher_group(struct lane *lane)
{
    __m128i b[BLOCKS];

#define STEP(q) cipher_step(q, b, lane)
    SIXTEEN(STEP);
#undef STEP
    lane->in += 64;
    lane->out += 64;
}

/** Set up work for the next groups of a lane. Returns for how many of most: the assembler adds to
 * the low halves of the counters alone, so it stops before one of them wraps. */
static size_t
work_begin(struct work *work, const struct lane *lane, size_t most)
{
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(lane->counter);
    uint64_t high = (uint64_t)_mm_extract_epi64(lane->counter, 1);
    uint64_t last = low + (BLOCKS - 1);

    DUET__PUBLIC(&low, sizeof low); /* a counter is a nonce */
    DUET__PUBLIC(&last, sizeof last);
    for (unsigned i = 0; i < BLOCKS; i++) {
        uint64_t block = low + i;
        uint64_t above = high + (block < low);
        work->counter[i] = _mm_set_epi64x((long long)above, (long long)block);
    }
    uint64_t before_wrap = last < low ? 1 : (UINT64_MAX - last) / BLOCKS + 1;
    return before_wrap < most ? (size_t)before_wrap : most;
}

/** Move the counter on. */
static void
count_groups(struct lane *lane, size_t groups)
{
    uint64_t low = (uint64_t)_mm_cvtsi128_si64(lane->counter);
    uint64_t high = (uint64_t)_mm_extract_epi64(lane->counter, 1);
    uint64_t next = low + BLOCKS * (uint64_t)groups;

    high += next < low;
    lane->counter = _mm_set_epi64x((long long)high, (long long)next);
}

static void
pass(struct lane *lane, size_t groups)
{
    struct work work;

    while (groups > 0) {
        size_t n = work_begin(&work, lane, groups);
        run_one(&work, lane, n);
        count_groups(lane, n);
        groups -= n;
    }
    duet__wipe_small(&work, sizeof work);
}

static void
pass2(struct lane lane[LANES], size_t groups)
{
    struct work work[LANES];

    while (groups > 0) {
        size_t n = work_begin(&work[0], &lane[0], groups);
        n = work_begin(&work[1], &lane[1], n);
        run_two(work, lane, n);
        count_groups(&lane[0], n);
        count_groups(&lane[1], n);
        groups -= n;
    }
    duet__wipe_small(work, sizeof work);
}

#endif
