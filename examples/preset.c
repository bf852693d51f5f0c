/*
 * A preset session: no handshake, the first byte is a frame's. The salt is the higher protocol's duty.
 *   preset secret.key listen 4000
 *   preset secret.key connect localhost 4000
 * There is no forward secrecy, and no check that the peer is alive before its first frame: use a
 * channel of duet_channel_open() wherever a handshake is possible.
 */
#include "tcp.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HALF = 16, WAIT_MS = 30000 };

/** Agree on a salt that never repeats: each party brings fresh random bytes, sent in clear. Returns 0
 * on failure. */
static int
agree_on_salt(int fd, enum duet_role role, unsigned char salt[2 * HALF])
{
    unsigned char *mine = salt + (role == DUET_TOP ? 0 : HALF);
    unsigned char *theirs = salt + (role == DUET_TOP ? HALF : 0);

    return getrandom(mine, HALF, 0) == HALF && send(fd, mine, HALF, MSG_NOSIGNAL) == HALF &&
           recv(fd, theirs, HALF, MSG_WAITALL) == HALF;
}

static int
open_channel(duet_channel **channel, const duet_config *config, enum duet_role role, int fd)
{
    unsigned char salt[2 * HALF];
    duet_opening opening = {.size = sizeof opening, .rfd = fd, .wfd = fd};
    int result;

    if (!agree_on_salt(fd, role, salt))
        return DUET_E_IO;
    result = duet_session_new_preset(&opening.session, config, role, salt, sizeof salt);
    if (result != DUET_OK)
        return result;
    result = duet_channel_open_with(channel, &opening);
    if (result != DUET_OK)
        duet_session_free(opening.session);
    return result; /* on success the channel owns the session */
}

/** Greet, and print the peer's greeting. */
static int
greet(duet_channel *channel, const char *greeting)
{
    char line[100];
    size_t count;
    int result = duet_channel_send(channel, greeting, strlen(greeting), &count, WAIT_MS);

    if (result == DUET_OK)
        result = duet_channel_recv(channel, line, sizeof line, &count, 1, WAIT_MS);
    if (result == DUET_OK)
        printf("%.*s\n", (int)count, line);
    return result == DUET_OK ? duet_channel_close(channel, WAIT_MS) : result;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_channel *channel = NULL;
    duet_where where;
    enum duet_role role;
    int fd, result = DUET_E_IO;

    if (argc < 4)
        return fputs("usage: preset SECRET listen PORT | connect HOST PORT\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    fd = tcp_from_words(argv + 2, &role);
    if (fd >= 0)
        result = open_channel(&channel, config, role, fd);
    if (result == DUET_OK)
        result = greet(channel, role == DUET_TOP ? "hello from TOP" : "hello from BOTTOM");
    if (result != DUET_OK)
        fprintf(stderr, "preset: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    duet_channel_free(channel);
    duet_config_free(config);
    if (fd >= 0)
        close(fd);
    return result == DUET_OK ? 0 : 1;
}
