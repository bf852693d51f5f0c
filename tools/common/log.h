/*
 * Messages to the user: one line for each error, on standard error, with its cause and its cure.
 */
#ifndef DUET_TOOL_LOG_H
#define DUET_TOOL_LOG_H

#include "exits.h"

#include <duet/duet.h>
#include <stddef.h>

/** Why a peer may stay silent. */
#define SILENCE_CAUSES                                                                             \
    "another secret, another profile or pattern, an identity that the peer does not trust, a "     \
    "clock that is off, or not duet"

/** How much is printed: -1 quiet (errors only), 0, 1 and more with -v. */
extern int log_level;

enum log_kind { LOG_AS_ERROR, LOG_AS_WARNING, LOG_AS_INFO };

/** 1: who reads does not read UTF-8, so names from outside are shown in ASCII; 0 by default. */
extern int log_ascii;

/** Where what is spoken of is described, such as "FILE:LINE: ": begins each line; NULL: nowhere. */
extern const char *log_place;

/** Who takes the lines; NULL: standard error, where they are printed as "duet: …". */
extern void (*log_line)(enum log_kind kind, const char *text);

/** Print "duet: …" as one line. Returns code, for `return log_error(EXIT_USAGE, …)`. */
int log_error(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** A warning: printed unless quiet. */
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** What people wait for, such as that a server listens: printed unless quiet. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** A detail for -v. */
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** End what a subcommand printed on standard output. Returns code, or EXIT_LOCAL and a message when
 * not all of it could be written. */
int finish_output(int code);

/** The system's reason for a failure, errno's sentence. Static memory. */
const char *errno_text(void);

/** What ended a channel, with the system's reason or a cure where there is one. Static memory. */
const char *channel_error(duet_channel *channel);

/** A name from outside, made harmless for a terminal: control characters and broken UTF-8 as \xNN.
 * Memory of the thread, of which four calls' results live at a time. */
const char *printable(const char *name);

/** 1 when a word may be a key or a secret in place of its file's name, or a part of one: digits of
 * base64 or hex in a row, as no name of a file, a host or an option has. */
int looks_secret(const char *word);

/** As printable(), but a word that looks secret is not printed. For words of the command line and
 * of configurations that may be in the wrong place. */
const char *printable_word(const char *word);

/** Make a name from outside harmless, as printable() does, into cap bytes; what has no room is left
 * out. Returns out. */
const char *printable_copy(char *out, size_t cap, const char *name);

/** Bytes as lower-case hex with a final NUL. */
void to_hex(char *out, const unsigned char *bytes, size_t size);

#endif
