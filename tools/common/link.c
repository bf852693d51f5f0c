/*
 * A subcommand's connection to its peer (see link.h): by TCP or a Unix socket, through the command
 * of --exec, or on standard input and output; then the channel on it. Several peers at a time, as a
 * tunnel has them, are not for this file.
 */
#include "link.h"

#include "gate.h"
#include "interrupt.h"
#include "keys.h"
#include "log.h"
#include "one_time.h"
#include "proxy_route.h"

#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Bytes. Large frames serve speed; what is larger than PAYLOAD is a violation, and no call has a
 * smaller buffer. */
enum { FRAME = 65536, PAYLOAD = 2 * FRAME };
enum { FAILED_MS = 2000, REAP_MS = 3000, TERM_MS = 1000, STEP_MS = 20 };
enum { PATIENCE_STEP_MS = 200, CONNECT_MS = 10000 };
/* A listener for one peer has answered nothing when it starts: by the clocks it answers no flight
 * that an earlier one has, or may have. */
enum { LISTENER_SKEW_MS = 3600 * 1000, FLOOR_MS = 2 };

/* ---- The way to the peer, and the role ---- */

static int
check_ways(const struct options *o, const char *address)
{
    int ways = (o->exec != NULL) + (o->stdio != 0) + (address != NULL);

    if (ways == 0)
        return log_error(EXIT_USAGE,
                         "no peer: give HOST:PORT, -l [ADDR]:PORT, --exec CMD or --stdio");
    if (ways > 1)
        return log_error(EXIT_USAGE, "an address, --exec and --stdio exclude each other");
    if (o->proxy_url != NULL && (address == NULL || o->listen))
        return log_error(EXIT_USAGE, "--proxy is for an end that dials HOST:PORT");
    if (o->listen && address == NULL)
        return log_error(EXIT_USAGE, "-l needs an address such as :4000");
    if (o->files.one_time && (o->streams > 1 || o->keep))
        return log_error(EXIT_USAGE, "--one-time is for one session: it does not go with %s",
                         o->keep ? "--keep" : "--streams above 1");
    if (o->top && o->bottom)
        return log_error(EXIT_USAGE, "--top and --bottom exclude each other");
    return EXIT_DONE;
}

static enum duet_role
role_of(const struct options *o)
{
    if (o->top || o->bottom)
        return o->top ? DUET_TOP : DUET_BOTTOM;
    return o->listen || o->stdio ? DUET_BOTTOM : DUET_TOP;
}

/* ---- --exec ---- */

