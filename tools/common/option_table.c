/*
 * The rows of the one table of options (see option_table.h). How a value is read is in
 * option_values.c, how a command line is in options.c, how a file is in tunnel/config/file.c.
 */
#include "option_table.h"

#include "address.h"
#include "network.h"
#include "options.h"
#include "proxy_route.h"
#include "settings.h"
#include "target_rule.h"

#include <stdlib.h>
#include <string.h>

enum {
    DAY_MS = 86400000,
    WEEK_MS = 7 * DAY_MS,
    HANDSHAKE_MOST_MS = 29999, /* below what a listener gives to unauthenticated peers */
    CONNECTIONS_MOST = 1000000,
    PINGS_MOST = 1000000,
    STREAMS_MOST = 16,     /* as TRANSFER_STREAMS_MOST */
    REPLAY_MOST = 1 << 24, /* 2 GiB */
    POOL_MOST = 10000,
    TRIALS_MOST = 1000000000, /* in a second */
    REPLIES_MOST = 1000000,
    PROBE_TRIES_MOST = 10000,
    PROBE_PARALLEL_MOST = 1000,
    HEALTH_MOST_MS = 25000 /* below the time that a failure is remembered */
};

static const char *const sides[] = {[TUNNEL_NONE] = "", "client", "server", NULL};
static const char *const dial_times[] = {[DIAL_ON_CONNECT] = "connect", "data", NULL};
static const char *const withdrawals[] = {[WITHDRAW_KEEP] = "keep", "cut", NULL};
static const char *const proxy_versions[] = {[PROXY_VERSION_2] = "2", "1", NULL};
static const char *const proxies[] = {"none", [PROXY_IN] = "in", "out", "both", NULL};
static const char *const balances[] = {
    [BALANCE_FIRST] = "first", [BALANCE_LEAST] = "least-connections", NULL};
static const char *const formats[] = {[LOG_TEXT] = "text", "logfmt", "json", NULL};
static const char *const logs[] = {[LOG_STDERR] = "stderr", "syslog", NULL};
static const char *const forever[] = {"forever", NULL};
static const char *const styles[] = {[PROGRESS_AUTO] = "auto", "plain", "json", "none", NULL};

static const char *
listen_fault(const char *text)
{
    return address_fault(text, 1);
}

static const char *
target_fault(const char *text)
{
    return address_fault(text, 0);
}

static const char *
network_fault(const char *text)
{
    return network_parse(&(struct network){0}, text) == 0
               ? NULL
               : "must be an address, or a network such as 192.0.2.0/24 or 2001:db8::/32";
}

static const char *
descriptor_fault(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= 3 && strspn(text, "0123456789") == size
               ? NULL
               : "must be the number of an open descriptor, 0 to 999";
}

/* The columns: kind, least, most, choices, fault. */
#define FLAG                 OPTION_FLAG, 0, 0, NULL, NULL
#define TEXT                 OPTION_TEXT, 0, 0, NULL, NULL
#define PATH                 OPTION_PATH, 0, 0, NULL, NULL
#define PATHS                OPTION_PATHS, 0, 0, NULL, NULL
#define LIST(fault)          OPTION_LIST, 0, 0, NULL, fault
#define NUMBER(least, most)  OPTION_NUMBER, least, most, NULL, NULL
#define SIZE(least)          OPTION_SIZE, least, UINT64_MAX, NULL, NULL
#define SECONDS(least, most) OPTION_SECONDS, least, most, NULL, NULL
#define UP_TO(most)          OPTION_SECONDS_OR_NEVER, 1, most, NULL, NULL
#define RANGE(most)          OPTION_RANGE, 0, most, NULL, NULL
#define CHOICE(choices)      OPTION_CHOICE, 0, 0, choices, NULL
#define NAMED(choices)       OPTION_TEXT, 0, 0, choices, NULL
#define CHECKED(fault)       OPTION_TEXT, 0, 0, NULL, fault
/* The structs that hold it. */
#define COMMAND(field)                                                                             \
    {                                                                                              \
        [IN_COMMAND] = offsetof(struct options, field)                                             \
    }
