/*
 * The rules that options name, beside the files: the pattern, whether ML-KEM is used, when a
 * refresh (DH ratchet) is asked for, and whether clocks are compared.
 */
#include "keys.h"

#include "exits.h"
#include "log.h"

#include <string.h>

#define PATTERN_NAME(NAME, number, name) [(number)] = (name),
const char *const pattern_names[] = {DUET_PATTERNS(PATTERN_NAME) NULL};
const char *const hybrid_names[] = {"off", "offer", "require", NULL};

/** What is before the name of a setting: a place is known where a file has it. */
static const char *
dashes(void)
{
    return log_place != NULL ? "" : "--";
}

/** How an end's identity is given. */
static const char *
identity_setting(void)
{
    return log_place != NULL ? "identity = FILE" : "-i FILE";
}

/** The accepted patterns. The table of options has checked the name. */
static int
set_pattern(duet_config *config, const struct key_files *files)
{
    unsigned pattern = 0;

    if (files->peers != NULL && files->identity == NULL)
        return log_error(EXIT_USAGE,
                         "%speers needs %s: an end that asks for the peer's identity must have one "
                         "too",
                         dashes(), identity_setting());
    if (files->pattern == NULL)
        return EXIT_DONE;
    while (pattern_names[pattern] != NULL && strcmp(files->pattern, pattern_names[pattern]) != 0)
        pattern++;
    if (pattern == DUET_PATTERN_IDENTITY && files->identity == NULL)
        return log_error(EXIT_USAGE, "%spattern identity needs %s", dashes(), identity_setting());
    if (pattern != DUET_PATTERN_IDENTITY && files->peers != NULL)
        return log_error(EXIT_USAGE, "%spattern %s does not go with %speers", dashes(),
                         files->pattern, dashes());
    return duet_config_set(config, DUET_SET_PATTERNS, 1u << pattern) == DUET_OK
               ? EXIT_DONE
               : log_error(EXIT_FAILED, "--pattern %s: refused", files->pattern);
}

/** Whether ML-KEM is used. The table of options has checked the name. */
static int
set_hybrid(duet_config *config, const struct key_files *files)
{
    uint64_t hybrid = DUET_HYBRID_OFF;

    if (files->hybrid == NULL)
        return EXIT_DONE;
    while (hybrid_names[hybrid] != NULL && strcmp(files->hybrid, hybrid_names[hybrid]) != 0)
        hybrid++;
    if (hybrid == DUET_HYBRID_REQUIRE && !duet_has_hybrid())
        return log_error(EXIT_USAGE,
                         "%shybrid require: this machine's libcrypto has no ML-KEM-768; "
                         "it comes with OpenSSL 3.5",
                         dashes());
    if (hybrid == DUET_HYBRID_REQUIRE && files->pattern != NULL &&
        strcmp(files->pattern, pattern_names[DUET_PATTERN_SECRET]) == 0)
        return log_error(EXIT_USAGE,
                         "%shybrid require does not go with %spattern secret, which has "
                         "no key exchange",
                         dashes(), dashes());
    return duet_config_set(config, DUET_SET_HYBRID, hybrid) == DUET_OK
               ? EXIT_DONE
               : log_error(EXIT_FAILED, "--hybrid %s: refused", files->hybrid);
}

static int
set_refresh(duet_config *config, const struct key_files *files)
{
    uint64_t seconds = files->refresh_ms > 0 ? ((uint64_t)files->refresh_ms + 999) / 1000 : 0;

    if (duet_config_set(config, DUET_SET_REFRESH_BYTES, files->refresh_bytes) == DUET_OK &&
        duet_config_set(config, DUET_SET_REFRESH_SECONDS, seconds) == DUET_OK)
        return EXIT_DONE;
    return log_error(EXIT_FAILED, "--refresh-bytes or --refresh-time: refused");
}

int
keys_set_rules(duet_config *config, const struct key_files *files)
{
    int code = set_pattern(config, files);

    if (code == EXIT_DONE)
        code = set_hybrid(config, files);
    if (code == EXIT_DONE)
        code = set_refresh(config, files);
    if (code == EXIT_DONE && files->skew_ms > 0 &&
        duet_config_set(config, DUET_SET_MAX_SKEW_MS, (uint64_t)files->skew_ms) != DUET_OK)
        code = log_error(EXIT_FAILED, "--max-skew: refused");
    return code;
}
