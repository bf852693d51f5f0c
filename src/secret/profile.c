/*
 * Profiles: what both parties agreed on beside the secret (docs/protocol.md §6).
 */
#include "base/ini.h"
#include "base/utf8.h"

#include "wire/wire.h"

#include <string.h>

enum { PAD_MOST = 65536 };                              /* bytes */
enum { COVER_MS_LEAST = 10, COVER_MS_MOST = 86400000 }; /* 10 ms to a day */

void
duet_profile_init(duet_profile *profile)
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
read_label(duet_profile *profile, const struct duet__ini *ini, duet_where *where)
{
    if (ini->text.size > DUET_LABEL_MOST)
        return duet__ini_refuse(ini, where, "Label is longer than %u bytes", DUET_LABEL_MOST);
    if (!is_utf8(ini->text))
        return duet__ini_refuse(ini, where, "Label is not UTF-8");
    memcpy(profile->label, ini->text.at, ini->text.size);
    profile->label_size = ini->text.size;
    return DUET_OK;
}

static int
hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** One byte of a prelude: itself, \\ or \xNN. Returns the characters that it took, 0: malformed.
 */
static size_t
unescape(uint8_t *byte, const char *at, size_t left)
{
    *byte = (uint8_t)at[0];
    if (at[0] != '\\')
        return 1;
    if (left >= 2 && at[1] == '\\')
        return 2;
    if (left < 4 || at[1] != 'x' || hex(at[2]) < 0 || hex(at[3]) < 0)
        return 0;
    *byte = (uint8_t)(hex(at[2]) << 4 | hex(at[3]));
    return 4;
}

static int
read_prelude(duet_profile *profile, enum duet_role role, const struct duet__ini *ini,
             duet_where *where)
{
    size_t size = 0;

    for (size_t at = 0; at < ini->text.size;) {
        uint8_t byte;
        size_t took = unescape(&byte, ini->text.at + at, ini->text.size - at);
        if (took == 0)
            return duet__ini_refuse(ini, where, "a \\ must be followed by \\ or by xNN");
        if (size == DUET_PRELUDE_MOST)
            return duet__ini_refuse(ini, where, "a prelude is %u bytes at most", DUET_PRELUDE_MOST);
        profile->prelude[role][size++] = byte;
        at += took;
    }
    profile->prelude_size[role] = size;
    return DUET_OK;
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
read_hello_pad(duet_profile *profile, const struct duet__ini *ini, duet_where *where)
{
    uint64_t bounds[2];

    if (two_numbers(bounds, ini->value, WIRE_HELLO_PAD_MOST) != 0 || bounds[0] > bounds[1])
        return duet__ini_refuse(ini, where, "HelloPad is not two numbers up to %d, the least first",
                                WIRE_HELLO_PAD_MOST);
    profile->hello_pad_least = (uint32_t)bounds[0];
    profile->hello_pad_most = (uint32_t)bounds[1];
    return DUET_OK;
}

static int
read_pad(duet_profile *profile, const struct duet__ini *ini, duet_where *where)
{
    uint64_t block;

    profile->pad_block = 0;
    profile->pad = DUET_PAD_NONE;
    if (duet__text_is(ini->value, "none"))
        return DUET_OK;
    profile->pad = DUET_PAD_POWER2;
    if (duet__text_is(ini->value, "power2"))
        return DUET_OK;
    profile->pad = DUET_PAD_BLOCK;
    /* public: a profile's word */
    if (ini->value.size <= 6 || memcmp(ini->value.at, "block:", 6) != 0 ||
        duet__text_number(&block, (struct duet__text){ini->value.at + 6, ini->value.size - 6},
                          PAD_MOST) != 0 ||
        block < 1)
        return duet__ini_refuse(ini, where, "Pad is not none, power2, or block:N with N up to %d",
                                PAD_MOST);
    profile->pad_block = (uint32_t)block;
    return DUET_OK;
}

static int
read_cover(duet_profile *profile, const struct duet__ini *ini, duet_where *where)
{
    uint64_t numbers[2] = {0, 0};

    if (!duet__text_is(ini->value, "off") &&
        (two_numbers(numbers, ini->value, COVER_MS_MOST) != 0 || numbers[0] < COVER_MS_LEAST ||
         numbers[1] > PAD_MOST))
        return duet__ini_refuse(ini, where,
                                "Cover is not off, or milliseconds from %d and bytes up to %d",
                                COVER_MS_LEAST, PAD_MOST);
    profile->cover_ms = (uint32_t)numbers[0];
    profile->cover_size = (uint32_t)numbers[1];
    return DUET_OK;
}

static int
read_exponent(unsigned *exponent, const struct duet__ini *ini, duet_where *where)
{
    uint64_t number;

    if (duet__text_number(&number, ini->value, WIRE_ROTATE_MOST) != 0 || number < WIRE_ROTATE_LEAST)
        return duet__ini_refuse(ini, where, "not a number from %d to %d", WIRE_ROTATE_LEAST,
                                WIRE_ROTATE_MOST);
    *exponent = (unsigned)number;
    return DUET_OK;
}

static const char *const names[] = {"Label", "PreludeTop", "PreludeBottom", "HelloPad",
                                    "Pad",   "Cover",      "RotateFrames",  "RotateBlocks"};
enum name { LABEL, PRELUDE_TOP, PRELUDE_BOTTOM, HELLO_PAD, PAD, COVER, FRAMES, BLOCKS, NAMES };

static int
read_value(duet_profile *profile, enum name name, const struct duet__ini *ini, duet_where *where)
{
    switch (name) {
    case LABEL:
        return read_label(profile, ini, where);
    case PRELUDE_TOP:
        return read_prelude(profile, DUET_TOP, ini, where);
    case PRELUDE_BOTTOM:
        return read_prelude(profile, DUET_BOTTOM, ini, where);
    case HELLO_PAD:
        return read_hello_pad(profile, ini, where);
    case PAD:
        return read_pad(profile, ini, where);
    case COVER:
        return read_cover(profile, ini, where);
    case FRAMES:
        return read_exponent(&profile->rotate_frames, ini, where);
    case BLOCKS:
        return read_exponent(&profile->rotate_blocks, ini, where);
    default:
        return duet__ini_refuse(ini, where, "an unknown name: see \"Profiles\" in duet(1)");
    }
}

static int
read_name(duet_profile *profile, const struct duet__ini *ini, duet_where *where, unsigned *seen)
{
    unsigned name = 0;

    while (name < NAMES && !duet__text_is(ini->name, names[name]))
        name++;
    int result = duet__ini_once(ini, where, seen, name < NAMES ? 1u << name : 0);
    return result == DUET_OK ? read_value(profile, (enum name)name, ini, where) : result;
}

int
duet_profile_parse(duet_profile *profile, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    unsigned seen = 0;

    memset(where, 0, sizeof *where);
    duet_profile_init(profile);
    int result = duet__ini_next(&ini, where);
    if (result == DUET_OK && (ini.kind != DUET__INI_SECTION || !duet__text_is(ini.name, "Profile")))
        return duet__ini_refuse(&ini, where, "no profile: it begins with [Profile]");
    while (result == DUET_OK) {
        result = duet__ini_next(&ini, where);
        if (result != DUET_OK || ini.kind == DUET__INI_END)
            return result;
        if (ini.kind != DUET__INI_VALUE)
            return duet__ini_refuse(&ini, where, "only Name = value may stand here");
        result = read_name(profile, &ini, where, &seen);
    }
    return result;
}
