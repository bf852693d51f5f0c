/*
 * The table of settings, and how a value of each kind is read (see settings_table.h).
 */
#include "table.h"

#include "address.h"
#include "options.h"
#include "proxy.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HANDSHAKE_MOST_MS = 29999, /* below what a listener gives strangers */
    DAY_MS = 86400000,
    CONNECTIONS_MOST = 1000000
};

static const char *const sides[] = {[TUNNEL_NONE] = "", "client", "server", NULL};
static const char *const patterns[] = {"secret", "ephemeral", "identity", NULL};
static const char *const uses[] = {"none", [PROXY_IN] = "in", "out", "both", NULL};
static const char *const formats[] = {[LOG_TEXT] = "text", "logfmt", "json", NULL};
static const char *const logs[] = {[LOG_STDERR] = "stderr", "syslog", NULL};

#define TUNNEL(field)  .at = offsetof(struct tunnel_settings, field)
#define PROCESS(field) .process = 1, .at = offsetof(struct settings, field)

const struct setting settings_table[] = {
    {.name = "side", .hidden = 1, .kind = SETTING_CHOICE, TUNNEL(side), .choices = sides},
    {.name = "listen",
     .kind = SETTING_LISTEN,
     TUNNEL(listen),
     .argument = "ADDRESS",
     .about = "Where connections are taken; may be repeated"},
    {.name = "target",
     .kind = SETTING_TARGET,
     TUNNEL(targets),
     .argument = "ADDRESS",
     .about = "Where they lead; those that follow are tried when one fails"},
    {.name = "key",
     .letter = 'k',
     .kind = SETTING_PATHS,
     TUNNEL(files.keys),
     .argument = "FILE",
     .about = "The shared secret's file; a server takes several, or folders of them"},
    {.name = "identity",
     .letter = 'i',
     .kind = SETTING_PATH,
     TUNNEL(files.identity),
     .argument = "FILE",
     .about = "This end's identity"},
    {.name = "peers",
     .kind = SETTING_PATH,
     TUNNEL(files.peers),
     .argument = "FILE",
     .about = "The identities that are trusted"},
    {.name = "pattern",
     .kind = SETTING_TEXT,
     TUNNEL(files.pattern),
     .choices = patterns,
     .argument = "secret|ephemeral|identity",
     .about = "Default ephemeral, with -i identity"},
    {.name = "profile",
     .kind = SETTING_PATH,
     TUNNEL(files.profile),
     .argument = "FILE",
     .about = "What the wire looks like"},
    {.name = "timeout",
     .kind = SETTING_SECONDS,
     TUNNEL(connect_ms),
     .least = 1,
     .most = DAY_MS,
     .argument = "SECONDS",
     .about = "To reach a target; default 10"},
    {.name = "handshake-timeout",
     .kind = SETTING_SECONDS,
     TUNNEL(handshake_ms),
     .least = 1,
     .most = HANDSHAKE_MOST_MS,
     .argument = "SECONDS",
     .about = "For a peer to prove itself; default 10, less than 30"},
    {.name = "idle-timeout",
     .kind = SETTING_SECONDS,
     .never = 1,
     TUNNEL(idle_ms),
     .least = 1,
     .most = 30ull * DAY_MS / 2,
     .argument = "SECONDS",
     .about = "End a connection on which nothing moves for so long; default never"},
    {.name = "keepalive",
     .kind = SETTING_SECONDS,
     .never = 1,
     TUNNEL(ping_ms),
     .least = 1,
     .most = DAY_MS,
     .argument = "SECONDS",
     .about = "Ask a silent peer after so long whether it is there; default 60"},
    {.name = "drain-timeout",
     .kind = SETTING_DRAIN,
     TUNNEL(drain_least_ms),
     .least = 0,
     .most = DAY_MS,
     .argument = "MIN-MAX",
     .about = "How long strangers are listened to, drawn once; default 30-90"},
    {.name = "max-connections",
     .kind = SETTING_NUMBER,
     TUNNEL(most_connections),
     .least = 1,
     .most = CONNECTIONS_MOST,
     .argument = "N",
     .about = "Connections at a time, in each worker; default 10000"},
    {.name = "max-from-source",
     .kind = SETTING_NUMBER,
     TUNNEL(most_from_source),
     .least = 0,
     .most = CONNECTIONS_MOST,
     .argument = "N",
     .about = "Of these from one address, or one /64 of IPv6; 0, the default: any number"},
    {.name = "max-strangers",
     .kind = SETTING_NUMBER,
     TUNNEL(most_half_open),
     .least = 1,
     .most = CONNECTIONS_MOST,
     .argument = "N",
     .about = "Who have not proven themselves yet, beside those above; default 1024"},
    {.name = "proxy-protocol",
     .kind = SETTING_CHOICE,
     TUNNEL(proxy),
     .choices = uses,
     .argument = "none|in|out|both",
     .about = "PROXY headers: taken from who connects, given to the target"},
    {.name = "proxy-from",
     .kind = SETTING_NETWORK,
     TUNNEL(trusted),
     .argument = "NETWORK",
     .about = "Whose PROXY headers are believed; default loopback; may be repeated"},
    {.name = "unsafe-listen",
     .kind = SETTING_FLAG,
     TUNNEL(unsafe_listen),
     .about = "A client's plain side may be reached from other machines"},
    {.name = "unsafe-target",
     .kind = SETTING_FLAG,
     TUNNEL(unsafe_target),
     .about = "A server's plain side may be another machine"},
    {.name = "workers",
     .kind = SETTING_NUMBER,
     PROCESS(workers),
     .least = 1,
     .most = WORKERS_MOST,
     .argument = "N",
     .about = "Processes that share the work; default 1"},
    {.name = "user",
     .kind = SETTING_TEXT,
     PROCESS(user),
     .argument = "USER",
     .about = "Who to become once everything is open"},
    {.name = "control",
     .kind = SETTING_PATH,
     PROCESS(control),
     .argument = "PATH",
     .about = "The socket for duet ctl"},
    {.name = "log-format",
     .kind = SETTING_CHOICE,
     PROCESS(log_format),
     .choices = formats,
     .argument = "text|logfmt|json",
     .about = "What the log looks like; default text"},
    {.name = "log-to",
     .kind = SETTING_CHOICE,
     PROCESS(log_target),
     .choices = logs,
     .argument = "stderr|syslog",
     .about = "Where the log goes; default stderr"},
    {.name = "metrics-file",
     .kind = SETTING_PATH,
     PROCESS(metrics_file),
     .argument = "FILE",
     .about = "Metrics in Prometheus text, written anew at an interval"},
    {.name = "metrics-interval",
     .kind = SETTING_SECONDS,
     PROCESS(metrics_ms),
     .least = 100,
     .most = DAY_MS,
     .argument = "SECONDS",
     .about = "That interval; default 15"},
    {.name = "shutdown-timeout",
     .kind = SETTING_SECONDS,
     PROCESS(drain_ms),
     .least = 0,
     .most = DAY_MS,
     .argument = "SECONDS",
     .about = "How long open connections may take at the end; default 30"},
};