#define TUNNEL(field)                                                                              \
    {                                                                                              \
        [IN_TUNNEL] = offsetof(struct tunnel_settings, field)                                      \
    }
#define PROCESS(field)                                                                             \
    {                                                                                              \
        [IN_PROCESS] = offsetof(struct settings, field)                                            \
    }
#define BOTH_OR_PROCESS(field)                                                                     \
    {                                                                                              \
        [IN_COMMAND] = offsetof(struct options, field), [IN_PROCESS] =                             \
                                                            offsetof(struct settings, field)       \
    }
#define BOTH(field)                                                                                \
    {                                                                                              \
        offsetof(struct options, field), offsetof(struct tunnel_settings, field), 0                \
    }

const struct option option_table[] = {
    /* name, letter, kind, users, heading, structs, default, argument, help */

    {"identity", 0, FLAG, FOR_KEYGEN, HEAD_OWN, COMMAND(make_identity), NULL, NULL,
     "Make an identity, not a shared secret"},
    {"output", 'o', TEXT, FOR_KEYGEN, HEAD_OWN, COMMAND(out), NULL, "FILE",
     "Write the key to this new file; - or no -o: to standard output"},
    {"output", 'o', TEXT, FOR_KEY, HEAD_OWN, COMMAND(out), NULL, "FILE",
     "With rotate: write the new key to this new file; default FILE.new"},
    {"passphrase", 0, FLAG, FOR_KEYGEN | FOR_KEY, HEAD_OWN, COMMAND(passphrase), NULL, NULL,
     "Seal the new file with a passphrase"},
    {"remove", 0, FLAG, FOR_KEY, HEAD_OWN, COMMAND(remove), NULL, NULL,
     "With passphrase: write the file without one"},
    {"size", 0, NUMBER(DUET_SECRET_LEAST, DUET_SECRET_MOST), FOR_KEYGEN, HEAD_OWN, COMMAND(size),
     NULL, "BYTES",
     "Size of the secret: even, 64 to 65536; default 1024. 64 is short enough to paste"},
    {"count", 0, NUMBER(1, DUET_SECRETS_MOST), FOR_KEYGEN, HEAD_OWN, COMMAND(batch), NULL, "N",
     "Make so many secrets, a file each, in the folder that -o names, for use with --one-time"},
    {"not-after", 0, TEXT, FOR_KEYGEN, HEAD_OWN, COMMAND(not_after), NULL, "YYYY-MM-DD",
     "The last day on which the secret may be used"},
    {"peer", 0, TEXT, FOR_KEYGEN, HEAD_OWN, COMMAND(peer), NULL, "NAME",
     "With --identity: print the section [Peer NAME] for the other end's peers file"},
    {"name", 0, TEXT, FOR_SEND, HEAD_OWN, COMMAND(name), NULL, "NAME",
     "The name of the one source at the receiver; default its own, of standard input (-) stdin"},
    {"exclude", 0, LIST(NULL), FOR_SEND, HEAD_OWN, COMMAND(excludes), NULL, "PATTERN",
     "Leave out what matches, as in .gitignore; may be repeated"},
    {"include", 0, LIST(NULL), FOR_SEND, HEAD_OWN, COMMAND(includes), NULL, "PATTERN",
     "Send what matches although an --exclude before it matches too"},
    {"exclude-from", 0, LIST(NULL), FOR_SEND, HEAD_OWN, COMMAND(exclude_files), NULL, "FILE",
     "Patterns to leave out, one a line; ! before one includes"},
    {"files-from", 0, TEXT, FOR_SEND, HEAD_OWN, COMMAND(files_from), NULL, "FILE|-",
     "Send the paths in this file, one a line, under the names that they have there"},
    {"dry-run", 0, FLAG, FOR_SEND, HEAD_OWN, COMMAND(dry_run), NULL, NULL,
     "Ask the receiver what it would take, print that, and send nothing"},
    {"chmod", 0, TEXT, FOR_SEND, HEAD_OWN, COMMAND(chmod), NULL, "[D]MODE,...",
     "Modes to send, in octal: 640 for all, D750 for folders, F640 for files"},
    {"owner", 0, FLAG, FOR_SEND | FOR_RECV, HEAD_OWN, COMMAND(owner), NULL, NULL,
     "Keep owners and groups, by name; the receiver has to be root"},
    {"xattrs", 0, FLAG, FOR_SEND | FOR_RECV, HEAD_OWN, COMMAND(xattrs), NULL, NULL,
     "Keep extended attributes, access lists among them"},
    {"dereference", 'L', FLAG, FOR_SEND, HEAD_OWN, COMMAND(follow), NULL, NULL,
     "Send what links point to, not the links"},
    {"list", 0, FLAG, FOR_SEND, HEAD_OWN, COMMAND(list), NULL, NULL,
     "Print what would be sent, and send nothing"},
    {"limit", 0, SIZE(1024), FOR_SEND, HEAD_OWN, COMMAND(limit), NULL, "RATE",
     "Send no more bytes a second, such as 500k or 2M"},
    {"streams", 0, NUMBER(1, STREAMS_MOST), FOR_SEND | FOR_RECV, HEAD_OWN, COMMAND(streams), NULL,
     "N", "Connections that carry large files; default 1. The receiver accepts up to N; default 8"},
    {"checksum", 0, FLAG, FOR_SEND | FOR_RECV, HEAD_OWN, COMMAND(checksum), NULL, NULL,
     "Compare files that are there by their content, not by size and time"},
    {"no-perms", 0, FLAG, FOR_SEND | FOR_RECV, HEAD_OWN, COMMAND(no_perms), NULL, NULL,
     "Leave modes out: new files get those of the receiver's umask"},
    {"retry", 0, OPTION_NUMBER, 0, UINT32_MAX, forever, NULL, FOR_SEND | FOR_RECV, HEAD_CONNECTION,
     COMMAND(retry), "0", "N|forever",
     "Try so often again when the peer is not there or the connection is cut"},
    {"keep", 0, FLAG, FOR_RECV, HEAD_CONNECTION, COMMAND(keep), NULL, NULL,
     "With -l: go on with the next peer after each transfer"},
    {"update", 0, FLAG, FOR_RECV, HEAD_OWN, COMMAND(update), NULL, NULL,
     "Replace files that exist and are older"},
    {"keep-both", 0, FLAG, FOR_RECV, HEAD_OWN, COMMAND(keep_both), NULL, NULL,
     "Store files that exist and differ under another name"},
    {"hidden", 0, FLAG, FOR_RECV, HEAD_OWN, COMMAND(hidden), NULL, NULL,
     "Take sources whose names begin with a dot"},
    {"max-size", 0, SIZE(1), FOR_RECV, HEAD_OWN, COMMAND(most_bytes), NULL, "BYTES",
     "Refuse files beyond so many bytes in all, such as 10G"},
    {"max-files", 0, SIZE(1), FOR_RECV, HEAD_OWN, COMMAND(most_files), NULL, "N",
     "Refuse files and folders beyond so many in all"},
    {"output", 'o', TEXT, FOR_RECV, HEAD_OWN, COMMAND(out), NULL, "DIR|-",
     "Receive into this folder; - writes one file to standard output; default the current folder"},
    {"force", 0, FLAG, FOR_RECV, HEAD_OWN, COMMAND(force), NULL, NULL,
     "Replace files that exist and differ"},
    {"in", 0, TEXT, FOR_PIPE, HEAD_OWN, COMMAND(in), NULL, "FILE|fd:N",
     "Read from here instead of standard input"},
    {"out", 0, TEXT, FOR_PIPE, HEAD_OWN, COMMAND(out), NULL, "FILE|fd:N",
     "Write to here instead of standard output"},
    {"count", 'c', NUMBER(1, PINGS_MOST), FOR_PING, HEAD_OWN, COMMAND(count), "4", "N",
     "Number of round trips"},
    {"capture", 0, PATH, FOR_PROBE, HEAD_OWN, COMMAND(capture), NULL, "FILE",
     "A recorded first flight to replay: a capture by tcpdump -w, or the bytes alone"},
    {"client", 0, FLAG, FOR_PROBE, HEAD_OWN, COMMAND(as_client), NULL, NULL,
     "Listen at ADDRESS, and answer the clients that connect by random bytes"},
    {"exec", 0, TEXT, FOR_PROBE, HEAD_OWN, COMMAND(exec), NULL, "CMD",
     "With --client: start this command for each connection; it finds DUET_PROBE_ADDRESS"},
    {"tries", 0, NUMBER(1, PROBE_TRIES_MOST), FOR_PROBE, HEAD_OWN, COMMAND(tries), "12", "N",
     "Connections of each kind"},
    {"parallel", 0, NUMBER(1, PROBE_PARALLEL_MOST), FOR_PROBE, HEAD_OWN, COMMAND(parallel), "100",
     "N", "Connections at a time, fewer than the listener takes"},
    {"config", 'c', TEXT, FOR_RUN, HEAD_OWN, COMMAND(config), "/etc/duet/duet.conf", "FILE",
     "The configuration file"},
    {"check", 0, FLAG, FOR_RUN, HEAD_OWN, COMMAND(check), NULL, NULL,
     "Report every error in the file and its keys, then exit"},
    {"control", 0, TEXT, FOR_CTL, HEAD_OWN, COMMAND(control), "/run/duet/control", "PATH",
     "The control socket of the service"},

    {"side", 0, CHOICE(sides), 0, HEAD_OWN, TUNNEL(side), NULL, "client|server", NULL},
    {"listen", 0, LIST(listen_fault), FOR_TUNNEL, HEAD_OWN, TUNNEL(listen), NULL, "ADDRESS",
     "Accept connections here, such as :4000 or 127.0.0.1:8080, or datagrams at udp:127.0.0.1:53; "
     "may be repeated"},
    {"socket-mode", 0, TEXT, FOR_TUNNEL, HEAD_OWN, TUNNEL(socket_mode), NULL, "MODE",
     "Mode of a Unix socket that it listens on, such as 660; default by the umask"},
    {"socket-owner", 0, TEXT, FOR_TUNNEL, HEAD_OWN, TUNNEL(socket_owner), NULL, "USER",
     "Owner of that socket, by name or number"},
    {"socket-group", 0, TEXT, FOR_TUNNEL, HEAD_OWN, TUNNEL(socket_group), NULL, "GROUP",
     "Group of that socket, by name or number"},
    {"target", 0, LIST(target_fault), FOR_TUNNEL, HEAD_OWN, TUNNEL(targets), NULL, "ADDRESS",
     "Forward connections to here; repeated: the next one is tried when one fails"},

    {"balance", 0, CHOICE(balances), FOR_TUNNEL, HEAD_OWN, TUNNEL(balance), "first",
     "first|least-connections", "Which of several targets is tried first"},
    {"socks", 0, FLAG, FOR_CLIENT, HEAD_OWN, TUNNEL(socks), NULL, NULL,
     "Serve SOCKS5: a program asks for its target, which the server must allow"},
    {"allow-target", 0, LIST(target_rule_fault), FOR_SERVER, HEAD_OWN, TUNNEL(allow_targets), NULL,
     "HOST[:PORT[-PORT]]",
     "In the place of --target: a name, *.NAME or network that clients with --socks may ask for; "
     "may be repeated"},
    {"health-interval", 0, OPTION_SECONDS_OR_NEVER, 100, HEALTH_MOST_MS, NULL, NULL, FOR_SERVER,
     HEAD_OWN, TUNNEL(health_ms), "never", "SECONDS|never",
     "Connect to each target so often, and try those that do not answer last"},
    {"dial", 0, LIST(target_fault), FOR_SERVER, HEAD_OWN, TUNNEL(dial), NULL, "ADDRESS",
     "Do not listen but dial here, where a client awaits that; repeated: dial all of them"},
    {"await", 0, LIST(listen_fault), FOR_CLIENT, HEAD_OWN, TUNNEL(await), NULL, "ADDRESS",
     "Do not dial a --target but let servers that dial come in here; may be repeated"},
    {"pool-min", 0, NUMBER(1, POOL_MOST), FOR_SERVER, HEAD_OWN, TUNNEL(pool_least), "2", "N",
     "With --dial: connections that wait at each address while little is asked for"},
    {"pool-max", 0, NUMBER(1, POOL_MOST), FOR_SERVER, HEAD_OWN, TUNNEL(pool_most), "64", "N",
     "With --dial: connections that wait at each address at most"},

    {"key", 'k', PATHS, FOR_KEYED, HEAD_KEYS, BOTH(files.keys), NULL, "FILE",
     "The file with the shared secret; a listener takes several, or folders of them"},
    {"one-time", 0, FLAG, FOR_PIPE | FOR_SEND | FOR_RECV, HEAD_KEYS, COMMAND(files.one_time), NULL,
     NULL,
     "The secret is for one session: destroy its file once the peer has authenticated. -k may be a "
     "folder of secrets at either end"},
    {"identity", 'i', PATH, FOR_KEYED, HEAD_KEYS, BOTH(files.identity), NULL, "FILE",
     "The file with this end's identity (private key)"},
    {"passphrase-fd", 0, OPTION_TEXT, 0, 0, NULL, descriptor_fault,
     FOR_KEYGEN | FOR_KEY | FOR_KEYED | FOR_RUN, HEAD_KEYS, COMMAND(passphrase_fd), NULL, "NUMBER",
     "Read the passphrase of sealed key files from this descriptor's first line; default: ask"},
    {"peers", 0, PATH, FOR_KEYED, HEAD_KEYS, BOTH(files.peers), NULL, "FILE",
     "The file with the trusted identities (public keys); all others are refused"},
    {"pattern", 0, NAMED(pattern_names), FOR_KEYED, HEAD_KEYS, BOTH(files.pattern), NULL,
     "secret|ephemeral|identity",
     "How the ends authenticate, the same at both; default identity with -i, else ephemeral"},
    {"hybrid", 0, NAMED(hybrid_names), FOR_KEYED, HEAD_KEYS, BOTH(files.hybrid), NULL,
     "off|offer|require",
     "ML-KEM-768 beside X25519, against a quantum computer later; default offer where libcrypto "
     "has it"},
    {"profile", 0, PATH, FOR_KEYED, HEAD_KEYS, BOTH(files.profile), NULL, "FILE",
     "The file with the wire profile, the same at both ends"},

    {"refresh-bytes", 0, SIZE(0), FOR_CHANNEL | FOR_TUNNEL, HEAD_KEYS, BOTH(files.refresh_bytes),
     "1G", "BYTES", "Agree on fresh keys (DH ratchet) after so many bytes, such as 100M; 0: never"},
    {"refresh-time", 0, OPTION_SECONDS_OR_NEVER, 1000, WEEK_MS, NULL, NULL,
     FOR_CHANNEL | FOR_TUNNEL, HEAD_KEYS, BOTH(files.refresh_ms), "60m", "SECONDS|never",
     "Agree on fresh keys after so much time of use"},

    {"listen", 'l', FLAG, FOR_CHANNEL, HEAD_CONNECTION, COMMAND(listen), NULL, NULL,
     "Listen at [ADDR]:PORT, and accept the first peer that authenticates"},
    {"exec", 0, TEXT, FOR_CHANNEL, HEAD_CONNECTION, COMMAND(exec), NULL, "CMD",
     "Run a command, and use its standard input and output as the connection"},
    {"exec", 0, TEXT, FOR_CLIENT, HEAD_CONNECTION, TUNNEL(exec), NULL, "CMD",
     "Run a command for each connection in the place of a --target: its standard input and output "
     "lead to the server"},
    {"proxy", 0, CHECKED(route_fault), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION, BOTH(proxy_url),
     NULL, "socks5://HOST:PORT|http://HOST:PORT",
     "Reach the peer through this proxy, which resolves its name"},
    {"proxy-auth", 0, PATH, FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION, BOTH(proxy_auth), NULL,
     "FILE", "The file with the proxy's user and password, a line each"},
    {"stdio", 0, FLAG, FOR_CHANNEL, HEAD_CONNECTION, COMMAND(stdio), NULL, NULL,
     "Use standard input and output as the connection"},
    {"top", 0, FLAG, FOR_CHANNEL, HEAD_CONNECTION, COMMAND(top), NULL, NULL,
     "Take the role TOP, which speaks first (the end that connects)"},
    {"bottom", 0, FLAG, FOR_CHANNEL, HEAD_CONNECTION, COMMAND(bottom), NULL, NULL,
     "Take the role BOTTOM (the end that listens)"},
    {"timeout", 0, SECONDS(1, 1000000000), FOR_CHANNEL, HEAD_CONNECTION, COMMAND(timeout_ms), NULL,
     "SECONDS", "Time to connect; default 10. With -l: time to wait for a peer; default no limit"},
    {"timeout", 0, SECONDS(100, DAY_MS), FOR_PROBE, HEAD_CONNECTION, COMMAND(timeout_ms), NULL,
     "SECONDS", "Time to watch each connection, more than the listener's silence; default 100"},
    {"timeout", 0, SECONDS(1, DAY_MS), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(connect_ms), "10",
     "SECONDS", "Time to connect to a target"},
    {"connect-timeout", 0, SECONDS(1, DAY_MS), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(connect_ms),
     NULL, "SECONDS", NULL},
    {"handshake-timeout", 0, SECONDS(1, HANDSHAKE_MOST_MS), FOR_CHANNEL | FOR_TUNNEL,
     HEAD_CONNECTION, BOTH(handshake_ms), "10", "SECONDS",
     "Time for the peer to authenticate, less than 30"},
    {"idle-timeout", 0, UP_TO(DAY_MS / 2 * UINT64_C(30)), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION,
     BOTH(idle_ms), "never", "SECONDS", "End a connection that is idle for this long"},
    {"half-close-timeout", 0, UP_TO(DAY_MS / 2 * UINT64_C(30)), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(half_close_ms), "never", "SECONDS",
     "End a connection that one side has closed and that is idle for this long"},
    {"stall-timeout", 0, UP_TO(DAY_MS / 2 * UINT64_C(30)), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(stall_ms), "never", "SECONDS",
     "End a connection whose plain side takes nothing for this long, though there is something"},
    {"max-age", 0, UP_TO(DAY_MS / 2 * UINT64_C(30)), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(age_ms),
     "never", "SECONDS", "End a connection that is this old"},
    {"udp-timeout", 0, SECONDS(100, DAY_MS), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(udp_ms), "60",
     "SECONDS", "End a flow of UDP on which no datagram comes for this long"},
    {"udp-replies", 0, NUMBER(0, REPLIES_MOST), FOR_CLIENT, HEAD_CONNECTION, TUNNEL(udp_replies),
     "0", "N", "End a flow of UDP after so many replies to each datagram, such as 1 for DNS"},
    {"dial-on", 0, CHOICE(dial_times), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(dial_on), "connect",
     "connect|data", "When a client dials: at once, or when a program sends its first byte"},
    {"withdraw", 0, CHOICE(withdrawals), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(withdraw), "keep",
     "keep|cut", "Open connections whose key or identity a reload withdrew"},
    {"bind", 0, TEXT, FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(bind), NULL, "ADDRESS|INTERFACE",
     "Dial from this address of this machine, or over this interface"},
    {"mptcp", 0, FLAG, FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(mptcp), NULL, NULL,
     "Multipath TCP between the ends, where the kernel has it: a link may go down"},
    {"allow", 0, LIST(network_fault), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(allow), NULL, "NETWORK",
     "Networks from which connections are taken; default all; may be repeated"},
    {"deny", 0, LIST(network_fault), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(deny), NULL, "NETWORK",
     "Networks from which none are, whatever is allowed; may be repeated"},
    {"keepalive", 0, UP_TO(DAY_MS), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(ping_ms), "60", "SECONDS",
     "Ask a peer that is silent for this long whether it is there"},
    {"drain-timeout", 0, RANGE(DAY_MS), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION,
     BOTH(drain_least_ms), "30-90", "MIN-MAX",
     "How long unauthenticated peers are read in silence, drawn once at random"},
    {"linger", 0, RANGE(DAY_MS), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION, BOTH(linger_least_ms),
     "1-5", "MIN-MAX",
     "How long a peer that broke the protocol is read in silence, drawn anew each time"},
    {"max-skew", 0, OPTION_SECONDS_OR_NEVER, 1000, WEEK_MS, NULL, NULL, FOR_CHANNEL | FOR_TUNNEL,
     HEAD_CONNECTION, BOTH(files.skew_ms), NULL, "SECONDS|never",
     "Refuse a peer whose clock is off by more, against replays; default never, with -l 60m"},
    {"replay-size", 0, NUMBER(1, REPLAY_MOST), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION,
     BOTH_OR_PROCESS(replay_size), "65536", "N",
     "First flights that are remembered, so that none is answered twice"},
    {"max-connections", 0, NUMBER(1, 100000), FOR_CHANNEL, HEAD_CONNECTION, COMMAND(connections),
     "256", "N", "Connections that a listener holds at a time"},
    {"max-connections", 0, NUMBER(1, CONNECTIONS_MOST), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(most_connections), "10000", "N", "Connections at a time, in each worker"},
    {"max-from-source", 0, NUMBER(0, CONNECTIONS_MOST), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(most_from_source), "0", "N",
     "Rate limit: connections at a time from one IPv4 address or IPv6 /64; 0: no limit"},
    {"max-from-secret", 0, NUMBER(0, CONNECTIONS_MOST), FOR_SERVER, HEAD_CONNECTION,
     TUNNEL(most_from_secret), "0", "N",
     "Connections at a time with one shared secret, in each worker; 0: no limit"},
    {"max-half-open", 0, NUMBER(1, CONNECTIONS_MOST), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(most_half_open), "1024", "N",
     "Connections at a time that are not authenticated yet, beside --max-connections"},
    {"trial-rate", 0, NUMBER(0, TRIALS_MOST), FOR_CHANNEL | FOR_TUNNEL, HEAD_CONNECTION,
     BOTH(trial_rate), "200000", "N",
     "Secrets that a listener tries in a second for unauthenticated peers; 0: no limit"},
    {"max-strangers", 0, NUMBER(1, CONNECTIONS_MOST), FOR_TUNNEL, HEAD_CONNECTION,
     TUNNEL(most_half_open), NULL, "N", NULL},
    {"proxy-protocol", 0, CHOICE(proxies), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(proxy), "none",
     "none|in|out|both",
     "PROXY protocol headers: expected from clients (in), sent to targets (out)"},
    {"proxy-version", 0, CHOICE(proxy_versions), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(proxy_version),
     "2", "1|2", "Version of the PROXY headers that are sent; both are understood"},
    {"proxy-from", 0, LIST(network_fault), FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(trusted), NULL,
     "NETWORK", "Networks whose PROXY headers are believed; default loopback; may be repeated"},
    {"unsafe-listen", 0, FLAG, FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(unsafe_listen), NULL, NULL,
     "Let a client accept plaintext connections from other machines"},
    {"unsafe-target", 0, FLAG, FOR_TUNNEL, HEAD_CONNECTION, TUNNEL(unsafe_target), NULL, NULL,
     "Let a server send plaintext to another machine"},

    {"workers", 0, NUMBER(1, WORKERS_MOST), FOR_TUNNEL, HEAD_SERVICE, PROCESS(workers), "1", "N",
     "Processes that share the work"},
    {"user", 0, TEXT, FOR_TUNNEL, HEAD_SERVICE, PROCESS(user), NULL, "USER",
     "Drop privileges to this user once everything is open; USER:GROUP, numbers too"},
    {"control", 0, PATH, FOR_TUNNEL, HEAD_SERVICE, PROCESS(control), NULL, "PATH",
     "Create this control socket for duet ctl"},
    {"log-format", 0, CHOICE(formats), FOR_TUNNEL, HEAD_SERVICE, PROCESS(log_format), "text",
     "text|logfmt|json", "Format of the access log and the messages"},
    {"log-to", 0, CHOICE(logs), FOR_TUNNEL, HEAD_SERVICE, PROCESS(log_target), "stderr",
     "stderr|syslog", "Where the log goes"},
    {"metrics-file", 0, PATH, FOR_TUNNEL, HEAD_SERVICE, PROCESS(metrics_file), NULL, "FILE",
     "Write metrics here in the Prometheus text format"},
    {"metrics-interval", 0, SECONDS(100, DAY_MS), FOR_TUNNEL, HEAD_SERVICE, PROCESS(metrics_ms),
     "15", "SECONDS", "How often the metrics file is written"},
    {"http", 0, LIST(listen_fault), FOR_TUNNEL, HEAD_SERVICE, PROCESS(http.listen), NULL, "ADDRESS",
     "Answer HTTP for monitoring here: /metrics, /healthz, /readyz; may be repeated"},
    {"unsafe-http", 0, FLAG, FOR_TUNNEL, HEAD_SERVICE, PROCESS(http.unsafe_listen), NULL, NULL,
     "Let other machines reach that address"},
    {"shutdown-timeout", 0, SECONDS(0, DAY_MS), FOR_TUNNEL, HEAD_SERVICE, PROCESS(drain_ms), "30",
     "SECONDS", "Graceful shutdown: how long open connections may continue"},

    {"progress", 0, CHOICE(styles), FOR_SEND | FOR_RECV, HEAD_OUTPUT, COMMAND(progress), "auto",
     "auto|plain|json|none", "How progress is shown"},
    {"json", 0, FLAG, FOR_SEND | FOR_RECV | FOR_PING | FOR_CTL | FOR_VERSION | FOR_PROBE,
     HEAD_OUTPUT, COMMAND(json), NULL, NULL, "Print the result as JSON on standard output"},
};

const size_t option_count = sizeof option_table / sizeof option_table[0];
_Static_assert(sizeof option_table / sizeof option_table[0] <= OPTIONS_MOST, "OPTIONS_MOST");

const struct option *
option_find(const char *name, size_t size)
{
    for (size_t i = 0; i < option_count; i++)
        if ((option_table[i].at[IN_TUNNEL] != 0 || option_table[i].at[IN_PROCESS] != 0) &&
            strlen(option_table[i].name) == size && strncmp(option_table[i].name, name, size) == 0)
            return &option_table[i];
    return NULL;
}
