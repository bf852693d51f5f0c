/*
 * Settings read from where they come: a file or the options that were given, then the keys that
 * they name. The text of a file is read in file.c.
 */
#include "settings.h"

#include "log.h"
#include "options.h"
#include "passphrase.h"
#include "user.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What lies outside the text ---- */

static void
print_fault(void *context, const char *fault)
{
    (void)context;
    log_error(EXIT_USAGE, "%s", fault);
}

/** Read a tunnel's keys; each line that is printed says where the tunnel is described. Returns an
 * exit code. */
static int
read_tunnel_keys(const struct settings *settings, struct tunnel_settings *t)
{
    char place[512], whole[600];

    if (t->side == TUNNEL_NONE || t->files.keys.count == 0)
        return EXIT_DONE; /* reported already */
    snprintf(whole, sizeof whole, "%stunnel %s: ", settings_place(place, t), t->name);
    log_place = settings->file != NULL ? whole : NULL;
    int code = keys_config(&t->config, &t->facts, &t->files, settings_role(t));
    t->secret_count = t->facts.secret_count;
    int next = route_load(&t->route, t->proxy_url, t->proxy_auth);
    code = code == EXIT_DONE ? next : code;
    if (t->exec != NULL && t->targets.count == 0 && strlist_add(&t->targets, "exec") != 0)
        code = log_error(EXIT_LIMIT, "no memory");
    log_place = NULL;
    if (code == EXIT_DONE)
        keys_times(t->config, &t->drain_least_ms, &t->linger_least_ms);
    return code;
}

/** Look the user up, and have its files taken. Returns an exit code. */
static int
check_user(const struct settings *settings)
{
    char place[512] = "";
    struct user_ids ids;

    if (settings->user == NULL)
        return EXIT_DONE;
    const char *why = user_find(&ids, settings->user);
    if (why == NULL && !ids.has_group)
        why = "this user has no group here; write USER:GROUP, such as 1000:1000";
    if (why == NULL) {
        user_expect(&ids);
        return EXIT_DONE;
    }
    if (settings->user_file != NULL)
        snprintf(place, sizeof place, "%s:%u: ", settings->user_file, settings->user_line);
    return log_error(EXIT_USAGE, "%suser %s: %s; name one that this machine has", place,
                     printable_word(settings->user), why);
}

/** Read the keys of all tunnels, and look the user up. Returns an exit code, the first fault's;
 * every fault is printed. */
static int
read_outside(struct settings *settings)
{
    int user = check_user(settings), first = EXIT_DONE;

    for (size_t i = 0; i < settings->tunnel_count; i++) {
        int code = read_tunnel_keys(settings, &settings->tunnels[i]);
        first = first == EXIT_DONE ? code : first;
    }
    if (first == EXIT_DONE)
        first = settings_merge_shared(settings);
    return first == EXIT_DONE ? user : first;
}

/** What the reading came to. Returns an exit code, and the set only with EXIT_DONE. */
static int
finish_load(struct settings **out, struct settings *settings, int result)
{
    int code = settings != NULL ? read_outside(settings) : log_error(EXIT_LIMIT, "no memory");

    if (result != 0 && settings != NULL)
        code = EXIT_USAGE; /* whatever the keys are */
    if (code != EXIT_DONE) {
        settings_free(settings);
        settings = NULL;
    }
    *out = settings;
    return code;
}

int
settings_load(struct settings **settings, const char *file)
{
    struct faults faults = {print_fault, NULL, 0};
    struct settings *made;
    struct text text;

    *settings = NULL;
    int code = text_read(&text, file, TEXT_TRUSTED, EXIT_USAGE);
    if (code != EXIT_DONE)
        return code;
    int result = settings_read(&made, file, text, &faults);
    text_free(&text);
    return finish_load(settings, made, result);
}

/** The one tunnel that the options make; as settings_parse(). */
static int
settings_apply(struct settings **settings, enum tunnel_side side, struct faults *faults)
{
    struct settings *made = settings_new();
    struct tunnel_settings *tunnel;
    const struct option *option;
    const char *value;
    char why[OPTION_WHY];

    *settings = made;
    if (made == NULL)
        return -1;
    tunnel = settings_add(made, side == TUNNEL_CLIENT ? "client" : "server");
    if (tunnel == NULL) {
        settings_fault(faults, "no memory");
        return -1;
    }
    tunnel->side = side;
    for (size_t i = 0; options_given(i, &option, &value); i++)
        if (settings_set(option, made, tunnel, "", value, why) != 0)
            settings_fault(faults, "--%s %s: %s", option->name, printable_word(value), why);
    settings_check(made, faults);
    return faults->count == 0 ? 0 : -1;
}

int
settings_from_options(struct settings **settings, enum tunnel_side side)
{
    struct faults faults = {print_fault, NULL, 0};
    struct settings *made;

    int result = settings_apply(&made, side, &faults);
    return finish_load(settings, made, result);
}

/** Have a text as it was. Returns an exit code. */
static int
copy_text(char **text, const char *old)
{
    free(*text);
    *text = old != NULL ? strdup(old) : NULL;
    return *text != NULL || old == NULL ? EXIT_DONE : log_error(EXIT_LIMIT, "no memory");
}

int
settings_reload(struct settings **settings, const struct settings *old)
{
    passphrase_ask_no_more();
    int code = old->file != NULL ? settings_load(settings, old->file)
                                 : settings_from_options(settings, old->tunnels[0].side);

    if (*settings == NULL)
        return code;
    /* A worker that is started after a reload has these paths in common with the others. */
    code = copy_text(&(*settings)->control, old->control);
    if (code == EXIT_DONE)
        code = copy_text(&(*settings)->metrics_file, old->metrics_file);
    if (code != EXIT_DONE) {
        settings_free(*settings);
        *settings = NULL;
    }
    return code;
}
