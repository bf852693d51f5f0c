/*
 * Changes of key files (see key_change.h). A file is replaced by rename, so that a process that is
 * killed leaves the old one or the new one, never a part.
 */
#include "key_change.h"

#include "log.h"
#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Writing ---- */

static int
refuse_write(const char *path, int result, const duet_where *where)
{
    if (result == DUET_E_MEMORY)
        return log_error(EXIT_LIMIT, "no memory");
    if (where->reason[0] == 0)
        return log_error(EXIT_FAILED, "%s: %s", printable(path), duet_explain(result)->sentence);
    return log_error(EXIT_LOCAL, "%s: %s", printable(path), where->reason);
}

/** Write a key into a new file, under a passphrase unless that is NULL. Returns an exit code. */
static int
write_under(const duet_key *key, const char *path, const char *passphrase, size_t size)
{
    duet_where where;
    int result = duet_key_save(key, path, passphrase, size, &where);

    return result == DUET_OK ? EXIT_DONE : refuse_write(path, result, &where);
}

int
key_write(const struct options *o, const duet_key *key, const char *path)
{
    const char *passphrase = NULL;
    size_t size = 0;
    int code = o->passphrase ? passphrase_get_new(&passphrase, &size, path) : EXIT_DONE;

    return code == EXIT_DONE ? write_under(key, path, passphrase, size) : code;
}

/** The same for what follows a key: a sealed one is followed by one under the same passphrase. */
static int
write_next(const struct options *o, const duet_key *key, const char *path)
{
    const char *passphrase;
    size_t size;

    if (o->passphrase || !passphrase_is_known())
        return key_write(o, key, path);
    int code = passphrase_get(&passphrase, &size, path, 0);
    return code == EXIT_DONE ? write_under(key, path, passphrase, size) : code;
}

/** Read a secret or an identity. Returns an exit code. */
static int
read_key(duet_key **key, const char *path)
{
    duet_where where;
    int code;
    int result = keys_load(key, DUET_KIND_ANY, path, &where, &code);

    if (code != EXIT_DONE)
        return code;
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_UNKNOWN, result, &where);
    if (duet_key_kind(*key) == DUET_KIND_SECRET || duet_key_kind(*key) == DUET_KIND_IDENTITY)
        return EXIT_DONE;
    duet_key_free(*key);
    *key = NULL;
    return log_error(EXIT_USAGE, "%s: holds nothing secret; this is for secrets and identities",
                     printable(path));
}

