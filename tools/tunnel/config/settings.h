/*
 * The settings of tunnels: plain values, from `duet run`'s file or from the options of `duet
 * client` and `duet server`, which have the same names.
 *
 * A whole new set is made for each reading, keys included, so that it can be checked before it
 * takes the old one's place. Nothing is resolved or listened on here.
 */
#ifndef DUET_TUNNEL_SETTINGS_H
#define DUET_TUNNEL_SETTINGS_H

#include "address.h"
#include "keys.h"
#include "option_table.h"
#include "proxy_route.h"
#include "strlist.h"

#include <duet/duet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    TUNNELS_MOST = 64,     /* in one file */
    TUNNEL_NAME_MOST = 40, /* bytes, enough for any name that people type */
    WORKERS_MOST = 64
};

enum tunnel_side {
    TUNNEL_NONE,
    TUNNEL_CLIENT, /* plain in, duet out */
    TUNNEL_SERVER  /* duet in, plain out */
};

/** Which target is tried first. */
enum balance { BALANCE_FIRST, BALANCE_LEAST };

/** Where PROXY headers are: a set. */
enum proxy_use {
    PROXY_IN = 1, /* what is accepted begins with one */
    PROXY_OUT = 2 /* what is handed on begins with one */
};

/** When a client dials for a plain connection. */
enum dial_on {
    DIAL_ON_CONNECT, /* at once: its service may speak first */
    DIAL_ON_DATA     /* when its first byte has come: health checks cost nothing */
};

/** What becomes of an open connection whose key, identity or tunnel a reload withdrew. */
enum withdraw { WITHDRAW_KEEP, WITHDRAW_CUT };

/** The version of PROXY headers that are sent. */
enum proxy_version { PROXY_VERSION_2, PROXY_VERSION_1 };

/** One tunnel. */
struct tunnel_settings {
    char *name;            /* "client" or "server" where options made it */
    const char *file;      /* where its section is, made printable; NULL: options made it */
    unsigned line;         /* of its section; 0: options made it */
    unsigned side;         /* enum tunnel_side */
    struct strlist listen; /* addresses, one at least */
    char *socket_mode;     /* of the files of Unix sockets, in octal; NULL: by the umask */
    char *socket_owner, *socket_group; /* names or numbers; NULL: who starts the service */
    struct strlist targets;            /* addresses, tried in order, one at least */
    unsigned balance;                  /* enum balance */
    unsigned socks;                    /* 1: a client's plain side speaks SOCKS5 */
    struct strlist allow_targets;      /* what a server's clients may ask for; see target_rule.h */
    int health_ms;                     /* how often a server's targets are checked; -1: never */
    struct strlist dial;               /* a server that is reversed: where it dials */
    struct strlist await;              /* a client that is reversed: where such servers come in */
    char *exec;                        /* a command that leads to the server; NULL: none */
    char *proxy_url, *proxy_auth;      /* what route is made of */
    struct proxy_route route;          /* the proxy through which a peer is dialled */
    unsigned pool_least, pool_most;    /* connections that wait at each address of dial */
    struct key_files files;            /* what config was made of */
    struct key_facts facts;            /* owned; of config */
    duet_config *config;               /* owned; NULL until the keys are read */
    int connect_ms;                    /* to dial a target, resolving included */
    int handshake_ms;
    int idle_ms;          /* a connection on which nothing moves ends; -1: never */
    int half_close_ms;    /* idle time of a connection that one side has closed; -1: for ever */
    int stall_ms;         /* how long a plain side may take nothing; -1: for ever */
    int age_ms;           /* the longest life of a connection; -1: for ever */
    int udp_ms;           /* a flow of datagrams on which nothing moves ends */
    unsigned udp_replies; /* after so many for each datagram its flow ends; 0: never */
    unsigned dial_on;     /* enum dial_on, of a client */
    unsigned withdraw;    /* enum withdraw */
    unsigned mptcp;       /* 1: Multipath TCP between the ends */
    char *bind;           /* address or interface to dial from; NULL: the system's choice */
    struct strlist allow, deny; /* networks of sources; an empty list of allowed ones: all */
    int ping_ms;                /* silence after which the peer is asked; -1: never */
    uint32_t drain_least_ms, drain_most_ms; /* how long unauthenticated peers are read in silence */
    uint32_t linger_least_ms, linger_most_ms; /* the same after a violation */
    unsigned most_connections;                /* at a time, in one process */
    unsigned most_from_source;                /* of these from one source; 0: no limit of its own */
    unsigned most_from_secret;                /* and with one secret; 0: the same */
    unsigned most_half_open;                  /* not authenticated yet, beside those above */
    unsigned trial_rate;                      /* trials of secrets in a second; 0: no limit */
    size_t secret_count;                      /* that config tries on a first header */
    unsigned proxy;                           /* set of enum proxy_use */
    unsigned proxy_version;                   /* enum proxy_version */
    struct strlist trusted; /* ADDRESS or ADDRESS/BITS whose PROXY headers are believed */
    unsigned unsafe_listen; /* 1: a client may listen beyond loopback */
    unsigned unsafe_target; /* 1: a server may dial beyond loopback */
    unsigned is_http;       /* 1: no tunnel, but where HTTP for monitoring listens */
    unsigned char refused[OPTIONS_MOST]; /* by row: 1 where a value was bad, and is reported */
};

