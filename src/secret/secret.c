/*
 * Shared secrets: their bytes, id and text (docs/protocol.md §2).
 */
#include "secret/secret.h"

#include "base/base64.h"

#include "base/ini.h"
#include "base/public.h"
#include "base/wipe.h"
#include "crypto/hkdf.h"
#include "crypto/init.h"
#include "os/os.h"

#include <duet/duet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS_MOST = (int)DUET__BASE64_SIZE(DUET_SECRET_MOST) };
enum { ID_DIGITS = 2 * DUET_SECRET_ID_SIZE };
enum { DAY = 24 * 3600 }; /* seconds */

/* ---- The bytes ---- */

int
duet__secret_fill(struct duet__secret *secret, const uint8_t *bytes, size_t size)
{
    if (size % 2 != 0 || size < DUET_SECRET_LEAST || size > DUET_SECRET_MOST)
        return DUET_E_LENGTH;
    if (duet__init() != DUET_OK)
        return DUET_E_CRYPTO;
    secret->bytes = duet__os_locked_new(size);
    if (secret->bytes == NULL)
        return DUET_E_MEMORY;
    duet__copy_secret(secret->bytes, bytes, size);
    secret->size = size;
    duet__secret_id(secret->id, secret->bytes, size);
    return DUET_OK;
}

/* ---- Dates ---- */

/** Days from 1970-01-01 to a date. Years begin in March here, so that a leap day comes last. */
static int64_t
days_to(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month < 3 ? year - 1 : year, m = month < 3 ? month + 9 : month - 3;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 719469;
}

void
duet__write_date(char out[11], int64_t seconds)
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

/** Read YYYY-MM-DD as the last second of that day, UTC. Returns 0, or -1. */
static int
read_date(int64_t *seconds, struct duet__text text)
{
    uint64_t year, month, day;
    char back[11];

    if (text.size != 10 || duet__text_number(&year, (struct duet__text){text.at, 4}, 9999) != 0 ||
        duet__text_number(&month, (struct duet__text){text.at + 5, 2}, 12) != 0 ||
        duet__text_number(&day, (struct duet__text){text.at + 8, 2}, 31) != 0 || year < 1970)
        return -1;
    *seconds = (days_to((int64_t)year, (int64_t)month, (int64_t)day) + 1) * DAY - 1;
    duet__write_date(back, *seconds); /* which is another date where the calendar has no such day */
    return memcmp(back, text.at, 10) == 0 ? 0 : -1; /* public: a date */
}

int
duet__secret_set_not_after(struct duet__secret *secret, int64_t seconds)
{
    if (seconds < 0 || seconds >= days_to(10000, 1, 1) * DAY)
        return DUET_E_MISUSE;
    secret->not_after = seconds == 0 ? 0 : (seconds / DAY + 1) * DAY - 1;
    return DUET_OK;
}

/* ---- Reading the text ---- */

struct reading {
    struct duet__secret *secret;
    char *digits; /* the secret's lines joined; owned, wiped */
    size_t size;
    char id[ID_DIGITS + 1]; /* as the text has it */
};

static void
write_id(char out[ID_DIGITS + 1], const uint8_t *id)
{
    for (size_t i = 0; i < DUET_SECRET_ID_SIZE; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static int
read_id(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;

    if (ini->value.size != ID_DIGITS)
        return duet__ini_refuse(ini, where, "Id is not 16 hex digits");
    memcpy(r->id, ini->value.at, ID_DIGITS);
    if (strspn(r->id, "0123456789abcdef") != ID_DIGITS)
        return duet__ini_refuse(ini, where, "Id is not 16 hex digits");
    return DUET_OK;
}

static int
read_digits(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;

    ini->continues = 1;
    if (ini->value.size > (size_t)DIGITS_MOST - r->size)
        return duet__ini_refuse(ini, where, "the secret is longer than %u bytes", DUET_SECRET_MOST);
    memcpy(r->digits + r->size, ini->value.at, ini->value.size);
    r->size += ini->value.size;
    return DUET_OK;
}

static int
read_not_after(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;

    if (read_date(&r->secret->not_after, ini->value) == 0)
        return DUET_OK;
    return duet__ini_refuse(ini, where, "NotAfter is not a date like 2027-10-01");
}

static int
read_keylog(void *into, struct duet__ini *ini, duet_where *where)
{
    struct reading *r = into;

    r->secret->allow_keylog = duet__text_is(ini->value, "yes");
    if (!r->secret->allow_keylog && !duet__text_is(ini->value, "no"))
        return duet__ini_refuse(ini, where, "AllowKeylog is neither yes nor no");
    return DUET_OK;
}

static const struct duet__ini_field fields[] = {
    {"Version", 1, duet__ini_version}, {"Id", 1, read_id},
    {"Secret", 1, read_digits},        {"NotAfter", 0, read_not_after},
    {"AllowKeylog", 0, read_keylog},   {NULL, 0, NULL}};

/** Make the secret of its digits, and compare its id with the text's. */
static int
decode_secret(struct reading *r, const struct duet__ini *ini, duet_where *where)
{
    char id[ID_DIGITS + 1];
    size_t size;

    uint8_t *bytes = malloc(DUET_SECRET_MOST);
    if (bytes == NULL)
        return DUET_E_MEMORY;
    int result = DUET_E_FORMAT;
    if (duet__base64_decode(bytes, DUET_SECRET_MOST, &size, r->digits, r->size) == 0)
        result = duet__secret_fill(r->secret, bytes, size);
    duet_wipe(bytes, DUET_SECRET_MOST);
    free(bytes);
    if (result == DUET_E_FORMAT)
        return duet__ini_refuse(ini, where, "Secret is not base64; the file is damaged");
    if (result == DUET_E_LENGTH)
        return duet__ini_refuse(
            ini, where,
            "Secret is not an even number of bytes from 64 to 65536; the file may be cut off");
    if (result != DUET_OK)
        return result;
    DUET__PUBLIC(r->secret->id, sizeof r->secret->id); /* it names the secret, and is shown */
    write_id(id, r->secret->id);
    if (strcmp(r->id, id) != 0) /* public */
        return duet__ini_refuse(ini, where, "Id does not match Secret; the file is damaged");
    return DUET_OK;
}

int
duet__secret_parse(struct duet__secret *secret, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    struct reading r = {.secret = secret, .digits = malloc(DIGITS_MOST)};
    unsigned seen;

    if (r.digits == NULL)
        return DUET_E_MEMORY;
    int result = duet__ini_only_section(&ini, where, "Secret", fields, &r, &seen);
    if (result == DUET_OK)
        result = decode_secret(&r, &ini, where);
    duet_wipe(r.digits, r.size);
    free(r.digits);
    return result;
}

/* ---- Writing it ---- */

/** Write what stands before the digits; returns its size. */
static size_t
write_head(char *out, size_t cap, const struct duet__secret *secret)
{
    char id[ID_DIGITS + 1], date[32] = "", day[11];

    write_id(id, secret->id);
    if (secret->not_after != 0) {
        duet__write_date(day, secret->not_after);
        snprintf(date, sizeof date, "NotAfter = %s\n", day);
    }
    return (size_t)snprintf(out, cap, "[Secret]\nVersion = 1\nId = %s\n%s%sSecret = ", id, date,
                            secret->allow_keylog ? "AllowKeylog = yes\n" : "");
}

int
duet__secret_format(char *out, size_t cap, size_t *size, const struct duet__secret *secret)
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
