/*
 * A channel's life: construction on descriptors or a stream, state and detail, failure, release.
 * Reading and writing are in io.c, waiting in call.c.
 *
 * The first fatal result stays. It frees all buffers and wipes the session's keys, so that every
 * later call returns the same (docs/protocol.md §1).
 */
#include "channel/channel.h"
#include "channel/replay.h"

#include <duet/secret.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_SIZE = 160 }; /* bytes of a detail, NUL included */

/* ---- Failure ---- */

void
duet__channel_set_detail(duet_channel *channel, const char *what, int reason)
{
    char text[DETAIL_SIZE / 2];

    if (channel->detail != NULL)
        return;
    channel->detail = malloc(DETAIL_SIZE);
    if (channel->detail == NULL)
        return;
    snprintf(channel->detail, DETAIL_SIZE, "%s", what);
    if (reason == 0)
        return;
    duet__os_reason(text, sizeof text, reason);
    snprintf(channel->detail, DETAIL_SIZE, "%s: %s", what, text);
}

void
duet__channel_clear_low_water(duet_channel *channel)
{
    if (channel->low_water)
        (void)duet__os_low_water(channel->io.rfd, 1);
    channel->low_water = 0;
}

/** Free the bytes of both directions, and leave the caller's descriptor as it was. */
static void
release_buffers(duet_channel *channel)
{
    duet__channel_clear_low_water(channel);
    if (channel->limited)
        (void)duet__os_limit_peeks(channel->io.rfd, 0);
    channel->limited = 0;
    duet__partial_free(channel);
    duet__ahead_free(channel);
    free(channel->unsent);
    channel->unsent = NULL;
}

int
duet__channel_fail(duet_channel *channel, int result, const char *what, int reason)
{
    if (channel->result != DUET_OK)
        return channel->result;
    if (what != NULL)
        duet__channel_set_detail(channel, what, reason);
    channel->result = (int8_t)result;
    release_buffers(channel);
    (void)duet__session_fail(channel->session, result, NULL);
    return result;
}

int
duet__channel_check(duet_channel *channel, int result)
{
    if (result == DUET_OK)
        return DUET_OK;
    const duet_result_info *info = duet_explain(result);
    if (info != NULL && info->kind != DUET_CLASS_FATAL && info->kind != DUET_CLASS_THEIRS)
        return result;
    return duet__channel_fail(channel, result, NULL, 0);
}

int
duet__channel_usable(duet_channel *channel)
{
    /* After a fork two processes would use one keystream. */
    if (channel->process != duet__os_process())
        duet__channel_fail(channel, DUET_E_FORKED, NULL, 0);
    return channel->result == DUET_OK;
}

int
duet__channel_misuse(duet_channel *channel)
{
    return duet__channel_usable(channel) ? DUET_E_MISUSE : channel->result;
}

/* ---- Construction ---- */

/** Make a channel without a session, on a stream or (stream NULL) on descriptors. file 1: they may
 * be regular files. */
static int
channel_construct(duet_channel **channel, const duet_stream *stream, int rfd, int wfd, int file)
{
    enum duet__os_kind rkind = DUET__OS_OTHER, wkind = DUET__OS_OTHER;

    *channel = NULL;
    duet_channel *made = calloc(1, sizeof *made);
    if (made == NULL)
        return DUET_E_MEMORY;
    int fits;
    if (stream != NULL)
        fits = stream->read != NULL && stream->write != NULL && stream->wait != NULL;
    else
        fits = duet__os_carries_stream(rfd, 0, file) && duet__os_carries_stream(wfd, 1, file) &&
               duet__os_kind(&rkind, rfd) == 0 && duet__os_kind(&wkind, wfd) == 0;
    if (!fits) {
        free(made);
        return DUET_E_MISUSE;
    }
    made->io =
        (struct duet__io){.rfd = rfd, .wfd = wfd, .rkind = (uint8_t)rkind, .wkind = (uint8_t)wkind};
    if (stream != NULL)
        made->io.stream = *stream;
    made->process = duet__os_process();
    atomic_init(&made->stop.wake, -1);
    made->stop.woken = -1;
    *channel = made;
    return DUET_OK;
}

/** Apply the settings that are the channel's, not the session's. */
static void
channel_configure(duet_channel *channel, const duet_config *config)
{
    channel->frame_size = config->frame_size;
    channel->buffered = config->buffered != 0;
    channel->read_ahead =
        config->read_ahead && channel->io.stream.read == NULL &&
        (channel->io.rkind == DUET__OS_TCP || channel->io.rkind == DUET__OS_SOCKET);
}

/** Give a constructed channel a session that has no handshake. */
static void
channel_establish(duet_channel *channel, duet_session *session)
{
    channel_configure(channel, session->config);
    channel->session = session;
    channel->established = 1;
}

/** Give a constructed channel its session, which will do the handshake; on failure free it. */
static int
channel_complete(duet_channel **channel, const duet_config *config, duet_replay *replay,
                 enum duet_role role)
{
    duet_channel *made = *channel;
    uint8_t random[DUET_RANDOM_SIZE] = {0};
    int result = DUET_E_MISUSE;