const size_t settings_table_size = sizeof settings_table / sizeof settings_table[0];

void
setting_defaults(struct settings *settings)
{
    *settings = (struct settings){.workers = 1, .metrics_ms = 15000, .drain_ms = 30000};
}

void
setting_tunnel_defaults(struct tunnel_settings *tunnel)
{
    *tunnel = (struct tunnel_settings){.connect_ms = 10000,
                                       .handshake_ms = 10000,
                                       .idle_ms = -1,
                                       .ping_ms = 60000,
                                       .drain_least_ms = 30000,
                                       .drain_most_ms = 90000,
                                       .most_connections = 10000,
                                       .most_half_open = 1024};
}

const struct setting *
setting_find(const char *name)
{
    for (size_t i = 0; i < settings_table_size; i++)
        if (strcmp(settings_table[i].name, name) == 0)
            return &settings_table[i];
    return NULL;
}

int
setting_is_list(const struct setting *setting)
{
    return setting->kind == SETTING_PATHS || setting->kind == SETTING_LISTEN ||
           setting->kind == SETTING_TARGET || setting->kind == SETTING_NETWORK;
}

/* ---- Values ---- */

static int __attribute__((format(printf, 2, 3)))
refuse(char why[SETTING_WHY], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why, SETTING_WHY, format, arguments);
    va_end(arguments);
    return -1;
}

/** A choice's place. Returns 0; -1 with the choices told. */
static int
choose(unsigned *place, const char *const *choices, const char *value, char why[SETTING_WHY])
{
    size_t size = 0;

    for (unsigned i = 0; choices[i] != NULL; i++)
        if (choices[i][0] != 0 && strcmp(choices[i], value) == 0) {
            *place = i;
            return 0;
        }
    for (unsigned i = 0; choices[i] != NULL && size < SETTING_WHY; i++)
        if (choices[i][0] != 0)
            size += (size_t)snprintf(why + size, SETTING_WHY - size, "%s%s",
                                     size == 0                ? "it is "
                                     : choices[i + 1] == NULL ? " or "
                                                              : ", ",
                                     choices[i]);
    return -1;
}

static int
set_seconds(const struct setting *s, int *ms, const char *value, char why[SETTING_WHY])
{
    if (s->never && strcmp(value, "never") == 0) {
        *ms = -1;
        return 0;
    }
    if (parse_seconds(ms, value) == 0 && (uint64_t)*ms >= s->least && (uint64_t)*ms <= s->most)
        return 0;
    return refuse(why, "it is a time such as 10, 0.5, 500ms or 2m, from %.10g to %.10g seconds%s",
                  (double)s->least / 1000, (double)s->most / 1000, s->never ? ", or never" : "");
}