/** Open the folder where a file is; -1: it cannot be. */
static int
open_folder(const char *path)
{
    char copy[PATH_MAX];

    snprintf(copy, sizeof copy, "%s", path);
    return open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/** 1 when nobody but root and this user can put another file where one of this user's is. */
static int
is_folder_safe(int folder)
{
    struct stat status;

    if (fstat(folder, &status) != 0 || (status.st_uid != 0 && status.st_uid != geteuid()))
        return 0;
    return (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0;
}

/** Give the new file the owner of the old one. In a folder of another user's that user could let
 * its name lead to a file of root's meanwhile. Returns an exit code. */
static int
keep_owner(int folder, const char *path, const char *made)
{
    const char *slash = strrchr(made, '/'), *name = slash != NULL ? slash + 1 : made;
    struct stat old, now;

    if (lstat(path, &old) != 0 || fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) != 0)
        return log_error(EXIT_LOCAL, "%s: %s", printable(path), errno_text());
    if (old.st_uid == now.st_uid && old.st_gid == now.st_gid)
        return EXIT_DONE;
    if (!is_folder_safe(folder))
        return log_error(EXIT_LOCAL,
                         "%s: cannot keep its owner, as others can write in its folder; run this "
                         "as the owner",
                         printable(path));
    if (fchownat(folder, name, old.st_uid, old.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
        return log_error(EXIT_LOCAL, "%s: cannot keep its owner: %s; run this as the owner",
                         printable(path), errno_text());
    return EXIT_DONE;
}

/** Let the new file take the old one's place, owner included. Returns an exit code. */
static int
replace_file(const char *path, const char *made)
{
    int folder = open_folder(path);

    if (folder < 0)
        return log_error(EXIT_LOCAL, "%s: its folder cannot be opened: %s", printable(path),
                         errno_text());
    int code = keep_owner(folder, path, made);
    if (code == EXIT_DONE && rename(made, path) != 0)
        code = log_error(EXIT_LOCAL, "%s: %s", printable(path), errno_text());
    if (code == EXIT_DONE)
        (void)fsync(folder); /* a file system may have none */
    close(folder);
    return code;
}

/* ---- Passphrases ---- */

static int
change_file(struct options *o, const duet_key *key, const char *path)
{
    char made[PATH_MAX];

    if (snprintf(made, sizeof made, "%s.%ld", path, (long)getpid()) >= (int)sizeof made)
        return log_error(EXIT_LOCAL, "%s: the name is too long", printable(path));
    o->passphrase = !o->remove;
    int code = key_write(o, key, made);
    if (code == EXIT_DONE) {
        code = replace_file(path, made);
        if (code != EXIT_DONE)
            unlink(made);
    }
    if (code == EXIT_DONE && log_level >= 0)
        fprintf(stderr, "%s\n",
                o->remove ? "The file has no passphrase now."
                          : "The file has the new passphrase now.");
    return code;
}

int
key_passphrase(const struct options *o, const char *path)
{
    struct options mine = *o;
    char real[PATH_MAX];
    duet_key *key;

    int code = read_key(&key, path);
    if (code != EXIT_DONE)
        return code;
    /* What a link leads to is replaced, not the link. */
    code = realpath(path, real) != NULL
               ? change_file(&mine, key, real)
               : log_error(EXIT_LOCAL, "%s: %s", printable(path), errno_text());
    duet_key_free(key);
    return code;
}

/* ---- A new key beside the old one ---- */

static void
say_secret(const char *old, const char *new, const duet_key *old_key, const duet_key *key)
{
    char old_id[2 * DUET_SECRET_ID_SIZE + 1], id[2 * DUET_SECRET_ID_SIZE + 1];

    to_hex(old_id, duet_key_id(old_key), DUET_SECRET_ID_SIZE);
    to_hex(id, duet_key_id(key), DUET_SECRET_ID_SIZE);
    printf("old: %s  %s\nnew: %s  %s\n\n", old_id, old, id, new);
    printf("Nothing uses the new secret yet. In this order, no connection is lost:\n"
           "1. Copy %s to the other end, over ssh.\n"
           "2. At the end that listens, accept both: a second -k (or key =) names the new file, or "
           "put it\n"
           "   into the folder that -k names. Reload there (a tunnel: duet ctl reload, or SIGHUP; "
           "pipe and recv\n"
           "   are started anew).\n"
           "3. At each end that connects, use the new file in place of the old one, and reload.\n"
           "4. When no connection uses the old one (duet ctl sessions shows the secret's id), take "
           "it out at\n"
           "   the end that listens, reload, and remove the old file at both ends.\n",
           new);
}

static void
say_identity(const char *old, const char *new, const duet_key *old_key, const duet_key *key)
{
    char old_text[DUET_KEY_TEXT_SIZE], text[DUET_KEY_TEXT_SIZE];

    duet_key_text(old_text, duet_key_public_key(old_key, 0));
    duet_key_text(text, duet_key_public_key(key, 0));
    printf("old: %s  %s\nnew: %s  %s\n\n", old_text, old, text, new);
    printf("Nothing uses the new identity yet. In this order, no connection is lost:\n"
           "1. At each other end, add a section with the new public key to the peers file, beside "
           "the old one,\n"
           "   under another name, and reload (duet ctl reload, or SIGHUP).\n"
           "2. Here, use %s in place of %s, and reload.\n"
           "3. At each other end, remove the old section, and reload. Remove the old file here.\n",
           new, old);
}

static int
make_next(const struct options *o, const duet_key *old, const char *path, const char *next)
{
    duet_key *key;

    int result = duet_key_new(&key, duet_key_kind(old), NULL,
                              duet_key_kind(old) == DUET_KIND_SECRET ? duet_key_size(old) : 0, 0);
    if (result != DUET_OK)
        return log_error(EXIT_FAILED, "%s", duet_explain(result)->sentence);
    int code = write_next(o, key, next);
    if (code == EXIT_DONE && duet_key_kind(key) == DUET_KIND_SECRET)
        say_secret(printable(path), printable(next), old, key);
    else if (code == EXIT_DONE)
        say_identity(printable(path), printable(next), old, key);
    duet_key_free(key);
    return code;
}

int
key_rotate(const struct options *o, const char *path)
{
    char next[PATH_MAX];
    duet_key *old;

    int code = read_key(&old, path);
    if (code != EXIT_DONE)
        return code;
    if (o->out == NULL && snprintf(next, sizeof next, "%s.new", path) >= (int)sizeof next)
        code = log_error(EXIT_LOCAL, "%s: the name is too long", printable(path));
    else
        code = make_next(o, old, path, o->out != NULL ? o->out : next);
    duet_key_free(old);
    return code;
}
