/*
 * Key files and configurations (see keys.h).
 *
 * A secret never leaves the memory that is wiped here: not in a message, an argument or a log.
 */
#include "keys.h"

#include "log.h"
#include "passphrase.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PASSPHRASES = 3 };     /* tries */
enum { FILE_MOST = 1 << 20 }; /* bytes: a secret of 64 KiB takes 93,000, 4,096 peers 500,000 */

/* ---- Reading a file ---- */

static const char *
cure_of(int code)
{
    return code == EXIT_KEY ? "copy it anew from where it is whole, or make one with duet keygen"
                            : "see FILES in duet(1)";
}

/** May this file be read? Returns an exit code. */
static int
check_file(const struct stat *status, const char *path, int code)
{
    if (S_ISDIR(status->st_mode))
        return log_error(code, "%s: is a folder where a file is meant", printable(path));
    if (!S_ISREG(status->st_mode))
        return log_error(code, "%s: is not a regular file; copy it into one", printable(path));
    if (status->st_size == 0)
        return log_error(code, "%s: is empty; %s", printable(path), cure_of(code));
    if (status->st_size > FILE_MOST)
        return log_error(code, "%s: is too large for such a file (%lld bytes); %s", printable(path),
                         (long long)status->st_size, cure_of(code));
    return EXIT_DONE;
}

static int
read_all(struct text *text, int fd, const char *path, int code)
{
    while (text->size < FILE_MOST) {
        ssize_t n = read(fd, text->at + text->size, FILE_MOST - text->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return log_error(code, "%s: %s", printable(path), errno_text());
        if (n == 0)
            break;
        text->size += (size_t)n;
    }
    return EXIT_DONE;
}

/** Is this a key in place of its file's path, as wg's configuration has it? Then it must not be
 * printed. */
static int
is_key_itself(const char *path)
{
    return duet_kind_of(path, strlen(path)) != DUET_KIND_UNKNOWN || looks_secret(path);
}

/** A key in place of its path must not be printed. Returns code. */
static int
refuse_key_itself(int code)
{
    return log_error(code, "a key is given where its file is meant; put it into a file of mode 600 "
                           "and name that");
}

int
text_read(struct text *text, const char *path, int code_if_bad)
{
    struct stat status;

    text->at = NULL;
    text->size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && is_key_itself(path))
        return refuse_key_itself(code_if_bad);
    if (fd < 0)
        return log_error(code_if_bad, "%s: %s%s", printable(path), errno_text(),
                         errno == ENOENT ? "; is the path right?" : "");
    int code = fstat(fd, &status) == 0
                   ? check_file(&status, path, code_if_bad)
                   : log_error(code_if_bad, "%s: %s", printable(path), errno_text());
    if (code == EXIT_DONE) {
        text->at = malloc(FILE_MOST);
        code = text->at != NULL ? read_all(text, fd, path, code_if_bad)
                                : log_error(EXIT_LIMIT, "no memory");
    }
    close(fd);
    if (code != EXIT_DONE)
        text_free(text);
    return code;
}

void
text_free(struct text *text)
{
    if (text->at != NULL)
        duet_wipe(text->at, text->size);
    free(text->at);
    text->at = NULL;
    text->size = 0;
}

/* ---- What the library refused ---- */

/** A file of another kind: name the option that it belongs to. */
static int
refuse_kind(int code, const char *path, enum duet_kind wanted, enum duet_kind found)
{
    static const struct {
        const char *what, *option, *takes;
    } kinds[] = {
        [DUET_KIND_SECRET] = {"a shared secret", "-k",
                              "-k takes a shared secret (duet keygen makes one)"},
        [DUET_KIND_IDENTITY] = {"an identity", "-i",
                                "-i takes an identity (duet keygen --identity makes one)"},
        [DUET_KIND_PEERS] = {"a peers file", "--peers",
                             "--peers takes a list of public keys (see FILES in duet(1))"},
        [DUET_KIND_PROFILE] = {"a profile", "--profile",
                               "--profile takes a profile (see FILES in duet(1))"},
    };

    return log_error(code, "%s: is %s; give it with %s; %s", printable(path), kinds[found].what,
                     kinds[found].option, kinds[wanted].takes);
}

