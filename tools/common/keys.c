/*
 * The configuration that key files make (see keys.h): their facts, identity, peers and profile. The
 * shared secrets are key_ring.c's matter.
 *
 * A secret never leaves the memory that is wiped here: not in a message, an argument or a log.
 */
#include "keys.h"

#include "log.h"

#include <stdlib.h>
#include <string.h>

/* ---- Facts ---- */

void
key_facts_free(struct key_facts *facts)
{
    free(facts->secrets);
    facts->secrets = NULL;
    free(facts->marks);
    facts->marks = NULL;
    facts->secret_count = 0;
    strlist_free(&facts->paths);
    duet_key_free(facts->peers);
    facts->peers = NULL;
    duet_key_free(facts->profile);
    facts->profile = NULL;
}

/** Every file is read, so that all errors show at once; the exit code is that of the first. */
static int
first_of(int code, int next)
{
    return code != EXIT_DONE ? code : next;
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

    code = first_of(code, keys_add_secrets(config, facts, files, role));
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

const char *
keys_no_channel(int result)
{
    if (result == DUET_E_MISUSE) /* what else it may be was checked when the files were read */
        return "no secret may be used any more: past NotAfter; make a new one, for both ends";
    return duet_explain(result)->sentence;
}
