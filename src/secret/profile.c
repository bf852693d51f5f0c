/*
 * Profiles: what both parties agree on beside the secret (docs/protocol.md §6).
 *
 * HelloPad, Pad and Cover are names of version 0.1: they are refused, with what to write instead.
 */
#include "secret/secret.h"

#include "base/ini.h"
#include "base/utf8.h"
#include "wire/wire.h"

#include <string.h>

void
duet__profile_init(struct duet__profile *profile)
{
    memset(profile, 0, sizeof *profile);
    profile->hello_least = WIRE_HELLO_SIZE_LEAST;
    profile->hello_most = WIRE_HELLO_SIZE_MOST;
    profile->rotate_frames = WIRE_ROTATE_FRAMES;
    profile->rotate_blocks = WIRE_ROTATE_BLOCKS;
}

static int
is_utf8(struct duet__text text)
{
    size_t size;

    for (size_t i = 0; i < text.size; i += size) {
        size = duet__utf8_size(text.at + i, text.size - i);
        if (size == 0)
            return 0;
    }
    return 1;
}

static int
read_label(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    if (ini->text.size > DUET_LABEL_MOST)
        return duet__ini_refuse(ini, where, "Label is longer than %u bytes", DUET_LABEL_MOST);
    if (!is_utf8(ini->text))
        return duet__ini_refuse(ini, where, "Label is not UTF-8");
    memcpy(profile->label, ini->text.at, ini->text.size);
    profile->label_size = ini->text.size;
    return DUET_OK;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** One byte of a prelude: itself, \\ or \xNN. Returns the characters read; 0: malformed. */
static size_t
unescape(uint8_t *byte, const char *at, size_t left)
{
    *byte = (uint8_t)at[0];
    if (at[0] != '\\')
        return 1;
    if (left >= 2 && at[1] == '\\')
        return 2;
    if (left < 4 || at[1] != 'x' || hex_value(at[2]) < 0 || hex_value(at[3]) < 0)
        return 0;
    *byte = (uint8_t)(hex_value(at[2]) << 4 | hex_value(at[3]));
    return 4;
}

static int
read_prelude(struct duet__profile *profile, enum duet_role role, const struct duet__ini *ini,
             duet_where *where)
{
    size_t size = 0, taken;

    for (size_t at = 0; at < ini->text.size; at += taken) {
        uint8_t byte;
        taken = unescape(&byte, ini->text.at + at, ini->text.size - at);
        if (taken == 0)
            return duet__ini_refuse(ini, where, "a \\ must be followed by \\ or by xNN");
        if (size == DUET_PRELUDE_MOST)
            return duet__ini_refuse(ini, where, "a prelude is %u bytes at most", DUET_PRELUDE_MOST);
        profile->prelude[role][size++] = byte;
    }
    profile->prelude_size[role] = size;
    return DUET_OK;
}

static int
read_prelude_top(void *into, struct duet__ini *ini, duet_where *where)
{
    return read_prelude(into, DUET_TOP, ini, where);
}

static int
read_prelude_bottom(void *into, struct duet__ini *ini, duet_where *where)
{
    return read_prelude(into, DUET_BOTTOM, ini, where);
}

/** Exactly count numbers with blanks between them. Returns 0, or -1. */
static int
numbers(uint32_t *out, size_t count, struct duet__text text)
{
    const char *at = text.at, *end = text.at + text.size;

    for (size_t i = 0; i < count; i++) {
        const char *from = at;
        uint64_t number;
        while (at < end && *at != ' ' && *at != '\t')
            at++;
        struct duet__text word = {from, (size_t)(at - from)};
        if (duet__text_number(&number, word, WIRE_FLIGHT_MOST) != 0)
            return -1;
        out[i] = (uint32_t)number;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
    }
    return at == end ? 0 : -1;
}

static int
read_hello_size(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    uint32_t size[2];

    if (numbers(size, 2, ini->value) != 0 || size[0] > size[1])
        return duet__ini_refuse(
            ini, where, "HelloSize is not two numbers up to %d, the least first", WIRE_FLIGHT_MOST);
    profile->hello_least = size[0];
    profile->hello_most = size[1];
    profile->hello_given = 1;
    return DUET_OK;
}

static int
read_dialect(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;

    profile->dialect = duet__text_is(ini->value, "secret");
    if (profile->dialect || duet__text_is(ini->value, "none"))
        return DUET_OK;
    return duet__ini_refuse(ini, where, "Dialect is not none or secret");
}

static int
read_first(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    uint32_t first[3] = {0};

    if (!duet__text_is(ini->value, "none") &&
        (numbers(first, 3, ini->value) != 0 || first[0] > WIRE_FIRST_MOST || first[1] > first[2]))
        return duet__ini_refuse(ini, where,
                                "First is not none, or a number of writes up to %d and two sizes "
                                "up to %d, the least first",
                                WIRE_FIRST_MOST, WIRE_FLIGHT_MOST);
    profile->first = first[0];
    profile->first_least = first[1];
    profile->first_most = first[2];
    profile->first_given = 1;
    return DUET_OK;
}

static int
refuse_hello_pad(void *into, struct duet__ini *ini, duet_where *where)
{
    (void)into;
    return duet__ini_refuse(ini, where,
                            "HelloPad is no longer known: write HelloSize, which counts "
                            "the bytes of the whole flight");
}

static int
refuse_padding(void *into, struct duet__ini *ini, duet_where *where)
{
    (void)into;
    return duet__ini_refuse(ini, where,
                            "%.*s is no longer known, and never had an effect: remove it",
                            (int)ini->name.size, ini->name.at);
}

static int
read_exponent(uint32_t *exponent, const struct duet__ini *ini, duet_where *where)
{
    uint64_t number;

    if (duet__text_number(&number, ini->value, WIRE_ROTATE_MOST) != 0 || number < WIRE_ROTATE_LEAST)
        return duet__ini_refuse(ini, where, "not a number from %d to %d", WIRE_ROTATE_LEAST,
                                WIRE_ROTATE_MOST);
    *exponent = (uint32_t)number;
    return DUET_OK;
}

static int
read_rotate_frames(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;

    return read_exponent(&profile->rotate_frames, ini, where);
}

static int
read_rotate_blocks(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;

    return read_exponent(&profile->rotate_blocks, ini, where);
}

static const struct duet__ini_field fields[] = {{"Label", 0, read_label},
                                                {"PreludeTop", 0, read_prelude_top},
                                                {"PreludeBottom", 0, read_prelude_bottom},
                                                {"HelloSize", 0, read_hello_size},
                                                {"Dialect", 0, read_dialect},
                                                {"First", 0, read_first},
                                                {"RotateFrames", 0, read_rotate_frames},
                                                {"RotateBlocks", 0, read_rotate_blocks},
                                                {"HelloPad", 0, refuse_hello_pad},
                                                {"Pad", 0, refuse_padding},
                                                {"Cover", 0, refuse_padding},
                                                {NULL, 0, NULL}};

int
duet__profile_parse(struct duet__profile *profile, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    unsigned seen;

    duet__profile_init(profile);
    return duet__ini_only_section(&ini, where, "Profile", fields, profile, &seen);
}

/* ---- What it holds ---- */

const uint8_t *
duet_key_profile_text(const duet_key *key, enum duet_profile_text which, size_t *size)
{
    enum duet_role role = which == DUET_PROFILE_PRELUDE_TOP ? DUET_TOP : DUET_BOTTOM;
    const struct duet__profile *profile = &key->profile;

    *size = 0;
    if (key->kind != DUET_KIND_PROFILE)
        return NULL;
    if (which == DUET_PROFILE_LABEL) {
        *size = profile->label_size;
        return profile->label;
    }
    if (which != DUET_PROFILE_PRELUDE_TOP && which != DUET_PROFILE_PRELUDE_BOTTOM)
        return NULL;
    *size = profile->prelude_size[role];
    return profile->prelude[role];
}

uint32_t
duet_key_profile_number(const duet_key *key, enum duet_profile_number which)
{
    const struct duet__profile *profile = &key->profile;
    const uint32_t numbers_of[] = {
        [DUET_PROFILE_HELLO_LEAST] = profile->hello_least,
        [DUET_PROFILE_HELLO_MOST] = profile->hello_most,
        [DUET_PROFILE_ROTATE_FRAMES] = profile->rotate_frames,
        [DUET_PROFILE_ROTATE_BLOCKS] = profile->rotate_blocks,
        [DUET_PROFILE_DIALECT] = (uint32_t)profile->dialect,
        [DUET_PROFILE_FIRST] = profile->first,
        [DUET_PROFILE_FIRST_LEAST] = profile->first_least,
        [DUET_PROFILE_FIRST_MOST] = profile->first_most,
        [DUET_PROFILE_HELLO_GIVEN] = (uint32_t)profile->hello_given,
        [DUET_PROFILE_FIRST_GIVEN] = (uint32_t)profile->first_given,
    };

    if (key->kind != DUET_KIND_PROFILE)
        return 0;
    return (unsigned)which < sizeof numbers_of / sizeof *numbers_of ? numbers_of[which] : 0;
}