int
keys_refuse(int code, const char *path, enum duet_kind wanted, int result, const duet_where *where)
{
    if (result == DUET_E_MEMORY)
        return log_error(EXIT_LIMIT, "%s: no memory", printable(path));
    if (where->found != DUET_KIND_UNKNOWN && where->found != DUET_KIND_SEALED &&
        wanted != DUET_KIND_UNKNOWN)
        return refuse_kind(code, path, wanted, where->found);
    if (result == DUET_E_IO && is_key_itself(path))
        return refuse_key_itself(code);
    if (where->reason[0] == 0)
        return log_error(code, "%s: %s", printable(path), duet_explain(result)->sentence);
    if (where->line > 0)
        return log_error(code, "%s:%u: %s; %s", printable(path), where->line, where->reason,
                         cure_of(code));
    /* A sentence about a text names no cure; one about a file or a date has its own. */
    if (result == DUET_E_FORMAT && strchr(where->reason, ';') == NULL)
        return log_error(code, "%s: %s; %s", printable(path), where->reason, cure_of(code));
    return log_error(code, "%s: %s", printable(path), where->reason);
}

/* ---- Sealed files ---- */

int
keys_load(duet_key **key, enum duet_kind kind, const char *path, duet_where *where, int *code)
{
    const char *passphrase;
    size_t size;

    *code = EXIT_DONE;
    int result = duet_key_load(key, kind, path, NULL, 0, where);
    if (result != DUET_E_FORMAT || where->found != DUET_KIND_SEALED)
        return result;
    for (int tries = 0; tries < PASSPHRASES; tries++) {
        *code = passphrase_get(&passphrase, &size, path, tries > 0);
        if (*code != EXIT_DONE)
            return result;
        result = duet_key_load(key, kind, path, passphrase, size, where);
        if (result != DUET_E_FORGED)
            return result;
    }
    return result;
}

/* ---- Facts ---- */

static int
note_secret(struct key_facts *facts, const duet_key *secret)
{
    size_t count = facts->secret_count;
    uint8_t(*more)[DUET_SECRET_ID_SIZE] = realloc(facts->secrets, (count + 1) * sizeof *more);

    if (more == NULL)
        return DUET_E_MEMORY;
    memcpy(more[count], duet_key_id(secret), DUET_SECRET_ID_SIZE);
    facts->secrets = more;
    facts->secret_count++;
    return DUET_OK;
}

void
key_facts_free(struct key_facts *facts)
{
    free(facts->secrets);
    facts->secrets = NULL;
    facts->secret_count = 0;
    duet_key_free(facts->peers);
    facts->peers = NULL;
    duet_key_free(facts->profile);
    facts->profile = NULL;
}

/* ---- Secrets ---- */

/** Every file is read, so that all errors show at once; the exit code is that of the first. */
static int
first_of(int code, int next)
{
    return code != EXIT_DONE ? code : next;
}

static int
add_secret(duet_config *config, struct key_facts *facts, const char *path)
{
    duet_key *secret;
    duet_where where;
    int code;

    int result = keys_load(&secret, DUET_KIND_SECRET, path, &where, &code);
    if (code != EXIT_DONE)
        return code;
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_SECRET, result, &where);
    result = duet_config_add(config, secret);
    if (result == DUET_OK)
        result = note_secret(facts, secret);
    if (result == DUET_E_MISUSE)
        code =
            log_error(EXIT_USAGE, "%s: more than %u secrets", printable(path), DUET_SECRETS_MOST);
    else if (result != DUET_OK)
        code = keys_refuse(EXIT_KEY, path, DUET_KIND_SECRET, result, &where);
    duet_key_free(secret);
    return code;
}

static int
is_shown_file(const struct dirent *entry)
{
    const char *name = entry->d_name;

    return name[0] != '.' && name[strlen(name) - 1] != '~';
}

/** A key ring: every file in the folder, by name, but hidden ones and editors' copies (KEY~). */
static int
add_folder(duet_config *config, struct key_facts *facts, const char *folder)
{
    struct dirent **list;
    char path[4096];
    int code = EXIT_DONE;
    int count = scandir(folder, &list, is_shown_file, alphasort);

    if (count < 0)
        return log_error(EXIT_KEY, "%s: %s", printable(folder), errno_text());
    if (count == 0)
        code = log_error(EXIT_KEY, "%s: holds no key file; put one there, or name a file",
                         printable(folder));
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        code = first_of(code, add_secret(config, facts, path));
        free(list[i]);
    }
    free(list);
    return code;
}

