/*
 * Reaching the peer (see link.h).
 */
#include "link.h"

#include "await_peer.h"
#include "gate.h"
#include "interrupt.h"
#include "keys.h"
#include "log.h"
#include "os/os.h"
#include "os/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAME = 65536 }; /* bytes: large frames serve speed */
enum { LINGER_MS = 2000, REAP_MS = 3000, TERM_MS = 1000, STEP_MS = 20 };
enum { PATIENCE_STEP_MS = 200, CONNECT_MS = 10000 };

/* ---- Which way, and who is who ---- */

static int
check_ways(const struct options *o, const char *address)
{
    int ways = (o->exec != NULL) + (o->stdio != 0) + (address != NULL);

    if (ways == 0)
        return log_error(EXIT_USAGE,
                         "no peer: give HOST:PORT, -l [ADDR]:PORT, --exec CMD or --stdio");
    if (ways > 1)
        return log_error(EXIT_USAGE, "an address, --exec and --stdio exclude each other");
    if (o->listen && address == NULL)
        return log_error(EXIT_USAGE, "-l needs an address such as :4000");
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
become(int fd, const char *command)
{
    signal(SIGPIPE, SIG_DFL);
    if (dup2(fd, 0) == 0 && dup2(fd, 1) == 1)
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int
spawn(struct link *link, const char *command)
{
    int ends[2];

    if (duet__os_socket_pair(ends) != 0)
        return log_error(EXIT_LIMIT, "--exec: %s", errno_text());
    link->child = fork();
    if (link->child == 0)
        become(ends[1], command);
    close(ends[1]);
    link->rfd = link->wfd = ends[0];
    if (link->child > 0)
        return EXIT_DONE;
    link->child = 0;
    return log_error(EXIT_LIMIT, "--exec: %s", errno_text());
}

/** Wait for the command, ms at most. Returns 1 with its status when it has ended. */
static int
reap(struct link *link, int *status, int ms)
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

/** A command that failed by itself is the cause of all that follows. */
static int
command_failed(struct link *link)
{
    int status;

    if (link->child == 0 || !reap(link, &status, LINGER_MS) || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 0)
        return 0;
    log_error(EXIT_CONNECT, "--exec: the command ended with status %d", WEXITSTATUS(status));
    return 1;
}

/* ---- What goes wrong ---- */

static int
is_socket(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int
tell_untrusted(const duet_info *info)
{
    char key[DUET_KEY_TEXT_SIZE];

    duet_key_text(key, info->peer_key);
    return log_error(
        EXIT_POLICY,
        "the peer's identity is not trusted; if it is meant, add a section [Peer NAME] to the "
        "peers file, and below it the line PublicKey = %s",
        key);
}

static int
tell(const struct link *link, int result)
{
    const duet_result_info *what = duet_explain(result);
    const char *detail = channel_error(link->channel);
    duet_info info;

    duet_session_info(duet_channel_session(link->channel), &info);
    if (result == DUET_E_UNTRUSTED && info.has_peer_key)
        return tell_untrusted(&info);
    if (*detail == 0)
        detail = what->sentence;
    if (result == DUET_E_UNAUTHENTICATED ||
        strncmp(detail, what->sentence, strlen(what->sentence)) == 0)
        return log_error(exit_of(result), "%s; %s", detail, what->cure);
    return log_error(exit_of(result), "%s (%s); %s", what->sentence, detail, what->cure);
}

int
link_fail(struct link *link, int result)
{
    int code = tell(link, result);

    /* §4 "Probing": a violation is met by silence, and the end comes a while later. */
    if (code == EXIT_INTEGRITY || code == EXIT_POLICY)
        door_drain(link->rfd, LINGER_MS, 1);
    return code;
}

/** The proof failed. As BOTTOM nothing tells when: the whole time is waited for, its end included,
 * unless the wire is a pipe whose other end is gone. left_ms: of that time. */
static int
refuse(struct link *link, int result, int patience_ms, uint64_t left_ms)
{
    if (result == DUET_SLOW)
        return log_error(
            EXIT_STRANGER,
            "the peer stayed silent for %g s: another secret, another profile or pattern, "
            "or not duet; compare secret id (duet key show) and profile at both ends",
            patience_ms / 1000.0);
    if (result == DUET_E_UNAUTHENTICATED && command_failed(link))
        return EXIT_CONNECT;
    int code = tell(link, result);
    if (link->role == DUET_BOTTOM)
        door_drain(link->rfd, left_ms, !is_socket(link->rfd));
    else if (code == EXIT_POLICY)
        door_drain(link->rfd, LINGER_MS, 1);
    return code;
}

/** duet_handshake() that a signal can end. */
static int
shake_hands(struct link *link, uint64_t end)
{
    int result = DUET_SLOW;

    for (uint64_t now = duet__os_now_ms(); result == DUET_SLOW && now < end && !interrupted();
         now = duet__os_now_ms()) {
        uint64_t left = end - now;
        result =
            duet_handshake(link->channel, left < PATIENCE_STEP_MS ? (int)left : PATIENCE_STEP_MS);
    }
    return result;
}

/* ---- Opening ---- */

static int
open_direct(struct link *link, const struct options *o)
{
    int patience = link->role == DUET_BOTTOM ? (int)link->drain_ms : o->handshake_ms;
    int result = duet_channel_open(&link->channel, link->config, link->replay, link->role,
                                   link->rfd, link->wfd);

    if (result != DUET_OK)
        return log_error(exit_of(result), "the channel: %s", duet_explain(result)->sentence);
    uint64_t end = duet__os_now_ms() + (unsigned)patience;
    uint64_t begin = duet__os_now_us();
    result = shake_hands(link, end);
    link->handshake_us = duet__os_now_us() - begin + 1;
    if (result == DUET_OK)
        return EXIT_DONE;
    if (interrupted())
        return EXIT_INTERRUPTED;
    uint64_t now = duet__os_now_ms();
    return refuse(link, result, patience, now < end ? end - now : 0);
}

static int
open_listener(struct link *link, const struct options *o, const char *address)
{
    struct door door = {.config = link->config,
                        .replay = link->replay,
                        .role = link->role,
                        .drain_ms = link->drain_ms,
                        .most = o->connections};

    int code = listener_open(&door.listener, address, 0);
    if (code != EXIT_DONE)
        return code;
    log_verbose("listening on %s", printable(address));
    code = door_wait(&door, &link->channel, &link->rfd, o->timeout_ms != 0 ? o->timeout_ms : -1);
    link->wfd = link->rfd;
    return code;
}

static int
reach(struct link *link, const struct options *o, const char *address)
{
    int code = EXIT_DONE;

    if (o->listen)
        return open_listener(link, o, address);
    if (o->exec != NULL) {
        code = spawn(link, o->exec);
    } else if (o->stdio) {
        link->rfd = 0;
        link->wfd = 1;
    } else {
        code =
            reach_connect(&link->reached, address, o->timeout_ms != 0 ? o->timeout_ms : CONNECT_MS);
        link->rfd = link->wfd = link->reached.fd;
    }
    return code == EXIT_DONE ? open_direct(link, o) : code;
}

int
link_open(struct link *link, const struct options *o, const char *address)
{
    memset(link, 0, sizeof *link);
    link->rfd = link->wfd = -1;
    int code = check_ways(o, address);
    if (code != EXIT_DONE)
        return code;
    link->role = role_of(o);
    code = keys_config(&link->config, NULL, &o->files, link->role);
    if (code != EXIT_DONE)
        return code;
    if (duet_config_set(link->config, DUET_SET_FRAME_SIZE, FRAME) != DUET_OK)
        return log_error(EXIT_FAILED, "frames of %d bytes are not taken", FRAME);
    code = silence_draw(&link->drain_ms, o->drain_least_ms, o->drain_most_ms);
    if (code != EXIT_DONE)
        return code;
    link->replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    if (link->replay == NULL)
        return log_error(EXIT_LIMIT, "no memory for the replay cache");
    return reach(link, o, address);
}

/* ---- Closing ---- */

void
link_receipt(const struct link *link, char out[2 * DUET_RECEIPT_SIZE + 1], enum duet_role role)
{
    uint8_t receipt[DUET_RECEIPT_SIZE];

    out[0] = 0;
    if (link->channel != NULL &&
        duet_session_receipt(duet_channel_session(link->channel), receipt, role) == DUET_OK)
        to_hex(out, receipt, sizeof receipt);
}

void
link_tell(const struct link *link)
{
    static const char *const patterns[] = {"secret", "ephemeral", "identity"};
    char id[2 * DUET_SECRET_ID_SIZE + 1], key[DUET_KEY_TEXT_SIZE] = "", receipt[65];
    duet_info info;

    duet_session_info(duet_channel_session(link->channel), &info);
    to_hex(id, info.secret_id, sizeof info.secret_id);
    if (info.has_peer_key)
        duet_key_text(key, info.peer_key);
    log_verbose("secret %s, pattern %s%s%s", id, patterns[info.pattern],
                key[0] != 0 ? ", peer " : "", key);
    link_receipt(link, receipt, DUET_TOP);
    if (receipt[0] != 0)
        log_verbose("receipt of TOP %s", receipt);
    link_receipt(link, receipt, DUET_BOTTOM);
    if (receipt[0] != 0)
        log_verbose("receipt of BOTTOM %s", receipt);
}

/** The command of --exec ends when its streams do; else it is told to. */
static void
end_command(struct link *link)
{
    int status;

    if (link->child == 0 || reap(link, &status, REAP_MS))
        return;
    kill(link->child, SIGTERM);
    if (reap(link, &status, TERM_MS))
        return;
    kill(link->child, SIGKILL);
    waitpid(link->child, &status, 0);
}

void
link_close(struct link *link)
{
    duet_channel_free(link->channel);
    duet_replay_free(link->replay);
    duet_config_free(link->config);
    if (link->rfd >= 0)
        close(link->rfd);
    if (link->wfd >= 0 && link->wfd != link->rfd)
        close(link->wfd);
    end_command(link);
    memset(link, 0, sizeof *link);
    link->rfd = link->wfd = -1;
}
