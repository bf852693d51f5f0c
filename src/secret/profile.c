/*
 * Profiles: what both parties agree on beside the secret (docs/protocol.md §6).
 *
 * Pad and Cover are names of a later version: they are checked, and reported as unsupported.
 */
#include "secret/secret.h"

#include "base/ini.h"
#include "base/utf8.h"
#include "wire/wire.h"

#include <string.h>

enum { PAD_MOST = 65536 };                              /* bytes */
enum { COVER_MS_LEAST = 10, COVER_MS_MOST = 86400000 }; /* 10 ms to a day */

void
duet__profile_init(struct duet__profile *profile)
{
    memset(profile, 0, sizeof *profile);
    profile->hello_pad_most = WIRE_HELLO_PAD;
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

/** Two numbers with blanks between them. Returns 0, or -1. */
static int
two_numbers(uint64_t out[2], struct duet__text text, uint64_t most)
{
    size_t i = 0, j;

    while (i < text.size && text.at[i] != ' ' && text.at[i] != '\t')
        i++;
    for (j = i; j < text.size && (text.at[j] == ' ' || text.at[j] == '\t');)
        j++;
    if (duet__text_number(&out[0], (struct duet__text){text.at, i}, most) != 0)
        return -1;
    return duet__text_number(&out[1], (struct duet__text){text.at + j, text.size - j}, most);
}

static int
read_hello_pad(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    uint64_t bounds[2];

    if (two_numbers(bounds, ini->value, WIRE_HELLO_PAD_MOST) != 0 || bounds[0] > bounds[1])
        return duet__ini_refuse(ini, where, "HelloPad is not two numbers up to %d, the least first",
                                WIRE_HELLO_PAD_MOST);
    profile->hello_pad_least = (uint32_t)bounds[0];
    profile->hello_pad_most = (uint32_t)bounds[1];
    return DUET_OK;
}

static int
read_pad(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    uint64_t block = 1;

    profile->unsupported |= !duet__text_is(ini->value, "none");
    if (duet__text_is(ini->value, "none") || duet__text_is(ini->value, "power2"))
        return DUET_OK;
    /* public: a profile's word */
    if (ini->value.size <= 6 || memcmp(ini->value.at, "block:", 6) != 0 ||
        duet__text_number(&block, (struct duet__text){ini->value.at + 6, ini->value.size - 6},
                          PAD_MOST) != 0 ||
        block < 1)
        return duet__ini_refuse(ini, where, "Pad is not none, power2, or block:N with N up to %d",
                                PAD_MOST);
    return DUET_OK;
}

static int
read_cover(void *into, struct duet__ini *ini, duet_where *where)
{
    struct duet__profile *profile = into;
    uint64_t numbers[2];

    if (duet__text_is(ini->value, "off"))
        return DUET_OK;
    profile->unsupported = 1;
    if (two_numbers(numbers, ini->value, COVER_MS_MOST) == 0 && numbers[0] >= COVER_MS_LEAST &&
        numbers[1] <= PAD_MOST)
        return DUET_OK;
    return duet__ini_refuse(ini, where,
                            "Cover is not off, or milliseconds from %d and bytes up to %d",
                            COVER_MS_LEAST, PAD_MOST);
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
                                                {"HelloPad", 0, read_hello_pad},
                                                {"Pad", 0, read_pad},
                                                {"Cover", 0, read_cover},
                                                {"RotateFrames", 0, read_rotate_frames},
                                                {"RotateBlocks", 0, read_rotate_blocks},
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

    if (key->kind != DUET_KIND_PROFILE)
        return 0;
    switch (which) {
    case DUET_PROFILE_HELLO_PAD_LEAST:
        return profile->hello_pad_least;
    case DUET_PROFILE_HELLO_PAD_MOST:
        return profile->hello_pad_most;
    case DUET_PROFILE_ROTATE_FRAMES:
        return profile->rotate_frames;
    case DUET_PROFILE_ROTATE_BLOCKS:
        return profile->rotate_blocks;
    case DUET_PROFILE_UNSUPPORTED:
        return (uint32_t)profile->unsupported;
    }
    return 0;
}
