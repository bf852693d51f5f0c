/*
 * Standard input to the peer, and what the peer sends to standard output, by one poll() loop.
 *   poll_pipe secret.key listen 4000
 *   poll_pipe secret.key connect localhost 4000
 */
#include "tcp.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

struct pipe_state {
    duet_channel *channel;
    int fd;
    char out[16384]; /* from standard input, out_at to out_size not sent yet */
    size_t out_at, out_size;
    int out_ended; /* standard input has ended, CLOSE is sent */
    int in_ended;  /* the peer has closed */
};

/** Send what was read, or close after the last of it. Returns DUET_OK when there is no more to do. */
static int
send_step(struct pipe_state *state)
{
    size_t sent;
    int result;

    if (state->out_ended)
        return duet_channel_close(state->channel, 0); /* a second call only flushes */
    result = duet_channel_send(state->channel, state->out + state->out_at,
                               state->out_size - state->out_at, &sent, 0);
    state->out_at += sent;
    return result;
}

/** Print all that has come. Returns DUET_AGAIN when there is no more. */
static int
recv_step(struct pipe_state *state)
{
    static char buffer[65536];
    size_t got;
    int result;

    do {
        result = duet_channel_recv(state->channel, buffer, sizeof buffer, &got, 1, 0);
        fwrite(buffer, 1, got, stdout); /* bytes count after every result */
    } while (result == DUET_OK);
    fflush(stdout);
    return result;
}

/** Wait until standard input or the channel can go on. */
static void
wait_step(struct pipe_state *state, int result_of_send)
{
    unsigned want = duet_channel_state(state->channel);
    struct pollfd fds[2] = {{.fd = -1, .events = POLLIN}, {.fd = state->fd}};
    ssize_t got;

    /* Read more only when all before it is sent: that is the back-pressure. */
    if (result_of_send == DUET_OK && !state->out_ended)
        fds[0].fd = STDIN_FILENO;
    fds[1].events =
        (short)((want & DUET_WANT_READ ? POLLIN : 0) | (want & DUET_WANT_WRITE ? POLLOUT : 0));
    /* poll() does not know of what lies in the library: then it only looks. */
    if (poll(fds, 2, want & (DUET_STATE_HAS_DATA | DUET_STATE_AGAIN_NOW) ? 0 : -1) <= 0 ||
        fds[0].revents == 0)
        return;
    got = read(STDIN_FILENO, state->out, sizeof state->out);
    state->out_at = 0;
    state->out_size = got > 0 ? (size_t)got : 0;
    state->out_ended = got <= 0;
}

static int
pipe_run(struct pipe_state *state)
{
    int sent, result;

    for (;;) {
        sent = send_step(state);
        if (sent != DUET_OK && sent != DUET_AGAIN)
            return sent;
        if (!state->in_ended) {
            result = recv_step(state);
            if (result != DUET_CLOSED && result != DUET_AGAIN)
                return result;
            state->in_ended = result == DUET_CLOSED;
        }
        if (state->in_ended && state->out_ended && sent == DUET_OK)
            return DUET_OK;
        wait_step(state, sent);
    }
}

int
main(int argc, char **argv)
{
    struct pipe_state state = {.fd = -1};
    duet_config *config = NULL;
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    duet_where where;
    enum duet_role role;
    int result;

    if (argc < 3)
        return fputs("usage: poll_pipe SECRET listen PORT | connect HOST PORT\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    state.fd = tcp_from_words(argv + 2, &role);
    if (state.fd < 0)
        return 1;
    result = duet_config_set(config, DUET_SET_MAX_PAYLOAD, 65536);
    if (result == DUET_OK)
        result = duet_channel_open(&state.channel, config, replay, role, state.fd, state.fd);
    if (result == DUET_OK)
        result = pipe_run(&state);
    if (result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED)
        (void)!duet_channel_silence(state.channel, -1);
    if (result != DUET_OK)
        fprintf(stderr, "poll_pipe: %s. %s\n", duet_explain(result)->sentence,
                state.channel != NULL ? duet_channel_detail(state.channel) : "");
    duet_wipe(state.out, sizeof state.out);
    duet_channel_free(state.channel);
    duet_config_free(config);
    duet_replay_free(replay);
    close(state.fd);
    return result == DUET_OK ? 0 : 1;
}
