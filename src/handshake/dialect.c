/*
 * Dialects (see dialect.h; docs/protocol.md §6): the numbers of a secret, and openings of printable
 * characters, which traffic classifiers do not take for a fully encrypted flow.
 *
 * A number is public once it is taken from G: an observer sees its effect on the wire.
 */
#include "handshake/dialect.h"

#include "base/bytes.h"
#include "base/public.h"
#include "base/wipe.h"

/* ---- Numbers (§6) ---- */

enum { NUMBERS = 64, NUMBER_SIZE = 4 };
enum { FIELDS_LEAST = 3, LENGTH_LEAST = 8, LENGTH_MOST = 16, ALPHABETS = 8 };

/* Where in G a number lies: of each role's opening, the fields follow the first. */
enum {
    AT_OPENING = 0, /* of BOTTOM: 16 on */
    AT_HELLO_SIZE = 32,
    AT_FIRST = 34,
    AT_FIRST_SIZE = 35,
    AT_SILENCE = 37,
    AT_LINGER = 39
};

static uint32_t
number(const uint8_t *g, int i, uint32_t least, uint32_t most)
{
    return least + duet__load32(g + NUMBER_SIZE * (size_t)i) % (most - least + 1);
}

/** Number i, and a second one that is more by number i + 1. */
static struct duet__range
range(const uint8_t *g, int i, struct duet__range least, struct duet__range more)
{
    uint32_t begin = number(g, i, least.least, least.most);

    return (struct duet__range){begin, begin + number(g, i + 1, more.least, more.most)};
}

static void
derive_opening(struct duet__dialect *dialect, enum duet_role role, const uint8_t *g, int at)
{
    unsigned count = number(g, at, FIELDS_LEAST, WIRE_OPENING_FIELDS);

    dialect->count[role] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        struct duet__dialect_field *field = &dialect->fields[role][i];
        field->length = (uint8_t)number(g, at + 1 + 2 * (int)i, LENGTH_LEAST, LENGTH_MOST);
        field->alphabet = (uint8_t)number(g, at + 2 + 2 * (int)i, 0, ALPHABETS - 1);
        dialect->size[role] = (uint8_t)(dialect->size[role] + field->length);
    }
}

void
duet__dialect_derive(struct duet__dialect *dialect, struct duet__bytes secret,
                     const uint8_t label[WIRE_DIGEST])
{
    static const char salt[] = WIRE_VERSION_TEXT " dialect";
    struct duet__info info = duet__info("dialect", label);
    uint8_t prk[WIRE_DIGEST], g[NUMBERS * NUMBER_SIZE];

    duet__hkdf_extract(prk, (struct duet__bytes){salt, sizeof salt - 1}, secret);
    duet__derive(prk, &info, g, sizeof g);
    duet_wipe(prk, sizeof prk);
    DUET__PUBLIC(g, sizeof g);
    memset(dialect, 0, sizeof *dialect);
    dialect->used = 1;
    derive_opening(dialect, DUET_TOP, g, AT_OPENING);
    derive_opening(dialect, DUET_BOTTOM, g, AT_OPENING + 16);
    dialect->hello_size =
        range(g, AT_HELLO_SIZE, (struct duet__range){1400, 1600}, (struct duet__range){400, 1000});
    uint32_t more = number(g, AT_FIRST, 0, 2);
    dialect->first[DUET_TOP] = more == 1 ? 4 : 3;
    dialect->first[DUET_BOTTOM] = more == 2 ? 4 : 3;
    dialect->first_size =
        range(g, AT_FIRST_SIZE, (struct duet__range){4360, 4560}, (struct duet__range){200, 440});
    dialect->silence_ms = range(g, AT_SILENCE, (struct duet__range){30000, 45000},
                                (struct duet__range){30000, 75000});
    dialect->linger_ms =
        range(g, AT_LINGER, (struct duet__range){1000, 2000}, (struct duet__range){2000, 6000});
    duet_wipe(g, sizeof g); /* also the numbers that nothing on the wire shows */
}

/* ---- Openings ---- */

/* Alphabets as runs of characters; both ends included, 0 0 ends them. */
static const struct {
    char from, to;
} alphabets[ALPHABETS][3] = {
    {{'a', 'z'}},
    {{'A', 'Z'}},
    {{'A', 'Z'}, {'a', 'z'}},
    {{'0', '9'}, {'a', 'f'}},
    {{'0', '9'}, {'a', 'z'}},
    {{'0', '9'}, {'A', 'Z'}},
    {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}},
    {{'!', '~'}},
};

enum { RUNS = sizeof *alphabets / sizeof **alphabets };

static unsigned
run_size(unsigned alphabet, size_t i)
{
    char from = alphabets[alphabet][i].from;

    return from != 0 ? (unsigned)(alphabets[alphabet][i].to - from) + 1 : 0;
}

/** The n-th character of an alphabet, modulo its size. */
static uint8_t
character(unsigned alphabet, unsigned n)
{
    unsigned size = 0;
    size_t i = 0;

    for (size_t run = 0; run < RUNS; run++)
        size += run_size(alphabet, run);
    n %= size > 0 ? size : 1; /* no alphabet is empty */
    while (n >= run_size(alphabet, i))
        n -= run_size(alphabet, i++);
    return (uint8_t)(alphabets[alphabet][i].from + (int)n);
}

static int
is_of(unsigned alphabet, uint8_t byte)
{
    int found = 0;

    for (size_t i = 0; i < RUNS; i++)
        found |= (unsigned)(byte - alphabets[alphabet][i].from) < run_size(alphabet, i);
    return found;
}

void
duet__dialect_opening(const struct duet__dialect *dialect, enum duet_role role, uint8_t *out,
                      const uint8_t *random)
{
    const struct duet__dialect_field *field = dialect->fields[role];

    for (unsigned i = 0; i < dialect->count[role]; i++, field++)
        for (unsigned k = 0; k < field->length; k++, random += 2)
            *out++ = character(field->alphabet, duet__load16(random));
}

int
duet__dialect_fits(const struct duet__dialect *dialect, enum duet_role role, const uint8_t *opening)
{
    const struct duet__dialect_field *field = dialect->fields[role];
    int fits = 1;

    for (unsigned i = 0; i < dialect->count[role]; i++, field++)
        for (unsigned k = 0; k < field->length; k++)
            fits &= is_of(field->alphabet, *opening++);
    return fits;
}
