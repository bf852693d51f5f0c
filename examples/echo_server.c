/*
 * Sends back what each peer sends: a process for each connection.
 *   echo_server secret.key 4000
 */
#include "tcp.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { HANDSHAKE_MS = 20000, WAIT_MS = 60000 };

/** Echo until the peer closes. Returns what ended it. */
static int
echo(duet_channel *channel)
{
    static char buffer[65536];
    size_t got, sent;
    int result = duet_channel_handshake(channel, HANDSHAKE_MS);

    if (result != DUET_OK) { /* give a peer that is not authenticated neither a byte nor a moment */
        (void)!duet_channel_silence(channel, -1);
        return result;
    }
    do {
        result = duet_channel_recv(channel, buffer, sizeof buffer, &got, 1, WAIT_MS);
        if (result == DUET_OK)
            result = duet_channel_send(channel, buffer, got, &sent, WAIT_MS);
    } while (result == DUET_OK);
    return result == DUET_CLOSED ? duet_channel_close(channel, WAIT_MS) : result;
}

/** Serve one connection in a process of its own. Returns its exit code. */
static int
serve(duet_config *config, duet_replay *replay, int fd)
{
    duet_channel *channel;
    int result = duet_channel_open(&channel, config, replay, DUET_BOTTOM, fd, fd);

    if (result == DUET_OK)
        result = echo(channel);
    if (result != DUET_OK)
        fprintf(stderr, "echo_server: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    duet_channel_free(channel); /* wipes the keys */
    duet_config_free(config);   /* wipes this process's copy of the secret */
    duet_replay_free(replay);
    return result == DUET_OK ? 0 : 1;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_where where;
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT); /* shared by all processes */
    int fd, listener;

    if (argc != 3)
        return fputs("usage: echo_server SECRET PORT\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    /* No frame may be larger than the buffer that receives it. */
    if (replay == NULL || duet_config_set(config, DUET_SET_MAX_PAYLOAD, 65536) != DUET_OK)
        return fputs("echo_server: no memory\n", stderr), 1;
    signal(SIGCHLD, SIG_IGN); /* the system collects the processes that have ended */
    tcp_stop_on_signals();
    listener = tcp_listen(argv[2]);
    while (listener >= 0 && (fd = tcp_accept(listener)) >= 0) {
        if (fork() == 0) /* the channel is made in the process that uses it */
            return serve(config, replay, fd);
        close(fd);
    }
    duet_config_free(config); /* wipes the secret */
    duet_replay_free(replay);
    return tcp_stopped ? 0 : 1;
}
