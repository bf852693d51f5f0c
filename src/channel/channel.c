/*
 * A channel's life: opened on descriptors or a stream, what it says of itself, and how it ends.
 *
 * The first fatal result wins and sticks; it wipes what is kept and the session's keys. The
 * system's reason is put into words here and shown by duet_channel_detail().
 */
#include "channel/channel.h"
#include "channel/replay.h"

#include "session/session.h"

#include <duet/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DETAIL = 160,        /* bytes of a detail, NUL included */
    PRESET_FRAME = 16384 /* bytes into which a preset session's payload is split */
};

/* ---- How it ends ---- */

void
duet__channel_note(duet_channel *channel, const char *what, int reason)
{
    char text[DETAIL / 2];

    if (channel->detail != NULL)
        return;
    channel->detail = malloc(DETAIL);
    if (channel->detail == NULL)
        return;
    snprintf(channel->detail, DETAIL, "%s", what);
    if (reason == 0)
        return;
    duet__os_reason(text, sizeof text, reason);
    snprintf(channel->detail, DETAIL, "%s: %s", what, text);
}

/** Let go of all that holds bytes of either direction, and of the mark on the descriptor. */
static void
drop_buffers(duet_channel *channel)
{
    duet__io_no_low_water(channel);
    duet__stash_drop(channel);
    free(channel->kept);
    channel->kept = NULL;
}

int
duet__channel_die(duet_channel *channel, int result, const char *what, int reason)
{
    if (channel->result != DUET_OK)
        return channel->result;
    if (what != NULL)
        duet__channel_note(channel, what, reason);
    channel->result = (int8_t)result;
    drop_buffers(channel);
    duet__session_fail(channel->session, result, NULL);
    return result;
}

int
duet__channel_judge(duet_channel *channel, int result)
{
    const duet_result_info *info = duet_explain(result);

    if (info != NULL && info->kind != DUET_CLASS_FATAL && info->kind != DUET_CLASS_THEIRS)
        return result;
    return duet__channel_die(channel, result, NULL, 0);
}

int
duet__channel_alive(duet_channel *channel)
{
    if (channel->process != duet__os_process())
        duet__channel_die(channel, DUET_E_FORKED, NULL, 0);
    return channel->result == DUET_OK;
}

int
duet__channel_refuse(duet_channel *channel)
{
    return duet__channel_alive(channel) ? DUET_E_MISUSE : channel->result;
}

/* ---- How it begins ---- */

/** Put the wire under a channel. */
static int
attach(struct duet__io *io, const duet_stream *stream, int rfd, int wfd)
{
    enum duet__os_kind rkind, wkind;

    if (stream != NULL) {
        io->stream = *stream;
        if (stream->read == NULL || stream->write == NULL || stream->wait == NULL)
            return DUET_E_MISUSE;
        return DUET_OK;
    }
    if (duet__os_kind(&rkind, rfd) != 0 || duet__os_kind(&wkind, wfd) != 0)
        return DUET_E_MISUSE;
    io->rfd = rfd;
    io->wfd = wfd;
    io->rkind = (uint8_t)rkind;
    io->wkind = (uint8_t)wkind;
    return DUET_OK;
}

/** A channel without a session. */
static int
make(duet_channel **channel, const duet_stream *stream, int rfd, int wfd)
{
    *channel = NULL;
    duet_channel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return DUET_E_MEMORY;
    int result = attach(&made->io, stream, rfd, wfd);
    if (result != DUET_OK) {
        free(made);
        return result;
    }
    made->process = duet__os_process();
    *channel = made;
    return DUET_OK;
}

/** A session that initiates. TOP's nonce is remembered before it can be sent, so that nobody can
 * hand it back to a listener of this program (docs/protocol.md §4 "Replay"). */
static int
new_session(duet_channel *channel, const duet_config *config, enum duet_role role)
{
    uint8_t random[DUET_RANDOM_SIZE];

    if (duet__os_random(random, sizeof random) != 0)
        return DUET_E_IO;
    int result = duet_session_new(&channel->session, config, role, random, duet__os_unix_ms());
    if (result == DUET_OK && role == DUET_TOP && channel->replay != NULL)
        duet__replay_take(channel->replay, random, duet__os_now_ms(), channel->keep_ms);
    duet_wipe(random, sizeof random);
    return result;
}

static int
open_channel(duet_channel **channel, const duet_config *config, duet_replay *replay,
             enum duet_role role)
{
    duet_channel *made = *channel;
    int result = DUET_E_MISUSE;

    made->replay = replay;
    made->frame_size = config->frame_size;
    made->speak_first = config->speak_first ? 1 : 0;
    made->keep_ms = 2 * config->max_skew_ms;
    if (role == DUET_TOP || replay != NULL)
        result = new_session(made, config, role);
    if (result == DUET_OK)
        return DUET_OK;
    duet_channel_free(made);
    *channel = NULL;
    return result;
}

int
duet_channel_open(duet_channel **channel, const duet_config *config, duet_replay *replay,
                  enum duet_role role, int rfd, int wfd)
{
    int result = make(channel, NULL, rfd, wfd);
    return result == DUET_OK ? open_channel(channel, config, replay, role) : result;
}

int
duet_channel_open_stream(duet_channel **channel, const duet_config *config, duet_replay *replay,
                         enum duet_role role, const duet_stream *stream)
{
    int result = make(channel, stream, -1, -1);
    return result == DUET_OK ? open_channel(channel, config, replay, role) : result;
}

int
duet_channel_open_preset(duet_channel **channel, duet_session *session, const duet_stream *stream,
                         int rfd, int wfd)
{
    int result = make(channel, stream, rfd, wfd);
    if (result != DUET_OK)
        return result;
    (*channel)->session = session;
    (*channel)->frame_size = PRESET_FRAME;
    (*channel)->open = 1;
    return DUET_OK;
}

void
duet_channel_free(duet_channel *channel)
{
    if (channel == NULL)
        return;
    drop_buffers(channel);
    duet_session_free(channel->session);
    free(channel->detail);
    free(channel);
}

/* ---- What it says of itself ---- */

duet_session *
duet_channel_session(duet_channel *channel)
{
    return channel->session;
}

const char *
duet_channel_detail(const duet_channel *channel)
{
    if (channel->detail != NULL)
        return channel->detail;
    return duet_session_detail(channel->session);
}

unsigned
duet_channel_state(const duet_channel *channel)
{
    /* What a receiving call has to write is told by what waits: it may have gone since. */
    unsigned state = channel->want_tx | (channel->want_rx & (unsigned)DUET_WANT_READ);

    if (channel->result != DUET_OK)
        return 0;
    if (state == 0 && !channel->rx_closed)
        state = DUET_WANT_READ;
    if (duet__tx_waits(channel))
        state |= DUET_WANT_WRITE;
    if (channel->kept != NULL || channel->tx_frame)
        state |= DUET_STATE_SEND;
    if (channel->rx_state != DUET__RX_NONE || channel->rx_midway)
        state |= DUET_STATE_RECV;
    return state;
}

uint32_t
duet_next_frame(const duet_channel *channel)
{
    if (channel->result != DUET_OK || channel->rx_state == DUET__RX_NONE)
        return 0;
    return channel->rx_length;
}