enum log_format { LOG_TEXT, LOG_LOGFMT, LOG_JSON };
enum log_target { LOG_STDERR, LOG_SYSTEM };

/** One configuration: what concerns the whole process, and its tunnels. */
struct settings {
    char *file;            /* where it came from; NULL: options */
    struct strlist files;  /* that one and all it includes, made printable */
    unsigned replay_size;  /* nonces in the replay cache */
    unsigned workers;      /* processes; 1: no supervisor */
    char *user;            /* NULL: stay who we are */
    const char *user_file; /* where it is, of files; NULL: options made it */
    unsigned user_line;
    char *control;                   /* path of the control socket; NULL: none */
    unsigned log_format;             /* enum log_format */
    unsigned log_target;             /* enum log_target */
    char *metrics_file;              /* NULL: none */
    int metrics_ms;                  /* how often it is written */
    struct tunnel_settings http;     /* of HTTP for monitoring: listen, unsafe_listen */
    int drain_ms;                    /* what open connections are given at SIGTERM */
    struct tunnel_settings *tunnels; /* owned */
    size_t tunnel_count;
};

/** Whatever listens: the tunnels, and HTTP for monitoring. */
static inline size_t
settings_listener_count(const struct settings *settings)
{
    return settings->tunnel_count + 1;
}

static inline const struct tunnel_settings *
settings_listener(const struct settings *settings, size_t number)
{
    return number < settings->tunnel_count ? &settings->tunnels[number] : &settings->http;
}

/** Does a tunnel carry datagrams? By its plain side, as the other is TCP always. */
static inline int
settings_is_udp(const struct tunnel_settings *tunnel)
{
    const struct strlist *plain =
        tunnel->side == TUNNEL_CLIENT ? &tunnel->listen : &tunnel->targets;

    return plain->count > 0 && address_is_udp(plain->at[0]);
}

/** The addresses that a tunnel listens on, those of its peers among them. */
static inline size_t
settings_address_count(const struct tunnel_settings *tunnel)
{
    return tunnel->listen.count + tunnel->await.count;
}

static inline const char *
settings_address(const struct tunnel_settings *tunnel, size_t number)
{
    size_t plain = tunnel->listen.count;

    return number < plain ? tunnel->listen.at[number] : tunnel->await.at[number - plain];
}

/** Where its peers come in. */
static inline const struct strlist *
settings_peer_addresses(const struct tunnel_settings *tunnel)
{
    return tunnel->side == TUNNEL_CLIENT ? &tunnel->await : &tunnel->listen;
}

/** What is before the name of a setting where this tunnel's are given. */
static inline const char *
settings_dashes(const struct tunnel_settings *tunnel)
{
    return tunnel->file != NULL ? "" : "--";
}

/** The number of the first address of its peers. */
static inline size_t
settings_first_for_peers(const struct tunnel_settings *tunnel)
{
    return tunnel->side == TUNNEL_CLIENT ? tunnel->listen.count : 0;
}

/** May the address be reached from other machines? A client's listening side is plain: anyone who
 * can reach it can use the tunnel (see --unsafe-listen). */
static inline int
settings_may_be_exposed(const struct tunnel_settings *tunnel, const char *address)
{
    size_t i = 0;

    while (i < tunnel->listen.count && strcmp(tunnel->listen.at[i], address) != 0)
        i++;
    return i == tunnel->listen.count || tunnel->side != TUNNEL_CLIENT || tunnel->unsafe_listen;
}

/** Is this address one where peers come in, by Multipath TCP? */
static inline int
settings_is_mptcp(const struct tunnel_settings *tunnel, const char *address)
{
    if (!tunnel->mptcp)
        return 0;
    for (size_t i = 0; tunnel->side == TUNNEL_CLIENT && i < tunnel->listen.count; i++)
        if (strcmp(tunnel->listen.at[i], address) == 0)
            return 0; /* its plain side */
    return 1;
}

