/*
 * Shared secrets: their bytes, id and text (docs/protocol.md §2).
 */
#include "base/ini.h"
#include "secret/base64.h"

#include "base/copy.h"
#include "base/equal.h"
#include "base/public.h"
#include "crypto/hkdf.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, ID = 2, SECRET = 4, NOT_AFTER = 8, KEYLOG = 16 }; /* what a text has shown */
enum { DIGITS_MOST = (int)DUET__BASE64_SIZE(DUET_SECRET_MOST) };
enum { DAY = 24 * 3600 }; /* seconds */

/* ---- The bytes ---- */

int
duet_secret_init(duet_secret *secret, const uint8_t *bytes, size_t size)
{
    memset(secret, 0, sizeof *secret);
    if (size % 2 != 0 || size < DUET_SECRET_LEAST || size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    if (duet_init() != DUET_OK)
        return DUET_E_CRYPTO;
    secret->bytes = malloc(size);
    if (secret->bytes == NULL)
        return DUET_E_MEMORY;
    duet__copy_secret(secret->bytes, bytes, size);
    secret->size = size;
    duet__secret_id(secret->id, secret->bytes, size);
    return DUET_OK;
}

void
duet_secret_wipe(duet_secret *secret)
{
    if (secret == NULL)
        return;
    if (secret->bytes != NULL)
        duet_wipe(secret->bytes, secret->size);
    free(secret->bytes);
    duet_wipe(secret, sizeof *secret);
}

/* ---- Dates ---- */

/** Days from 1970-01-01 to a date of the Gregorian calendar, 1970 or later. */
static int64_t
days_to(int64_t year, int64_t month, int64_t day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = month > 2 ? year + 1 : year; /* leap days of the years before it */

    return (year - 1970) * 365 + before[month - 1] + day - 1 + ((y - 1) / 4 - 1969 / 4) -
           ((y - 1) / 100 - 1969 / 100) + ((y - 1) / 400 - 1969 / 400);
}

static int
days_of_month(unsigned year, unsigned month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

/** Read YYYY-MM-DD as the last second of that day, UTC. Returns 0, or -1. */
static int
read_date(int64_t *seconds, struct duet__text text)
{
    uint64_t year, month, day;

    if (text.size != 10 || text.at[4] != '-' || text.at[7] != '-' ||
        duet__text_number(&year, (struct duet__text){text.at, 4}, 9999) != 0 ||
        duet__text_number(&month, (struct duet__text){text.at + 5, 2}, 12) != 0 ||
        duet__text_number(&day, (struct duet__text){text.at + 8, 2}, 31) != 0)
        return -1;
    if (year < 1970 || month < 1 || day < 1 ||
        (int)day > days_of_month((unsigned)year, (unsigned)month))
        return -1;
    *seconds = (days_to((int64_t)year, (int64_t)month, (int64_t)day) + 1) * DAY - 1;
    return 0;
}

/** Write it again. */
static void
write_date(char out[11], int64_t seconds)
{
    int64_t days = seconds / DAY;
    unsigned year = 1970, month = 1;

    while (year < 9999 && days_to(year + 1, 1, 1) <= days)
        year++;
    while (month < 12 && days_to(year, month + 1, 1) <= days)
        month++;
    snprintf(out, 11, "%04u-%02u-%02u", year % 10000, month % 100,
             (unsigned)(days - days_to(year, month, 1) + 1) % 100);
}

/* ---- Reading the text ---- */

struct reading {
    duet_secret *secret;
    duet_where *where;
    char *digits; /* the secret's lines joined; owned, wiped */
    size_t size;
    unsigned seen;
    uint8_t id[DUET_SECRET_ID_SIZE];
};

static int
read_id(struct reading *r, const struct duet__ini *ini)
{
    if (ini->value.size != 2 * sizeof r->id)
        return duet__ini_refuse(ini, r->where, "Id is not 16 hex digits");
    for (size_t i = 0; i < 2 * sizeof r->id; i++) {
        char c = ini->value.at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return duet__ini_refuse(ini, r->where, "Id is not 16 hex digits");
        r->id[i / 2] = (uint8_t)(r->id[i / 2] << 4 | digit);
    }
    return duet__ini_once(ini, r->where, &r->seen, ID);
}

static int
add_digits(struct reading *r, const struct duet__ini *ini)
{
    if (ini->value.size > (size_t)DIGITS_MOST - r->size)
        return duet__ini_refuse(ini, r->where, "the secret is longer than %u bytes",
                                DUET_SECRET_MOST);
    memcpy(r->digits + r->size, ini->value.at, ini->value.size);
    r->size += ini->value.size;
    return DUET_OK;
}

static int
read_name(struct reading *r, struct duet__ini *ini)
{
    if (duet__text_is(ini->name, "Secret")) {
        ini->continues = 1;
        int result = duet__ini_once(ini, r->where, &r->seen, SECRET);
        return result == DUET_OK ? add_digits(r, ini) : result;
    }
    if (duet__text_is(ini->name, "Version")) {
        if (!duet__text_is(ini->value, "1"))
            return duet__ini_refuse(ini, r->where, "Version is not 1: made by a later duet?");
        return duet__ini_once(ini, r->where, &r->seen, VERSION);
    }
    if (duet__text_is(ini->name, "Id"))
        return read_id(r, ini);
    if (duet__text_is(ini->name, "NotAfter")) {
        if (read_date(&r->secret->not_after, ini->value) != 0)
            return duet__ini_refuse(ini, r->where, "NotAfter is no date like 2027-10-01");
        return duet__ini_once(ini, r->where, &r->seen, NOT_AFTER);
    }
    if (duet__text_is(ini->name, "AllowKeylog")) {
        r->secret->allow_keylog = duet__text_is(ini->value, "yes");
        if (!r->secret->allow_keylog && !duet__text_is(ini->value, "no"))
            return duet__ini_refuse(ini, r->where, "AllowKeylog is neither yes nor no");
        return duet__ini_once(ini, r->where, &r->seen, KEYLOG);
    }
    return duet__ini_refuse(
        ini, r->where,
        "an unknown name: a secret has Version, Id, Secret, NotAfter and AllowKeylog");
}

static int
read_lines(struct reading *r, struct duet__ini *ini)
{
    int result = duet__ini_next(ini, r->where);

    if (result == DUET_OK &&
        (ini->kind != DUET__INI_SECTION || !duet__text_is(ini->name, "Secret")))
        return duet__ini_refuse(ini, r->where, "no secret: it begins with [Secret]");
    while (result == DUET_OK) {
        result = duet__ini_next(ini, r->where);
        if (result != DUET_OK || ini->kind == DUET__INI_END)
            return result;
        if (ini->kind == DUET__INI_VALUE)
            result = read_name(r, ini);
        else if (ini->kind == DUET__INI_CONTINUED)
            result = add_digits(r, ini);
        else
            return duet__ini_refuse(ini, r->where, "only Name = value may stand here");
    }
    return result;
}

/** The digits are all here: make the secret of them, and hold its id against the one that is told.
 */
static int
decode(struct reading *r, const struct duet__ini *ini)
{
    const unsigned all = VERSION | ID | SECRET;
    duet_secret made;
    size_t size;

    if ((r->seen & all) != all)
        return duet__ini_refuse(ini, r->where,
                                "Version, Id or Secret is missing: is the file truncated?");
    uint8_t *bytes = malloc(DUET_SECRET_MOST);
    if (bytes == NULL)
        return DUET_E_MEMORY;
    int result = duet__base64_decode(bytes, DUET_SECRET_MOST, &size, r->digits, r->size) == 0
                     ? duet_secret_init(&made, bytes, size)
                     : DUET_E_FORMAT;
    duet_wipe(bytes, DUET_SECRET_MOST);
    free(bytes);
    if (result == DUET_E_FORMAT)
        return duet__ini_refuse(ini, r->where, "Secret is not base64: is the file damaged?");
    if (result == DUET_E_LENGTH)
        return duet__ini_refuse(ini, r->where,
                                "not an even number of bytes from 64 to 65536: is the file cut?");
    if (result != DUET_OK)
        return result;
    r->secret->bytes = made.bytes;
    r->secret->size = made.size;
    memcpy(r->secret->id, made.id, sizeof made.id);
    DUET__PUBLIC(made.id, sizeof made.id); /* it names the secret, and is shown */
    if (!duet__equal(r->id, made.id, sizeof made.id))
        return duet__ini_refuse(ini, r->where,
                                "Id is not that of the Secret: is the file damaged?");
    return DUET_OK;
}

int
duet_secret_parse(duet_secret *secret, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    struct reading r = {.secret = secret, .where = where};

    memset(secret, 0, sizeof *secret);
    memset(where, 0, sizeof *where);
    r.digits = malloc((size_t)DIGITS_MOST);
    if (r.digits == NULL)
        return DUET_E_MEMORY;
    int result = read_lines(&r, &ini);
    if (result == DUET_OK)
        result = decode(&r, &ini);
    duet_wipe(r.digits, r.size);
    free(r.digits);
    if (result != DUET_OK)
        duet_secret_wipe(secret);
    return result;
}

/* ---- Writing it ---- */

/** What stands before the digits; returns its size. */
static size_t
write_head(char *out, size_t cap, const duet_secret *secret)
{
    char date[32] = "", day[11];
    const uint8_t *id = secret->id;

    if (secret->not_after != 0) {
        write_date(day, secret->not_after);
        snprintf(date, sizeof date, "NotAfter = %s\n", day);
    }
    return (size_t)snprintf(out, cap,
                            "[Secret]\nVersion = 1\nId = %02x%02x%02x%02x%02x%02x%02x%02x\n"
                            "%s%sSecret = ",
                            id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], date,
                            secret->allow_keylog ? "AllowKeylog = yes\n" : "");
}

int
duet_secret_format(char *out, size_t cap, size_t *size, const duet_secret *secret)
{
    char head[160];
    const size_t per_line = 48; /* bytes, for 64 digits */
    size_t n = write_head(head, sizeof head, secret);
    size_t lines = (secret->size + per_line - 1) / per_line;

    /* Each line ends; each but the first is indented by four. */
    *size = n + DUET__BASE64_SIZE(secret->size) + lines + (lines - 1) * 4;
    if (cap < *size)
        return DUET_E_ROOM;
    memcpy(out, head, n);
    out += n;
    for (size_t at = 0; at < secret->size; at += per_line) {
        size_t part = secret->size - at < per_line ? secret->size - at : per_line;
        if (at > 0) {
            memset(out, ' ', 4);
            out += 4;
        }
        duet__base64_encode(out, secret->bytes + at, part);
        out += DUET__BASE64_SIZE(part);
        *out++ = '\n';
    }
    return DUET_OK;
}

/* ---- What a text is ---- */

enum duet_kind
duet_kind_of(const char *text, size_t size)
{
    struct duet__ini ini = duet__ini(text, size);
    duet_where where;

    if (duet__ini_next(&ini, &where) != DUET_OK)
        return DUET_KIND_UNKNOWN;
    if (ini.kind != DUET__INI_SECTION)
        return DUET_KIND_UNKNOWN;
    if (duet__text_is(ini.name, "Secret"))
        return DUET_KIND_SECRET;
    if (duet__text_is(ini.name, "Identity"))
        return DUET_KIND_IDENTITY;
    if (duet__text_is(ini.name, "Profile"))
        return DUET_KIND_PROFILE;
    /* public: a section's name */
    return ini.name.size > 5 && memcmp(ini.name.at, "Peer ", 5) == 0 ? DUET_KIND_PEERS
                                                                     : DUET_KIND_UNKNOWN;
}
