/*
 * The strict reader of the project's INI files: key, identity, peers, profile and duet.conf.
 *
 * One dialect: [Section]; Name = value, where a name is letters and dashes. Indentation means
 * nothing, except after a value that its format lets continue (a secret): there each indented line
 * is part of it. A line that begins with # or ; is a comment, and so is what follows a blank and a
 * ; behind a section or a value; free text is read with it (`text`). UTF-8's byte order mark is
 * skipped, CR LF ends a line as LF does, a NUL is refused.
 *
 * The reader points into the text that it is given and copies nothing, so it has nothing to wipe.
 */
#ifndef DUET_BASE_INI_H
#define DUET_BASE_INI_H

#include <duet/secret.h>

/** A run of characters in the text. */
struct duet__text {
    const char *at;
    size_t size;
};

/** What the last line was. */
enum duet__ini_kind { DUET__INI_END, DUET__INI_SECTION, DUET__INI_VALUE, DUET__INI_CONTINUED };

struct duet__ini {
    const char *at, *end; /* the rest of the text */
    unsigned line;        /* of what was read last, from 1 */
    enum duet__ini_kind kind;
    int continues;           /* set by the caller: indented lines belong to this value */
    struct duet__text name;  /* of a section, or of a value */
    struct duet__text value; /* of a value, without a comment; or its next line */
    struct duet__text text;  /* the same up to the line's end */
};

struct duet__ini duet__ini(const char *text, size_t size);

/** Read the next section or value, or the end of the text. Returns DUET_OK with ini->kind, or
 * DUET_E_FORMAT with *where; the next call then goes on with the line after. */
int duet__ini_next(struct duet__ini *ini, duet_where *where);

/** Report what is wrong with the last line (line 0: with the whole text). Returns DUET_E_FORMAT. */
int duet__ini_refuse(const struct duet__ini *ini, duet_where *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A name of a section, with the function that reads its value into the format's struct. */
struct duet__ini_field {
    const char *name; /* NULL: the list ends */
    int needed;       /* 1: the section must have it */
    int (*read)(void *into, struct duet__ini *ini, duet_where *where);
};

/** Read the fields of a section, each once at most, up to the next section or the end. *seen: a bit
 * for each field that is there. Returns DUET_OK, DUET_E_FORMAT, or a field's result. */
int duet__ini_section(struct duet__ini *ini, duet_where *where,
                      const struct duet__ini_field *fields, void *into, unsigned *seen);

/** The same for a text that has this one section and nothing else. */
int duet__ini_only_section(struct duet__ini *ini, duet_where *where, const char *section,
                           const struct duet__ini_field *fields, void *into, unsigned *seen);

/** The reader of `Version`, which is 1. */
int duet__ini_version(void *into, struct duet__ini *ini, duet_where *where);

/** 1 when the text equals a word. */
int duet__text_is(struct duet__text text, const char *word);

/** A decimal number without sign, at most `most`. Returns 0, or -1. */
int duet__text_number(uint64_t *number, struct duet__text text, uint64_t most);

#endif
