/*
 * Prints the functions that a frame of 6 bytes passes on its way out and in: two channels over TCP
 * on the loopback, after the handshake. Built by scripts/paths with -finstrument-functions, whose
 * hooks are below; send() is the linker's --wrap, since the way out ends there.
 *
 * Each line is "out ADDRESS" or "in ADDRESS", in the order of the calls.
 */
#include <arpa/inet.h>
#include <duet/duet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HIDDEN __attribute__((no_instrument_function))

enum { MOST = 4096 }; /* calls that are kept */

static void *calls[MOST];
static size_t count;
static int recording;

void __cyg_profile_func_enter(void *function, void *site) HIDDEN;
void __cyg_profile_func_exit(void *function, void *site) HIDDEN;
ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags) HIDDEN;

void
__cyg_profile_func_enter(void *function, void *site)
{
    (void)site;
    if (recording && count < MOST)
        calls[count++] = function;
}

void
__cyg_profile_func_exit(void *function, void *site)
{
    (void)function;
    (void)site;
}

ssize_t
__wrap_send(int fd, const void *data, size_t size, int flags)
{
    recording = 0;
    return __real_send(fd, data, size, flags);
}

HIDDEN static void
require(int truth, const char *what)
{
    if (truth)
        return;
    fprintf(stderr, "paths: %s\n", what);
    exit(1);
}

HIDDEN static void
print_calls(const char *way)
{
    for (size_t i = 0; i < count; i++)
        printf("%s %llx\n", way, (unsigned long long)(uintptr_t)calls[i]);
    count = 0;
}

HIDDEN static void
connect_pair(int fd[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    require(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(listener, 1) == 0 &&
                getsockname(listener, (struct sockaddr *)&address, &size) == 0,
            "cannot listen on the loopback");
    fd[0] = socket(AF_INET, SOCK_STREAM, 0);
    require(connect(fd[0], (struct sockaddr *)&address, sizeof address) == 0, "cannot connect");
    fd[1] = accept(listener, NULL, NULL);
    require(fd[1] >= 0, "cannot accept");
    close(listener);
}

int
main(void)
{
    uint8_t secret[DUET_SECRET_LEAST] = {1};
    duet_replay *replay = duet_replay_new(16); /* TOP's own would know its nonce */
    duet_config *config = duet_config_new();
    duet_channel *ends[2];
    char text[6];
    size_t n;
    int fd[2], results[2] = {DUET_AGAIN, DUET_AGAIN};

    connect_pair(fd);
    require(duet_config_add_secret(config, secret, sizeof secret) == DUET_OK, "no configuration");
    require(duet_channel_open(&ends[0], config, NULL, DUET_TOP, fd[0], fd[0]) == DUET_OK &&
                duet_channel_open(&ends[1], config, replay, DUET_BOTTOM, fd[1], fd[1]) == DUET_OK,
            "no channel");
    for (int turns = 0; turns < 10000 && (results[0] != DUET_OK || results[1] != DUET_OK); turns++)
        for (int i = 0; i < 2; i++)
            results[i] = duet_channel_handshake(ends[i], 0);
    require(results[0] == DUET_OK && results[1] == DUET_OK, "the handshake failed");
    /* A frame before the one that is recorded: READY came with a PAD frame. */
    require(duet_channel_send(ends[0], "first\n", 6, &n, -1) == DUET_OK &&
                duet_channel_recv(ends[1], text, sizeof text, &n, 6, -1) == DUET_OK,
            "the first frame did not come");

    recording = 1;
    require(duet_channel_send(ends[0], "frame\n", 6, &n, -1) == DUET_OK && n == 6,
            "duet_channel_send() failed");
    require(!recording, "duet_channel_send() came past no send()");
    print_calls("out");

    struct pollfd ready = {.fd = fd[1], .events = POLLIN};
    require(poll(&ready, 1, 10000) == 1, "nothing came");
    recording = 1;
    require(duet_channel_recv(ends[1], text, sizeof text, &n, 6, -1) == DUET_OK && n == 6,
            "duet_channel_recv() failed");
    recording = 0;
    print_calls("in");

    duet_channel_free(ends[0]);
    duet_channel_free(ends[1]);
    duet_config_free(config);
    duet_replay_free(replay);
    return 0;
}
