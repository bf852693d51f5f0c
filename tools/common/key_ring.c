/*
 * Shared secrets of files and folders (see keys.h).
 *
 * A listener may have a ring of them. One that cannot be used (expired, of another owner, damaged)
 * is left out with a warning, so that it does not shut everybody out.
 */
#include "keys.h"

#include "log.h"
#include "one_time.h"

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct ring {
    duet_config *config;
    struct key_facts *facts;
    struct strlist paths; /* of all files */
    int quiet, one_time;
    size_t most; /* secrets that are wanted */
};

/* ---- One secret ---- */

static int
note_secret(struct key_facts *facts, const duet_key *secret, const char *path,
            const struct key_mark *mark)
{
    size_t count = facts->secret_count;
    uint8_t(*more)[DUET_SECRET_ID_SIZE] = realloc(facts->secrets, (count + 1) * sizeof *more);

    if (more == NULL)
        return DUET_E_MEMORY;
    facts->secrets = more;
    struct key_mark *marks = realloc(facts->marks, (count + 1) * sizeof *marks);
    if (marks == NULL)
        return DUET_E_MEMORY;
    facts->marks = marks;
    marks[count] = *mark;
    if (strlist_add(&facts->paths, path) != 0)
        return DUET_E_MEMORY;
    memcpy(more[count], duet_key_id(secret), DUET_SECRET_ID_SIZE);
    facts->secret_count++;
    return DUET_OK;
}

/** A secret of a ring cannot be used. Returns EXIT_DONE: the others stay. */
static int
leave_out(const struct ring *ring, const char *path, int result, const duet_where *where)
{
    char why[KEYS_WHY];

    keys_describe(why, EXIT_KEY, path, DUET_KIND_SECRET, result, where);
    if (!ring->quiet)
        log_warning("%s; it is left out", why);
    return EXIT_DONE;
}

/** Add one secret, or leave it out. Returns an exit code. */
static int
add_secret(const struct ring *ring, const char *path)
{
    struct key_mark mark = {0};
    duet_key *secret;
    duet_where where;
    int code = ring->one_time ? one_time_mark(&mark, path) : EXIT_DONE;

    if (code != EXIT_DONE)
        return code;
    int result = keys_load(&secret, DUET_KIND_SECRET, path, &where, &code);
    if (code != EXIT_DONE)
        return code;
    if (result != DUET_OK && result != DUET_E_MEMORY && ring->paths.count > 1)
        return leave_out(ring, path, result, &where);
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_SECRET, result, &where);
    result = duet_config_add(ring->config, secret);
    if (result == DUET_OK)
        result = note_secret(ring->facts, secret, path, &mark);
    if (result == DUET_E_MISUSE)
        code =
            log_error(EXIT_USAGE, "%s: more than %u secrets", printable(path), DUET_SECRETS_MOST);
    else if (result != DUET_OK)
        code = keys_refuse(EXIT_KEY, path, DUET_KIND_SECRET, result, &where);
    duet_key_free(secret);
    return code;
}

/* ---- The files ---- */

static int
is_shown_file(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return name[0] != '.' && name[strlen(name) - 1] != '~';
}

/** List a folder's files, by name, but hidden ones and editors' copies (KEY~). An empty one among
 * several keys is left out. Returns an exit code. */
static int
list_folder(struct ring *ring, const char *folder, int alone)
{
    struct dirent **list;
    char path[4096];
    int code = EXIT_DONE;
    int count = scandir(folder, &list, is_shown_file, alphasort);

    if (count < 0)
        return log_error(EXIT_KEY, "%s: %s", printable(folder), errno_text());
    if (count == 0 && alone)
        code = log_error(EXIT_KEY, "%s: holds no key file; put one there, or name a file",
                         printable(folder));
    else if (count == 0 && !ring->quiet)
        log_warning("%s: holds no key file; it is left out", printable(folder));
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        if (strlist_add(&ring->paths, path) != 0)
            code = log_error(EXIT_LIMIT, "no memory");
        free(list[i]);
    }
    free(list);
    return code;
}

/** List the files of all keys that are given. Returns an exit code. */
static int
list_files(struct ring *ring, const struct key_files *files, enum duet_role role)
{
    struct stat status;
    int code = EXIT_DONE;

    for (size_t i = 0; i < files->keys.count && code == EXIT_DONE; i++) {
        const char *path = files->keys.at[i];
        if ((role == DUET_BOTTOM || files->one_time) && stat(path, &status) == 0 &&
            S_ISDIR(status.st_mode))
            code = list_folder(ring, path, files->keys.count == 1);
        else if (strlist_add(&ring->paths, path) != 0)
            code = log_error(EXIT_LIMIT, "no memory");
    }
    return code;
}

int
keys_add_secrets(duet_config *config, struct key_facts *facts, const struct key_files *files,
                 enum duet_role role)
{
    struct ring ring = {.config = config,
                        .facts = facts,
                        .quiet = files->quiet,
                        .one_time = (int)files->one_time,
                        .most = role == DUET_TOP ? 1 : SIZE_MAX};

    if (files->keys.count == 0)
        return log_error(EXIT_USAGE,
                         "no key: give the shared secret's file with -k (duet keygen makes one)");
    if (role == DUET_TOP && files->keys.count > 1)
        return log_error(EXIT_USAGE, "more than one -k: only a listener takes several");
    int code = list_files(&ring, files, role);
    for (size_t i = 0; i < ring.paths.count && facts->secret_count < ring.most && code == EXIT_DONE;
         i++)
        code = add_secret(&ring, ring.paths.at[(files->turn + i) % ring.paths.count]);
    if (code == EXIT_DONE && facts->secret_count == 0)
        code =
            log_error(EXIT_KEY, "no key is left: none of %zu files can be used", ring.paths.count);
    strlist_free(&ring.paths);
    return code;
}