static int
set_drain(const struct setting *s, struct tunnel_settings *tunnel, const char *value,
          char why[SETTING_WHY])
{
    char copy[64];
    int least, most;

    int n = snprintf(copy, sizeof copy, "%s", value);
    char *dash = n > 0 && (size_t)n < sizeof copy ? strchr(copy, '-') : NULL;
    if (dash != NULL)
        *dash = 0;
    if (dash == NULL || parse_seconds(&least, copy) != 0 || parse_seconds(&most, dash + 1) != 0 ||
        least > most || (uint64_t)most > s->most)
        return refuse(why, "it is two numbers of seconds such as 30-90");
    tunnel->drain_least_ms = (uint32_t)least;
    tunnel->drain_most_ms = (uint32_t)most;
    return 0;
}

static int
set_number(const struct setting *s, unsigned *out, const char *value, char why[SETTING_WHY])
{
    uint64_t number;

    if (parse_number(&number, value, s->least, s->most) != 0)
        return refuse(why, "it is a number from %llu to %llu", (unsigned long long)s->least,
                      (unsigned long long)s->most);
    *out = (unsigned)number;
    return 0;
}

static int
set_flag(unsigned *out, const char *value, char why[SETTING_WHY])
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return refuse(why, "it is yes or no");
    *out = value[0] == 'y';
    return 0;
}

static int
set_text(char **out, const char *value, char why[SETTING_WHY])
{
    free(*out);
    *out = strdup(value);
    return *out != NULL ? 0 : refuse(why, "no memory");
}

/** A path as it is meant: below systemd's credentials, or below the file's folder. */
static int
make_path(char *out, size_t cap, const char *folder, const char *value, char why[SETTING_WHY])
{
    static const char prefix[] = "credential:";
    const char *name = value, *below = value[0] == '/' ? "" : folder, *slash = "";

    if (strncmp(value, prefix, sizeof prefix - 1) == 0) {
        name = value + sizeof prefix - 1;
        below = getenv("CREDENTIALS_DIRECTORY");
        slash = "/";
        if (below == NULL)
            return refuse(why, "systemd gave this process no credentials; see LoadCredential= in "
                               "systemd.exec(5)");
        if (name[0] == 0 || strchr(name, '/') != NULL)
            return refuse(why, "a credential's name is not empty and holds no slash");
    }
    int n = snprintf(out, cap, "%s%s%s", below, slash, name);
    return n >= 0 && (size_t)n < cap ? 0 : refuse(why, "the path is too long");
}

/** fault: what is wrong with the value; NULL: nothing. */
static int
add_word(struct strlist *words, const char *value, const char *fault, char why[SETTING_WHY])
{
    if (fault != NULL)
        return refuse(why, "%s", fault);
    return strlist_add(words, value) == 0 ? 0 : refuse(why, "no memory");
}

/** The kinds that are lists. */
static int
set_list(const struct setting *s, struct strlist *words, const char *value, char why[SETTING_WHY])
{
    switch (s->kind) {
    case SETTING_LISTEN:
        return add_word(words, value, address_fault(value, 1), why);
    case SETTING_TARGET:
        return add_word(words, value, address_fault(value, 0), why);
    case SETTING_NETWORK:
        return add_word(words, value,
                        proxy_network(value) == 0 ? NULL
                                                  : "it is an address, or a network such as "
                                                    "192.0.2.0/24 or 2001:db8::/32",
                        why);
    default:
        return add_word(words, value, NULL, why);
    }
}

static int
set_value(const struct setting *s, struct settings *settings, struct tunnel_settings *tunnel,
          const char *folder, const char *value, char why[SETTING_WHY])
{
    char path[4096];
    unsigned place;
    void *at = (char *)(s->process ? (void *)settings : (void *)tunnel) + s->at;

    if (value[0] == 0)
        return refuse(why, "it has no value");
    if (s->kind == SETTING_PATH || s->kind == SETTING_PATHS) {
        if (make_path(path, sizeof path, folder, value, why) != 0)
            return -1;
        value = path;
    }
    switch (s->kind) {
    case SETTING_TEXT:
        if (s->choices != NULL && choose(&place, s->choices, value, why) != 0)
            return -1;
        return set_text(at, value, why);
    case SETTING_PATH:
        return set_text(at, value, why);
    case SETTING_NUMBER:
        return set_number(s, at, value, why);
    case SETTING_SECONDS:
        return set_seconds(s, at, value, why);
    case SETTING_DRAIN:
        return set_drain(s, tunnel, value, why);
    case SETTING_CHOICE:
        return choose(at, s->choices, value, why);
    case SETTING_FLAG:
        return set_flag(at, value, why);
    default:
        return set_list(s, at, value, why);
    }
}

void
setting_refuse(const struct setting *s, struct tunnel_settings *tunnel)
{
    if (!s->process)
        tunnel->refused |= (uint64_t)1 << (s - settings_table);
}

int
setting_set(const struct setting *s, struct settings *settings, struct tunnel_settings *tunnel,
            const char *folder, const char *value, char why[SETTING_WHY])
{
    int result = set_value(s, settings, tunnel, folder, value, why);

    if (result != 0)
        setting_refuse(s, tunnel);
    return result;
}

int
setting_was_refused(const struct tunnel_settings *tunnel, const char *name)
{
    return (int)(tunnel->refused >> (setting_find(name) - settings_table) & 1);
}