    made->replay = replay;
    channel_configure(made, config);
    made->begun_ms = role == DUET_BOTTOM ? duet__os_now_ms() : 0;
    if (role == DUET_TOP || replay != NULL)
        result = duet__os_random(random, sizeof random) == 0 ? DUET_OK : DUET_E_IO;
    if (result == DUET_OK)
        result = duet_session_new(&made->session, config, role, random, duet__os_unix_ms());
    duet_wipe(random, sizeof random);
    if (result == DUET_OK)
        made->session->fills_lone = made->session->own == NULL;
    if (result == DUET_OK && role == DUET_TOP && replay != NULL &&
        duet_replay_check(replay, made->session, 0) != DUET_OK)
        result = DUET_E_IO; /* random bytes that come twice are none */
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
    int result = channel_construct(channel, NULL, rfd, wfd, 0);
    return result == DUET_OK ? channel_complete(channel, config, replay, role) : result;
}

static int
open_preset(duet_channel **channel, const duet_opening *opening)
{
    int result = channel_construct(channel, opening->stream, opening->rfd, opening->wfd, 1);

    if (result == DUET_OK)
        channel_establish(*channel, opening->session);
    return result;
}

static int
open_raw(duet_channel **channel, const duet_opening *opening)
{
    duet_session *session;

    if (opening->tx == NULL || opening->rx == NULL)
        return DUET_E_MISUSE;
    int result = channel_construct(channel, opening->stream, opening->rfd, opening->wfd, 1);
    if (result != DUET_OK)
        return result;
    result = duet__session_new_raw(&session, opening->config, opening->tx, opening->rx);
    if (result != DUET_OK) {
        duet_channel_free(*channel);
        *channel = NULL;
        return result;
    }
    channel_establish(*channel, session);
    return DUET_OK;
}

int
duet_channel_open_with(duet_channel **channel, const duet_opening *opening)
{
    *channel = NULL;
    if (opening->size != sizeof *opening)
        return DUET_E_MISUSE;
    if (opening->tx != NULL || opening->rx != NULL)
        return open_raw(channel, opening);
    if (opening->session != NULL)
        return open_preset(channel, opening);
    if (opening->config == NULL)
        return DUET_E_MISUSE;
    int result = channel_construct(channel, opening->stream, opening->rfd, opening->wfd, 0);
    if (result != DUET_OK)
        return result;
    return channel_complete(channel, opening->config, opening->replay, opening->role);
}

void
duet_channel_free(duet_channel *channel)
{
    if (channel == NULL)
        return;
    release_buffers(channel);
    duet__gather_free(channel);
    duet__os_wake_free((int[2]){channel->stop.woken, atomic_load(&channel->stop.wake)});
    duet_session_free(channel->session);
    free(channel->detail);
    free(channel);
}

/* ---- From another thread, or from a signal handler ---- */

void
duet_channel_stop(duet_channel *channel)
{
    atomic_store(&channel->stop.stopped, 1);
    int wake = atomic_load(&channel->stop.wake);
    if (wake >= 0)
        duet__os_wake(wake);
}

/* ---- State ---- */

duet_session *
duet_channel_session(duet_channel *channel)
{
    return channel->session;
}

const char *
duet_channel_detail(const duet_channel *channel)
{
    return channel->detail != NULL ? channel->detail : duet_session_detail(channel->session);
}

unsigned
duet_channel_state(const duet_channel *channel)
{
    const unsigned wants = DUET_WANT_READ | DUET_WANT_WRITE;
    int at_end = channel->recv_phase == DUET__RECV_CLOSED;
    /* want_rx may hold WANT_WRITE for bytes that have been written since: look at what is pending
     * now. */
    unsigned state = channel->want_tx | (channel->want_rx & ~(unsigned)DUET_WANT_WRITE);

    if (channel->result != DUET_OK)
        return channel->silent && !channel->silence_ended ? (unsigned)DUET_WANT_READ : 0;
    if ((state & wants) == 0 && !at_end)
        state |= DUET_WANT_READ;
    if (at_end)
        state &= ~(unsigned)DUET_STATE_AGAIN_NOW;
    if (duet__send_pending(channel) || channel->tx_unreported)
        state |= DUET_WANT_WRITE;
    if (channel->unsent != NULL || channel->send_phase == DUET__SEND_FRAME)
        state |= DUET_STATE_SEND;
    if (channel->recv_phase != DUET__RECV_BOUNDARY && channel->recv_phase != DUET__RECV_CLOSED)
        state |= DUET_STATE_RECV;
    if (channel->recv_phase == DUET__RECV_VERIFIED || (at_end && !channel->end_reported) ||
        duet__gather_waits(channel, 1) || duet__ahead_waits(channel))
        state |= DUET_STATE_HAS_DATA;
    return state;
}

uint32_t
duet_channel_next_frame(const duet_channel *channel)
{
    int known =
        channel->recv_phase == DUET__RECV_BEGUN || channel->recv_phase == DUET__RECV_VERIFIED;
    return known && channel->result == DUET_OK ? channel->rx_length - channel->rx_taken : 0;
}