/** Which role this end's handshake has: the end that dials is TOP. */
static inline enum duet_role
settings_role(const struct tunnel_settings *tunnel)
{
    return (tunnel->side == TUNNEL_CLIENT) == (tunnel->await.count == 0 && tunnel->dial.count == 0)
               ? DUET_TOP
               : DUET_BOTTOM;
}

/** Where faults go: each is a sentence with its place, cause and cure. */
struct faults {
    void (*report)(void *context, const char *fault);
    void *context;
    unsigned count; /* reported so far */
};

/** Read a file's text, but no other file: memory in, memory out; an `include` is refused. file: its
 * name, for the faults, of which every one is reported, and for the folder where relative paths
 * begin. Returns 0, or -1; settings_free() in any case. */
int settings_parse(struct settings **settings, const char *file, const char *text, size_t size,
                   struct faults *faults);

/** The same, with the files that it includes. One that cannot be read is printed, and counts as a
 * fault. */
int settings_read(struct settings **settings, const char *file, struct text text,
                  struct faults *faults);

/** Read a file and its keys; every fault is printed. Returns an exit code; *settings is NULL unless
 * it is EXIT_DONE. */
int settings_load(struct settings **settings, const char *file);

/** Print which plain addresses of a file other machines would reach against its settings, as far as
 * their text shows; the sockets show it all when they are opened. Returns an exit code. */
int settings_check_exposure(const struct settings *settings);

/** The one tunnel that the command line describes, and its keys. Returns as settings_load(). */
int settings_from_options(struct settings **settings, enum tunnel_side side);

/** Read again from where the old one came; the paths of the control socket and the metrics file are
 * the old one's. Returns as settings_load(); the old one stays. */
int settings_reload(struct settings **settings, const struct settings *old);

/** The name of a peer; NULL: it has none, or key is NULL. */
const char *settings_peer_name(const struct tunnel_settings *tunnel, const uint8_t *key);

/** 1 when a secret of this id is among a tunnel's. */
int settings_has_secret(const struct tunnel_settings *tunnel,
                        const uint8_t id[DUET_SECRET_ID_SIZE]);

/** May a peer that opened under `then`, or has begun to, still be let in under `now`, settings of
 * the same tunnel? What is not known of it yet does not count against it. */
int settings_admit(const struct tunnel_settings *now, const struct tunnel_settings *then,
                   const duet_info *info);

/** Do the peers of two tunnels of a configuration come in at the same addresses? A tunnel shares
 * with itself. */
int settings_share(const struct tunnel_settings *a, const struct tunnel_settings *b);

/** Does a tunnel share its peers' addresses with others? Its config is for all their peers then. */
int settings_is_shared(const struct settings *settings, const struct tunnel_settings *tunnel);

/** The number of the first tunnel whose peers come in where this one's do (it may be of another
 * configuration); settings->tunnel_count: there is none. That one accepts for all. */
size_t settings_first_sharing(const struct settings *settings,
                              const struct tunnel_settings *tunnel);

/** Release; NULL is fine. */
void settings_free(struct settings *settings);

/* ---- Between the files of this folder ---- */

/** Report a fault. */
void settings_fault(struct faults *faults, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** An empty set with all defaults and room for TUNNELS_MOST tunnels. NULL: no memory. */
struct settings *settings_new(void);

/** Add a tunnel with all defaults. NULL: no memory, or TUNNELS_MOST are there. */
struct tunnel_settings *settings_add(struct settings *settings, const char *name);

/** Set a value of the process or of a tunnel, whichever has this option. Returns as option_set();
 * a tunnel remembers a value that is refused. */
int settings_set(const struct option *option, struct settings *settings,
                 struct tunnel_settings *tunnel, const char *folder, const char *value,
                 char why[OPTION_WHY]);

/** Remember that a tunnel's value was refused; and was it? Then it is not missing as well. */
void settings_refuse(const struct option *option, struct tunnel_settings *tunnel);
int settings_refused(const struct tunnel_settings *tunnel, const char *name);

/** Where a tunnel is described: "FILE:LINE: ", or "" for options. Returns room. */
const char *settings_place(char room[512], const struct tunnel_settings *tunnel);

/** Report what must be the same in two tunnels that share an address. */
void settings_check_sharing(const struct tunnel_settings *first,
                            const struct tunnel_settings *tunnel, struct faults *faults);

/** The keys are read: let those that accept for others have the keys of all. Returns an exit code.
 */
int settings_merge_shared(struct settings *settings);

/** Report what is missing or does not go together. */
void settings_check(const struct settings *settings, struct faults *faults);

#endif
