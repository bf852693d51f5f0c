/*
 * Settings as options of `duet client` and `duet server`: popt's table is made of ours, and what it
 * hands back is kept, so that a reload can read it again.
 */
#include "log.h"
#include "table.h"

enum { FIRST_NUMBER = 1000, OPTIONS_ROOM = 64 }; /* popt's numbers below are letters */

static struct {
    const struct setting *setting;
    size_t value; /* its place in values */
} given[1024];
static size_t given_count;
static struct strlist values;

const struct poptOption *
settings_options(void)
{
    static struct poptOption table[OPTIONS_ROOM + 1];
    size_t n = 0;

    for (size_t i = 0; i < settings_table_size && n < OPTIONS_ROOM; i++) {
        const struct setting *s = &settings_table[i];
        if (s->hidden)
            continue;
        table[n++] = (struct poptOption){.longName = s->name,
                                         .shortName = s->letter,
                                         .argInfo = s->kind == SETTING_FLAG ? POPT_ARG_NONE
                                                                            : POPT_ARG_STRING,
                                         .val = FIRST_NUMBER + (int)i,
                                         .descrip = s->about,
                                         .argDescrip = s->argument};
    }
    return table;
}

int
settings_option(int number, const char *argument)
{
    const struct setting *setting = &settings_table[number - FIRST_NUMBER];

    if (given_count == sizeof given / sizeof given[0])
        return log_error(EXIT_USAGE, "--%s: too many options; use duet run -c FILE", setting->name);
    if (strlist_add(&values, argument != NULL ? argument : "yes") != 0)
        return log_error(EXIT_LIMIT, "no memory");
    given[given_count].setting = setting;
    given[given_count++].value = values.count - 1;
    return EXIT_DONE;
}

int
settings_apply(struct settings **settings, enum tunnel_side side, struct faults *faults)
{
    struct settings *made = settings_new();
    struct tunnel_settings *tunnel;
    char why[SETTING_WHY];

    *settings = made;
    if (made == NULL)
        return -1;
    tunnel = settings_add(made, side == TUNNEL_CLIENT ? "client" : "server");
    if (tunnel == NULL) {
        settings_fault(faults, "no memory");
        return -1;
    }
    tunnel->side = side;
    for (size_t i = 0; i < given_count; i++) {
        const char *value = values.at[given[i].value];
        if (setting_set(given[i].setting, made, tunnel, "", value, why) != 0)
            settings_fault(faults, "--%s %s: %s", given[i].setting->name, printable_word(value),
                           why);
    }
    settings_check(made, faults);
    return faults->count == 0 ? 0 : -1;
}
