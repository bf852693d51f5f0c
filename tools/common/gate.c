/*
 * The rules for unauthenticated peers (see gate.h).
 */
#include "gate.h"

#include "interrupt.h"
#include "log.h"
#include "os/os.h"

#include <duet/duet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LAST_MS = 1000 };              /* after its time, for unread data */
enum { SCRATCH = 16384, READS = 64 }; /* bytes, and reads of one peer at a time */
enum { CANDIDATES = 64 }; /* a flood is most of them; more would cost the listener too much */
enum { LOGGED_FIRST = 20, LOGGED_EVERY_MS = 60000 };

int
gate_draw(uint32_t *ms, uint32_t least_ms, uint32_t most_ms)
{
    uint64_t draw;

    if (duet__os_random((uint8_t *)&draw, sizeof draw) != 0)
        return log_error(EXIT_LIMIT, "no randomness for a time of silence");
    *ms = least_ms + (uint32_t)(draw % ((uint64_t)most_ms - least_ms + 1));
    return EXIT_DONE;
}

uint32_t
gate_draw_linger(uint32_t least_ms, uint32_t most_ms)
{
    uint32_t ms = most_ms;

    (void)gate_draw(&ms, least_ms, most_ms); /* a failure is logged */
    return ms;
}

int
gate_drop(int fd, int *ended)
{
    char scratch[SCRATCH];

    *ended = 0;
    for (int i = 0; i < READS; i++) {
        ssize_t n = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
        if (n > 0)
            continue;
        *ended = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
        return 1;
    }
    return 0;
}

int
gate_is_over(int fd, uint64_t age_ms, uint32_t whole_ms, int *ended)
{
    if (age_ms < whole_ms)
        return 0;
    return gate_drop(fd, ended) || age_ms >= (uint64_t)whole_ms + LAST_MS;
}

int
gate_offer(struct gate_choice *choice, uint64_t age_ms, uint64_t handshake_ms, unsigned connections)
{
    if (age_ms < handshake_ms)
        return 0;
    if (choice->seen++ == CANDIDATES)
        return -1;
    if (choice->seen > 1 && connections <= choice->connections)
        return 0;
    choice->connections = connections;
    choice->waits = age_ms < GATE_EVICT_AFTER_MS;
    return !choice->waits;
}

const char *
gate_reason(enum gate_end end)
{
    static const char *const reasons[] = {
        [GATE_TIMEOUT] = "its handshake was not finished when its time was over",
        [GATE_EVICTED] = "its handshake was not finished when its place was needed",
        [GATE_SHUTDOWN] = "its handshake was not finished when the service ended",
        [GATE_PEER_CAME] = "its handshake was not finished when the peer had come"};

    return reasons[end];
}

/* ---- The log's rate limit ---- */

int
gate_is_flooded(const struct gate_log *log)
{
    return log->count > LOGGED_FIRST;
}

int
gate_may_log(struct gate_log *log, uint64_t now_ms)
{
    log->count++;
    if (gate_is_flooded(log) && now_ms < log->last_ms + LOGGED_EVERY_MS) {
        log->left_out++;
        return 0;
    }
    log->last_ms = now_ms;
    return 1;
}

unsigned
gate_left_out(struct gate_log *log)
{
    unsigned count = log->left_out;

    log->left_out = 0;
    return count;
}

/* ---- Silence towards one peer, waiting ---- */

/** Drop what is there, by read(2): it may be a pipe. Returns 1 when more may come. */
static int
read_and_drop(int fd)
{
    char scratch[SCRATCH];
    ssize_t n = read(fd, scratch, sizeof scratch);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/** Drop what is unread now, for a second at most, so that FIN and not RST follows. */
static void
drop_rest(int fd)
{
    uint64_t end = duet__os_now_ms() + LAST_MS;
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    while (duet__os_now_ms() < end && !interrupted() && poll(&poll_fd, 1, 0) > 0 &&
           read_and_drop(fd))
        continue;
}

void
gate_silence(int fd, uint64_t ms, int to_end)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = interrupt_fd(), .events = POLLIN}};
    uint64_t end = duet__os_now_ms() + ms;

    for (uint64_t now = end - ms; now < end && !interrupted(); now = duet__os_now_ms()) {
        if (poll(fds, 2, (int)(end - now)) <= 0 || fds[0].revents == 0 || read_and_drop(fd))
            continue;
        if (to_end)
            return;
        fds[0].fd = -1; /* its close tells nothing: wait for the whole time */
    }
    if (fds[0].fd >= 0)
        drop_rest(fd);
}
