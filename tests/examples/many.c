/*
 * Many sessions with an echo server at once: many SECRET HOST PORT SESSIONS BYTES
 *
 * All are opened first and stay open to the end. Each sends BYTES of its own and receives them again,
 * while all the others lie there; then all close. Prints how many were echoed.
 */
#include <duet/duet.h>

#include "tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 2000, WAIT_MS = 120000 };

static duet_channel *channels[MOST];
static int sockets[MOST];

static int
fail(size_t at, const char *what, int result)
{
    fprintf(stderr, "many: session %zu: %s: %s\n", at, what, duet_explain(result)->name);
    return 1;
}

/** Send and receive `size` bytes at once: an echo holds less than that. */
static int
echo_one(size_t at, uint8_t *bytes, uint8_t *back, size_t size)
{
    duet_exchange_io io = {.data = bytes, .size = size, .buffer = back, .room = size};
    int result;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + at);
    result = duet_channel_exchange(channels[at], &io, WAIT_MS);
    if (result != DUET_OK)
        return fail(at, "exchange", result);
    return memcmp(bytes, back, size) == 0 ? 0 : fail(at, "other bytes", DUET_E_FORGED);
}

static int
run(const duet_config *config, char **argv, size_t count, size_t size)
{
    uint8_t *bytes = malloc(size), *back = malloc(size);
    int failed = bytes == NULL || back == NULL, result;

    for (size_t i = 0; i < count && !failed; i++) {
        sockets[i] = tcp_connect(argv[2], argv[3]);
        result = duet_channel_open(&channels[i], config, NULL, DUET_TOP, sockets[i], sockets[i]);
        if (result == DUET_OK)
            result = duet_channel_handshake(channels[i], WAIT_MS);
        failed = result == DUET_OK ? 0 : fail(i, "handshake", result);
    }
    for (size_t i = 0; i < count && !failed; i++)
        failed = echo_one(i, bytes, back, size);
    for (size_t i = 0; i < count && !failed; i++) {
        size_t got;
        result = duet_channel_close(channels[i], WAIT_MS);
        if (result == DUET_OK)
            result = duet_channel_recv(channels[i], back, size, &got, 1, WAIT_MS);
        failed = result == DUET_CLOSED ? 0 : fail(i, "close", result);
    }
    for (size_t i = 0; i < count && channels[i] != NULL; i++) {
        duet_channel_free(channels[i]);
        close(sockets[i]);
    }
    free(bytes);
    free(back);
    if (!failed)
        printf("%zu sessions echoed\n", count);
    return failed;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_where where;
    struct rlimit files;
    size_t count;
    int result;

    if (argc != 6 || (count = strtoul(argv[4], NULL, 10)) > MOST)
        return fputs("usage: many SECRET HOST PORT SESSIONS BYTES\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    result = run(config, argv, count, strtoul(argv[5], NULL, 10));
    duet_config_free(config);
    return result;
}
