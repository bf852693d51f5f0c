/*
 * Public calls for messages: bytes under a code, with an end. A message of any size goes out in
 * fragments, MORE frames and a last one; a batch as one frame for each message; and
 * duet_channel_send_frame() sends one frame of any size in pieces (docs/protocol.md §1 "MORE").
 * Sealing is in send.c, reassembly of a partial frame in recv.c.
 */
#include "channel/channel.h"

int
duet_channel_send_message(duet_channel *channel, uint32_t code, const void *data, size_t size,
                          size_t *sent, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {
        .kind = DUET__TX_MESSAGE, .code = code, .data = data, .size = size, .due = 1};

    *sent = 0;
    if (code == 0 || code > DUET_CODE_APP_MAX || channel->send_phase > DUET__SEND_MESSAGE)
        return duet__channel_misuse(channel);
    if (channel->send_phase == DUET__SEND_MESSAGE && channel->tx_code != code)
        return duet__channel_misuse(channel);
    int result = duet__call_send(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_channel_send_messages(duet_channel *channel, const duet_message *messages, size_t count,
                           size_t *sent, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {
        .kind = DUET__TX_BATCH, .messages = messages, .size = count, .due = count > 0};

    *sent = 0;
    if (channel->send_phase != DUET__SEND_IDLE)
        return duet__channel_misuse(channel);
    int result = duet__call_send(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_channel_send_frame(duet_channel *channel, uint32_t code, const void *data, size_t size,
                        size_t *sent, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__tx job = {
        .kind = DUET__TX_FRAME, .code = code, .data = data, .size = size, .due = 1};
    int begun = channel->send_phase == DUET__SEND_FRAME;

    *sent = 0;
    if (code > DUET_CODE_APP_MAX || (!begun && channel->send_phase != DUET__SEND_IDLE))
        return duet__channel_misuse(channel);
    if (begun && (channel->tx_code != code || channel->tx_left != size))
        return duet__channel_misuse(channel);
    if (size > UINT32_MAX)
        return DUET_E_LENGTH;
    int result = duet__call_send(channel, &job, &deadline);
    *sent = job.sent;
    return result;
}

int
duet_channel_recv_message(duet_channel *channel, uint32_t *code, void *buffer, size_t size,
                          size_t *got, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {
        .kind = DUET__RX_MESSAGE, .buffer = buffer, .size = size, .code = DUET_CODE_MORE};

    *code = DUET_CODE_MORE;
    *got = 0;
    if (duet__gather_waits(channel, 0))
        return duet__gather_take(channel, buffer, size, got);
    int result = duet__call_recv(channel, &job, &deadline);
    *got = job.got;
    *code = job.code;
    return result;
}

int
duet_channel_recv_messages(duet_channel *channel, duet_inbox *inbox, int timeout_ms)
{
    struct duet__deadline deadline = {.timeout_ms = timeout_ms};
    struct duet__rx job = {
        .kind = DUET__RX_BATCH, .buffer = inbox->buffer, .size = inbox->size, .inbox = inbox};

    inbox->count = 0;
    if (inbox->room == 0)
        return duet__channel_misuse(channel);
    if (duet__gather_waits(channel, 0)) {
        duet_message part = {inbox->buffer, 0, DUET_CODE_MORE};
        int result = duet__gather_take(channel, inbox->buffer, inbox->size, &part.size);
        if (result == DUET_OK)
            inbox->messages[inbox->count++] = part;
        return result;
    }
    return duet__call_recv(channel, &job, &deadline);
}
