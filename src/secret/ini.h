/*
 * The strict reader of the project's small files: sections, and names with values.
 *
 * It points into the text that it is given and copies nothing, so there is nothing to wipe.
 * Comments begin with # or ; at a line's start; an indented line continues the value above it.
 */
#ifndef DUET_SECRET_INI_H
#define DUET_SECRET_INI_H

#include <duet/secret.h>

/** A run of characters in the text. */
struct duet__text {
    const char *at;
    size_t size;
};

/** What stands on the line that was read. */
enum duet__ini_kind { DUET__INI_END, DUET__INI_SECTION, DUET__INI_VALUE, DUET__INI_MORE };

struct duet__ini {
    const char *at, *end; /* what is left of the text */
    unsigned line;        /* of what was read last, from 1 */
    enum duet__ini_kind kind;
    struct duet__text name;  /* of a section, or of a value */
    struct duet__text value; /* of a value, or of its continuation */
};

struct duet__ini duet__ini(const char *text, size_t size);

/** Read the next thing. Returns DUET_OK with ini->kind, or DUET_E_FORMAT with *where. */
int duet__ini_next(struct duet__ini *ini, duet_where *where);

/** Say what is wrong with the line that was read last (line 0: with the text). Returns
 * DUET_E_FORMAT. */
int duet__ini_refuse(const struct duet__ini *ini, duet_where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** 1 when the text equals a word. */
int duet__text_is(struct duet__text text, const char *word);

/** A decimal number without sign, at most `most`. Returns 0, or -1. */
int duet__text_number(uint64_t *number, struct duet__text text, uint64_t most);

/** Take one name: refuses it when its bit is set already. Returns DUET_OK, DUET_E_FORMAT. */
int duet__ini_once(const struct duet__ini *ini, duet_where *where, unsigned *seen, unsigned bit);

#endif
