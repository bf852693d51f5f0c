/*
 * An echo on one channel, polled; see echo.h.
 */
#include "echo.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURNS = 16, IDLE_SECONDS = 60, HANDSHAKE_SECONDS = 20 };

duet_config *
echo_config(const char *path)
{
    duet_config *config = NULL;
    duet_where where;

    if (duet_config_load(&config, path, &where) != DUET_OK) {
        fprintf(stderr, "%s: %s\n", path, where.reason);
        return NULL;
    }
    /* No frame may be larger than the buffer that receives it. */
    if (duet_config_set(config, DUET_SET_MAX_PAYLOAD, ECHO_FRAME_MOST) != DUET_OK) {
        duet_config_free(config);
        return NULL;
    }
    return config;
}

struct echo *
echo_new(const duet_config *config, duet_replay *replay, int fd)
{
    struct echo *echo = calloc(1, sizeof *echo);

    if (echo == NULL ||
        duet_channel_open(&echo->channel, config, replay, DUET_BOTTOM, fd, fd) != DUET_OK) {
        free(echo);
        close(fd);
        return NULL;
    }
    echo->fd = fd;
    echo->since = time(NULL);
    return echo;
}

/** One step. Returns DUET_OK when another may follow, DUET_AGAIN, or another result at the end. */
static int
echo_step(struct echo *echo)
{
    size_t sent;
    int result;

    if (echo->silent) { /* neither a byte nor the moment of closing tells anything */
        result = duet_channel_silence(echo->channel, 0);
        return result == DUET_OK ? DUET_E_UNAUTHENTICATED : result;
    }
    if (echo->at < echo->size) {
        result = duet_channel_send(echo->channel, echo->buffer + echo->at, echo->size - echo->at,
                                   &sent, 0);
        echo->at += sent;
        return result;
    }
    if (echo->closing) {
        result = duet_channel_close(echo->channel, 0);
        return result == DUET_OK ? DUET_CLOSED : result;
    }
    echo->at = 0; /* and whatever the result is, size bytes of the buffer are verified */
    result = duet_channel_recv(echo->channel, echo->buffer, sizeof echo->buffer, &echo->size, 1, 0);
    if (result == DUET_AGAIN && duet_channel_state(echo->channel) & DUET_STATE_AGAIN_NOW)
        return DUET_OK; /* the wire has not said that it would block: no edge need follow */
    echo->closing = result == DUET_CLOSED;
    echo->silent = result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED;
    return echo->closing || echo->silent ? DUET_OK : result;
}

enum echo_next
echo_run(struct echo *echo)
{
    int result;

    for (int turn = 0; turn < TURNS; turn++) {
        result = echo_step(echo);
        if (result == DUET_AGAIN)
            return ECHO_WAIT;
        if (result == DUET_OK)
            echo->since = time(NULL);
        else {
            if (result != DUET_CLOSED)
                fprintf(stderr, "echo: %s. %s\n", duet_explain(result)->sentence,
                        duet_channel_detail(echo->channel));
            return ECHO_END;
        }
    }
    return ECHO_MORE;
}

int
echo_is_idle(struct echo *echo)
{
    time_t idle = time(NULL) - echo->since;
    duet_info info;

    duet_channel_info(echo->channel, &info);
    if (!info.ready && idle >= HANDSHAKE_SECONDS)
        echo->silent = 1;
    return !echo->silent && idle >= IDLE_SECONDS;
}

void
echo_free(struct echo *echo)
{
    if (echo == NULL)
        return;
    duet_channel_free(echo->channel); /* wipes the keys */
    close(echo->fd);
    duet_wipe(echo->buffer, sizeof echo->buffer);
    free(echo);
}