static int
add_keys(duet_config *config, struct key_facts *facts, const struct key_files *files,
         enum duet_role role)
{
    struct stat status;
    int code = EXIT_DONE;

    if (files->keys.count == 0)
        return log_error(EXIT_USAGE,
                         "no key: give the shared secret's file with -k (duet keygen makes one)");
    if (role == DUET_TOP && files->keys.count > 1)
        return log_error(EXIT_USAGE, "more than one -k: only a listener takes several");
    for (size_t i = 0; i < files->keys.count; i++) {
        int folder = stat(files->keys.at[i], &status) == 0 && S_ISDIR(status.st_mode);
        code = first_of(code, folder && role == DUET_BOTTOM
                                  ? add_folder(config, facts, files->keys.at[i])
                                  : add_secret(config, facts, files->keys.at[i]));
    }
    return code;
}

/* ---- Identity, peers, profile, pattern ---- */

static int
add_identity(duet_config *config, struct key_facts *facts, const char *path)
{
    duet_key *identity;
    duet_where where;
    int code;

    int result = keys_load(&identity, DUET_KIND_IDENTITY, path, &where, &code);
    if (code != EXIT_DONE)
        return code;
    if (result != DUET_OK)
        return keys_refuse(EXIT_KEY, path, DUET_KIND_IDENTITY, result, &where);
    if (where.reason[0] != 0) /* only its mode tells a bare public key from a private one */
        log_warning("%s: %s", printable(path), where.reason);
    result = duet_config_add(config, identity);
    memcpy(facts->identity, duet_key_public_key(identity, 0), sizeof facts->identity);
    duet_key_free(identity);
    where.reason[0] = 0;
    return result == DUET_OK ? EXIT_DONE
                             : keys_refuse(EXIT_KEY, path, DUET_KIND_IDENTITY, result, &where);
}

/** Load peers or a profile, add it, and keep it. */
static int
add_public(duet_config *config, duet_key **key, enum duet_kind kind, const char *path)
{
    duet_where where;

    int result = duet_key_load(key, kind, path, NULL, 0, &where);
    if (result == DUET_OK)
        result = duet_config_add(config, *key);
    return result == DUET_OK ? EXIT_DONE : keys_refuse(EXIT_USAGE, path, kind, result, &where);
}

static int
add_profile(duet_config *config, struct key_facts *facts, const char *path)
{
    return add_public(config, &facts->profile, DUET_KIND_PROFILE, path);
}

static int
fill_config(duet_config *config, struct key_facts *facts, const struct key_files *files,
            enum duet_role role)
{
    int code = keys_set_rules(config, files);

    code = first_of(code, add_keys(config, facts, files, role));
    if (files->identity != NULL)
        code = first_of(code, add_identity(config, facts, files->identity));
    if (files->peers != NULL)
        code = first_of(code, add_public(config, &facts->peers, DUET_KIND_PEERS, files->peers));
    if (files->profile != NULL)
        code = first_of(code, add_profile(config, facts, files->profile));
    return code;
}

/** Take a range of the configuration in place of the default one. */
static void
take_times(const duet_config *config, enum duet_time least, uint32_t *ms, uint32_t default_least,
           uint32_t default_most)
{
    if (ms[0] != default_least || ms[1] != default_most)
        return;
    ms[0] = duet_config_time(config, least);
    ms[1] = duet_config_time(config, (enum duet_time)(least + 1));
}

void
keys_times(const duet_config *config, uint32_t *drain_ms, uint32_t *linger_ms)
{
    take_times(config, DUET_TIME_SILENCE_LEAST, drain_ms, 30000, 90000);
    take_times(config, DUET_TIME_LINGER_LEAST, linger_ms, 1000, 5000);
}

int
keys_config(duet_config **config, struct key_facts *facts, const struct key_files *files,
            enum duet_role role)
{
    struct key_facts unasked, *noted = facts != NULL ? facts : &unasked;

    memset(noted, 0, sizeof *noted);
    *config = duet_config_new();
    if (*config == NULL)
        return log_error(EXIT_FAILED, "libcrypto or memory could not be had");
    int code = fill_config(*config, noted, files, role);
    if (code != EXIT_DONE) {
        duet_config_free(*config);
        *config = NULL;
    }
    if (facts == NULL)
        key_facts_free(&unasked);
    return code;
}