static void
exec_shell(int fd, const char *command)
{
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    if (dup2(fd, 0) == 0 && dup2(fd, 1) == 1)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int
spawn_command(struct link *link, const char *command)
{
    int ends[2];

    if (duet__os_socket_pair(ends) != 0)
        return log_error(EXIT_LIMIT, "--exec: %s", errno_text());
    link->child = fork();
    if (link->child == 0)
        exec_shell(ends[1], command);
    close(ends[1]);
    link->rfd = link->wfd = ends[0];
    if (link->child > 0)
        return EXIT_DONE;
    link->child = 0;
    return log_error(EXIT_LIMIT, "--exec: %s", errno_text());
}

/** Wait for the command, ms at most. Returns 1 with its status when it has ended. */
static int
reap_child(struct link *link, int *status, int ms)
{
    const struct timespec step = {0, STEP_MS * 1000000L};

    for (; link->child > 0 && ms >= 0; ms -= STEP_MS) {
        if (waitpid(link->child, status, WNOHANG) == link->child) {
            link->child = 0;
            return 1;
        }
        nanosleep(&step, NULL);
    }
    return 0;
}

/** 1 when the command of --exec ended with an error, which is logged as the cause. */
static int
command_failed(struct link *link)
{
    int status;

    if (link->child == 0 || !reap_child(link, &status, FAILED_MS) || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 0)
        return 0;
    log_error(EXIT_CONNECT, "--exec: the command ended with status %d", WEXITSTATUS(status));
    return 1;
}

/* ---- Errors ---- */

static int
is_socket(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int
report_untrusted(const duet_info *info)
{
    char key[DUET_KEY_TEXT_SIZE];

    duet_key_text(key, info->peer_key);
    return log_error(EXIT_POLICY,
                     "the peer's identity is not in the peers file; to trust it, add a section "
                     "[Peer NAME] there, and below it the line PublicKey = %s",
                     key);
}

/** Report what ended the channel: the cause once, and a cure. Returns the exit code. */
static int
report_end(const struct link *link, int result)
{
    const duet_result_info *what = duet_explain(result);
    const char *detail = channel_error(link->channel), *cure = what->cure;
    duet_info info;

    duet_session_info(duet_channel_session(link->channel), &info);
    if (result == DUET_E_UNTRUSTED && info.has_peer_key)
        return report_untrusted(&info);
    if (link->resumable && (result == DUET_E_TRUNCATED || result == DUET_E_IO))
        cure = "run the same command again at both ends to resume";
    if (*detail == 0 || strstr(what->sentence, detail) != NULL)
        detail = what->sentence;
    if (result == DUET_E_UNAUTHENTICATED || strstr(detail, what->sentence) != NULL)
        return log_error(exit_of(result), "%s; %s", detail, cure);
    return log_error(exit_of(result), "%s (%s); %s", what->sentence, detail, cure);
}

void
link_linger(const struct link *link)
{
    gate_silence(link->rfd, gate_draw_linger(link->linger_least_ms, link->linger_most_ms), 1);
}

/** 1 when an attacker may have caused it by changing bytes: a header's CODE and LENGTH among them.
 */
static int
is_violation(int result)
{
    if (result == DUET_E_TRUNCATED)
        return 0;
    return duet_explain(result)->kind == DUET_CLASS_THEIRS || result == DUET_E_CODE ||
           result == DUET_E_ROOM;
}

int
link_fail(struct link *link, int result)
{
    int code = report_end(link, result);

    /* §4 "Probing": after a violation nothing is sent, and the close comes later. */
    if (is_violation(result))
        link_linger(link);
    return code;
}

void
link_fail_beside(const struct link *link, int result)
{
    const char *detail = channel_error(link->channel);

    log_verbose("a stream ended: %s", *detail != 0 ? detail : duet_explain(result)->sentence);
    if (is_violation(result))
        link_linger(link);
}

/** Report at once that the handshake failed, then be silent until a time that does not depend on
 * what came. BOTTOM waits for all of it, unless the wire is a pipe whose other end is gone; TOP
 * until its peer closes. */
static int
handshake_failed(struct link *link, int result, int patience_ms, uint64_t end_ms)
{
    int code, is_top = link->role == DUET_TOP;

    if (result == DUET_E_UNAUTHENTICATED && command_failed(link))
        return EXIT_CONNECT;
    if (result == DUET_SLOW)
        code = log_error(
            EXIT_STRANGER,
            "the peer stayed silent for %g s: " SILENCE_CAUSES
            "; compare secret id (duet key show) and profile at both ends, and read its messages",
            patience_ms / 1000.0);
    else
        code = report_end(link, result);
    uint64_t now = duet__os_now_ms();
    gate_silence(link->rfd, now < end_ms ? end_ms - now : 0, is_top || !is_socket(link->rfd));
    return code;
}

/** duet_channel_handshake() until `end`, or until a signal comes. */
static int
handshake_until(struct link *link, uint64_t end)
{
    int result = DUET_SLOW;

    /* DUET_AGAIN: a signal handler ran. */
    for (uint64_t now = duet__os_now_ms();
         (result == DUET_SLOW || result == DUET_AGAIN) && now < end && !interrupted();
         now = duet__os_now_ms()) {
        uint64_t left = end - now;
        result = duet_channel_handshake(link->channel,
                                        left < PATIENCE_STEP_MS ? (int)left : PATIENCE_STEP_MS);
    }
    return result == DUET_AGAIN ? DUET_SLOW : result;
}

/* ---- Connecting ---- */

/** Refuse what cannot carry a channel, such as standard input that comes from a file. */
static int
check_stream(int fd, int write)
{
    static const char *const names[] = {"standard input", "standard output"};
    char number[32];

    if (duet__os_carries_stream(fd, write, 0))
        return EXIT_DONE;
    (void)snprintf(number, sizeof number, "descriptor %d", fd);
    return log_error(
        EXIT_USAGE,
        "%s carries no channel: connect it to a pipe, a socket or a terminal, open for "
        "%s",
        fd == 0 || fd == 1 ? names[fd] : number, write ? "writing" : "reading");
}

int
link_open_direct(struct link *link, const struct options *o)
{
    int is_top = link->role == DUET_TOP;
    int patience =
        is_top || o->handshake_ms < (int)link->drain_ms ? o->handshake_ms : (int)link->drain_ms;

    if (check_stream(link->rfd, 0) != EXIT_DONE || check_stream(link->wfd, 1) != EXIT_DONE)
        return EXIT_USAGE;
    int result = duet_channel_open(&link->channel, link->config, link->replay, link->role,
                                   link->rfd, link->wfd);

    if (result != DUET_OK)
        return log_error(result == DUET_E_MISUSE ? EXIT_KEY : exit_of(result), "the channel: %s",
                         keys_no_channel(result));
    /* Its close must not show when the handshake failed, so the time is drawn now. */
    uint64_t since = duet__os_now_ms(), begin = duet__os_now_us();
    uint64_t silence = link->drain_ms;
    if (is_top)
        silence =
            (unsigned)patience + gate_draw_linger(link->linger_least_ms, link->linger_most_ms);
    result = handshake_until(link, since + (unsigned)patience);
    link->handshake_us = duet__os_now_us() - begin + 1;
    if (result == DUET_OK)
        return EXIT_DONE;
    if (interrupted())
        return EXIT_INTERRUPTED;
    return handshake_failed(link, result, patience, since + silence);
}

static int
open_listener(struct link *link, const struct options *o, const char *address)
{
    struct await_peer *wait = link->wait = malloc(sizeof *wait);

    if (wait == NULL)
        return log_error(EXIT_LIMIT, "no memory");
    *wait = (struct await_peer){.config = link->config,
                                .replay = link->replay,
                                .role = link->role,
                                .drain_ms = link->drain_ms,
                                .most = o->connections,
                                .handshake_ms = (unsigned)o->handshake_ms,
                                .secrets = (unsigned)link->facts.secret_count,
                                .trial_rate = o->trial_rate};
    poll(NULL, 0, FLOOR_MS); /* the replay cache refuses what is as old as itself */
    int code = listener_open(&wait->listener, address, (struct listen_how){LISTEN_ALONE, 0}, NULL);
    if (code == EXIT_DONE)
        code = await_begin(wait);
    if (code != EXIT_DONE)
        return code;
    if (o->progress != PROGRESS_JSON || log_level > 0) /* programs read JSON alone there */
        log_info("listening on %s", printable(address));
    code = await_next(wait, &link->channel, &link->rfd, o->timeout_ms != 0 ? o->timeout_ms : -1);
    link->wfd = link->rfd;
    if (code == EXIT_SLOW)
        log_error(code, "no peer connected within the timeout; start the peer, or give a longer "
                        "--timeout");
    if (code == EXIT_DONE && o->streams < 2)
        link_stop_listening(link);
    return code;
}

static int
connect_wire(struct link *link, const struct options *o, const char *address)
{
    int code = EXIT_DONE;

    if (o->listen)
        return open_listener(link, o, address);
    if (o->exec != NULL) {
        code = spawn_command(link, o->exec);
    } else if (o->stdio) {
        link->rfd = 0;
        link->wfd = 1;
    } else {
        code = route_dial(&link->dialled, o->proxy_url, o->proxy_auth, address,
                          o->timeout_ms != 0 ? o->timeout_ms : CONNECT_MS);
        link->rfd = link->wfd = link->dialled.fd;
    }
    return code == EXIT_DONE ? link_open_direct(link, o) : code;
}

const char *
link_peer_name(const struct link *link, char room[DUET_KEY_TEXT_SIZE])
{
    const char *name = NULL;
    duet_info info;

    duet_channel_info(link->channel, &info);
    if (!info.has_peer_key)
        return NULL;
    if (link->facts.peers != NULL)
        name = duet_key_find(link->facts.peers, info.peer_key);
    if (name != NULL)
        return printable(name);
    duet_key_text(room, info.peer_key);
    return room;
}

/** Print with -v who the peer is. */
static void
report_peer(const struct link *link)
{
    char id[2 * DUET_SECRET_ID_SIZE + 1], room[DUET_KEY_TEXT_SIZE];
    const char *name = link_peer_name(link, room);
    duet_info info;

    duet_session_info(duet_channel_session(link->channel), &info);
    to_hex(id, info.secret_id, sizeof info.secret_id);
    log_verbose("connected to %s: secret %s, pattern %s%s",
                name != NULL ? name : "a peer that holds the secret", id,
                pattern_names[info.pattern], info.hybrid ? " with ML-KEM-768" : "");
}

/** The peer has proven itself: its secret is used up before anything else is sent or taken. */
static int
use_up_secret(const struct link *link)
{
    duet_info info;

    duet_channel_info(link->channel, &info);
    return one_time_claim(&link->facts, info.secret_id);
}

int
link_open(struct link *link, const struct options *o, const char *address)
{
    uint32_t drain_ms[2] = {o->drain_least_ms, o->drain_most_ms};
    uint32_t linger_ms[2] = {o->linger_least_ms, o->linger_most_ms};

    memset(link, 0, sizeof *link);
    link->rfd = link->wfd = -1;
    int code = check_ways(o, address);
    if (code != EXIT_DONE)
        return code;
    link->role = role_of(o);
    code = keys_config(&link->config, &link->facts, &o->files, link->role);
    if (code != EXIT_DONE)
        return code;
    if (o->files.skew_ms == 0 && o->listen && link->role == DUET_BOTTOM &&
        duet_config_set(link->config, DUET_SET_MAX_SKEW_MS, LISTENER_SKEW_MS) != DUET_OK)
        return log_error(EXIT_FAILED, "the clock's rule is refused");
    if (duet_config_set(link->config, DUET_SET_FRAME_SIZE, FRAME) != DUET_OK ||
        duet_config_set(link->config, DUET_SET_MAX_PAYLOAD, PAYLOAD) != DUET_OK)
        return log_error(EXIT_FAILED, "frames of %d bytes are refused", FRAME);
    keys_times(link->config, drain_ms, linger_ms);
    link->linger_least_ms = linger_ms[0];
    link->linger_most_ms = linger_ms[1];
    code = gate_draw(&link->drain_ms, drain_ms[0], drain_ms[1]);
    if (code != EXIT_DONE)
        return code;
    link->replay = duet_replay_new(o->replay_size);
    if (link->replay == NULL)
        return log_error(EXIT_LIMIT, "no memory for the replay cache");
    code = connect_wire(link, o, address);
    if (code == EXIT_DONE && o->files.one_time)
        code = use_up_secret(link);
    if (code == EXIT_DONE)
        report_peer(link);
    return code;
}

/* ---- Closing ---- */

/** End the wait for peers; silence as await_end(). */
static void
end_wait(struct link *link, int silence)
{
    if (link->wait != NULL)
        await_end(link->wait, silence);
    free(link->wait);
    link->wait = NULL;
}

void
link_stop_listening(struct link *link)
{
    end_wait(link, 1);
}

/** The command of --exec ends when its streams do; else it gets SIGTERM. */
static void
end_command(struct link *link)
{
    int status;

    if (link->child == 0 || reap_child(link, &status, REAP_MS))
        return;
    kill(link->child, SIGTERM);
    if (reap_child(link, &status, TERM_MS))
        return;
    kill(link->child, SIGKILL);
    waitpid(link->child, &status, 0);
}

void
link_close(struct link *link)
{
    end_wait(link, link->channel != NULL);
    duet_channel_free(link->channel);
    if (!link->beside) {
        duet_replay_free(link->replay);
        duet_config_free(link->config);
        key_facts_free(&link->facts);
    }
    if (link->rfd >= 0)
        close(link->rfd);
    if (link->wfd >= 0 && link->wfd != link->rfd)
        close(link->wfd);
    end_command(link);
    memset(link, 0, sizeof *link);
    link->rfd = link->wfd = -1;
}
