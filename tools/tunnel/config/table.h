/*
 * The table of settings: each name once, with what it may be and where it goes. The file's reader
 * and the command line both go through it.
 */
#ifndef DUET_TUNNEL_SETTINGS_TABLE_H
#define DUET_TUNNEL_SETTINGS_TABLE_H

#include "settings.h"

enum { SETTING_WHY = 200 }; /* bytes of a reason */

enum setting_kind {
    SETTING_TEXT,
    SETTING_PATH,
    SETTING_PATHS,   /* may be repeated, as all lists */
    SETTING_LISTEN,  /* list of addresses to listen on */
    SETTING_TARGET,  /* list of addresses to dial */
    SETTING_NETWORK, /* list of networks */
    SETTING_NUMBER,
    SETTING_SECONDS,
    SETTING_DRAIN, /* two numbers of seconds */
    SETTING_CHOICE,
    SETTING_FLAG
};

struct setting {
    const char *name;
    char letter;  /* of the option; 0: none */
    char process; /* 1: in [Global], in struct settings; 0: in struct tunnel_settings */
    char never;   /* 1: "never" is a number of seconds, -1 */
    char hidden;  /* 1: no option */
    enum setting_kind kind;
    size_t at;                  /* where in the struct */
    uint64_t least, most;       /* of a number, or of milliseconds */
    const char *const *choices; /* the number is the place in it; ends by NULL */
    const char *argument, *about;
};

extern const struct setting settings_table[];
extern const size_t settings_table_size; /* 64 at most */

/** The setting of this name; NULL: none. */
const struct setting *setting_find(const char *name);

/** May it be given several times? Returns 1 or 0. */
int setting_is_list(const struct setting *setting);

/** All defaults. */
void setting_defaults(struct settings *settings);
void setting_tunnel_defaults(struct tunnel_settings *tunnel);

/** Set a value. settings and tunnel: the structs; folder: where relative paths begin, "" or with a
 * final slash. Returns 0; -1 with a reason, and a tunnel remembers that it was refused. */
int setting_set(const struct setting *setting, struct settings *settings,
                struct tunnel_settings *tunnel, const char *folder, const char *value,
                char why[SETTING_WHY]);

/** Remember that a value was refused, if the setting is a tunnel's. */
void setting_refuse(const struct setting *setting, struct tunnel_settings *tunnel);

/** Was the value of this setting refused? Then it is not missing as well. Returns 1 or 0. */
int setting_was_refused(const struct tunnel_settings *tunnel, const char *name);

/** Tell a fault. */
void settings_fault(struct faults *faults, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** An empty set with all defaults and room for TUNNELS_MOST tunnels. NULL: no memory. */
struct settings *settings_new(void);

/** Put another tunnel in, with all defaults. NULL: no memory, or TUNNELS_MOST are there. */
struct tunnel_settings *settings_add(struct settings *settings, const char *name);

/** Tell what is missing or does not go together. */
void settings_check(const struct settings *settings, struct faults *faults);

/** The one tunnel that the options make; as settings_parse(). */
int settings_apply(struct settings **settings, enum tunnel_side side, struct faults *faults);

#endif
