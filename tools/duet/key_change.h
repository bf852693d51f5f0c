/*
 * duet key passphrase and duet key rotate: a key file under another passphrase, and a new key
 * beside an old one.
 */
#ifndef DUET_TOOL_KEY_CHANGE_H
#define DUET_TOOL_KEY_CHANGE_H

#include "options.h"

/** Seal a key file with a passphrase, change that, or remove it. Returns an exit code. */
int key_passphrase(const struct options *o, const char *path);

/** Make the key that takes the place of another, and say what to do at each end, in which order.
 * Returns an exit code. */
int key_rotate(const struct options *o, const char *path);

/** Write a key into a new file, under a new passphrase where the options ask for one. Returns an
 * exit code. */
int key_write(const struct options *o, const duet_key *key, const char *path);

#endif
