/*
 * Messages: bytes under a code, with an end. Of any size as MORE frames and a last one, or as one
 * large frame that is sealed in pieces (docs/protocol.md §1, "MORE").
 */
#include "channel/channel.h"

/**
 * Run a job that ends with a frame. Where nothing but an empty frame is due the count cannot tell
 * whether it was accepted, so the result does: sealed is DUET_OK, though it may still be kept.
 */
static int
run(duet_channel *channel, struct duet__tx *job, size_t *sent, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};

    int result = duet__tx_run(channel, job, &deadline);
    *sent = job->sent;
    if (job->size == 0 && !job->due && (result == DUET_AGAIN || result == DUET_SLOW))
        return DUET_OK;
    return result;
}

int
duet_send_message(duet_channel *channel, uint32_t code, const void *data, size_t size, size_t *sent,
                  int timeout_ms)
{
    struct duet__tx job = {
        .kind = DUET__TX_MESSAGE, .code = code, .data = data, .size = size, .due = 1};

    *sent = 0;
    if (code == 0 || code > DUET_CODE_APP_MAX || channel->tx_frame || channel->tx_closing)
        return duet__channel_refuse(channel);
    if (channel->tx_message && channel->tx_code != code)
        return duet__channel_refuse(channel);
    return run(channel, &job, sent, timeout_ms);
}

int
duet_send_messages(duet_channel *channel, const duet_message *messages, size_t count, size_t *sent,
                   int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {
        .kind = DUET__TX_BATCH, .messages = messages, .size = count, .due = count > 0};

    *sent = 0;
    if (!duet__tx_streams(channel))
        return duet__channel_refuse(channel);
    int result = duet__tx_run(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_send_frame(duet_channel *channel, uint32_t code, const void *data, size_t size, size_t *sent,
                int timeout_ms)
{
    struct duet__tx job = {
        .kind = DUET__TX_FRAME, .code = code, .data = data, .size = size, .due = 1};

    *sent = 0;
    if (code > DUET_CODE_APP_MAX || channel->tx_message || channel->tx_closing)
        return duet__channel_refuse(channel);
    if (channel->tx_frame && (channel->tx_code != code || channel->tx_left != size))
        return duet__channel_refuse(channel);
    if (size > UINT32_MAX)
        return DUET_E_LENGTH;
    return run(channel, &job, sent, timeout_ms);
}

int
duet_recv_message(duet_channel *channel, uint32_t *code, void *buffer, size_t size, size_t *got,
                  int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {
        .kind = DUET__RX_MESSAGE, .buffer = buffer, .size = size, .code = DUET_CODE_MORE};

    int result = duet__rx_run(channel, &job, &deadline);
    *got = job.got;
    *code = job.code;
    return result;
}

int
duet_recv_messages(duet_channel *channel, duet_inbox *inbox, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {
        .kind = DUET__RX_BATCH, .buffer = inbox->buffer, .size = inbox->size, .inbox = inbox};

    inbox->count = 0;
    if (inbox->room == 0)
        return duet__channel_refuse(channel);
    return duet__rx_run(channel, &job, &deadline);
}
