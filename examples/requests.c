/*
 * Requests and responses, told apart by CODE: a server that reverses and counts.
 *   requests secret.key listen 4000
 *   requests secret.key connect localhost 4000 reverse hello
 */
#include "tcp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The application's own codes, 1 to DUET_CODE_APP_MAX. */
enum { REVERSE = 1, COUNT = 2, ANSWER = 16, REFUSED = 17 };
enum { TEXT_MOST = 4096, WAIT_MS = 30000 };

/** Answer one request in place. Returns the response's code. */
static uint32_t
answer(uint32_t code, char *text, size_t *size)
{
    char c;

    switch (code) {
    case REVERSE:
        for (size_t i = 0; i < *size / 2; i++) {
            c = text[i];
            text[i] = text[*size - 1 - i];
            text[*size - 1 - i] = c;
        }
        return ANSWER;
    case COUNT:
        *size = (size_t)snprintf(text, TEXT_MOST, "%zu", *size);
        return ANSWER;
    default: /* also DUET_CODE_MORE: a request larger than the buffer */
        *size = 0;
        return REFUSED;
    }
}

/** Answer until the peer closes. */
static int
serve(duet_channel *channel)
{
    char text[TEXT_MOST];
    uint32_t code;
    size_t size, sent;
    int result;

    for (;;) {
        result = duet_channel_recv_message(channel, &code, text, sizeof text, &size, -1);
        if (result != DUET_OK)
            break;
        code = answer(code, text, &size);
        result = duet_channel_send_message(channel, code, text, size, &sent, WAIT_MS);
        if (result != DUET_OK || code == REFUSED)
            break;
    }
    if (result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED)
        (void)!duet_channel_silence(channel, -1);
    return result == DUET_CLOSED || result == DUET_OK ? duet_channel_close(channel, WAIT_MS)
                                                      : result;
}

/** Send one request and print the response. */
static int
request(duet_channel *channel, uint32_t code, const char *question)
{
    char text[TEXT_MOST];
    size_t size;
    int result =
        duet_channel_send_message(channel, code, question, strlen(question), &size, WAIT_MS);

    if (result == DUET_OK)
        result = duet_channel_recv_message(channel, &code, text, sizeof text, &size, WAIT_MS);
    if (result == DUET_OK && code == ANSWER)
        printf("%.*s\n", (int)size, text);
    else if (result == DUET_OK)
        fputs("requests: the peer refuses this request\n", stderr);
    return result == DUET_OK ? duet_channel_close(channel, WAIT_MS) : result;
}

static int
run(duet_config *config, char **words)
{
    duet_channel *channel = NULL;
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    enum duet_role role;
    int fd = tcp_from_words(words, &role), result = DUET_E_MISUSE;
    const char *verb = role == DUET_TOP && words[3] != NULL ? words[3] : "";

    if (fd >= 0)
        result = duet_channel_open(&channel, config, replay, role, fd, fd);
    if (result == DUET_OK && role == DUET_BOTTOM)
        result = serve(channel);
    else if (result == DUET_OK)
        result = request(channel, strcmp(verb, "count") == 0 ? COUNT : REVERSE,
                         *verb && words[4] ? words[4] : "");
    if (result != DUET_OK)
        fprintf(stderr, "requests: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    duet_channel_free(channel);
    duet_replay_free(replay);
    if (fd >= 0)
        close(fd);
    return result;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_where where;
    int result;

    if (argc < 4)
        return fputs("usage: requests SECRET listen PORT | connect HOST PORT reverse|count TEXT\n",
                     stderr),
               2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    result = duet_config_set(config, DUET_SET_MAX_PAYLOAD, TEXT_MOST);
    if (result == DUET_OK)
        result = run(config, argv + 2);
    duet_config_free(config);
    return result == DUET_OK ? 0 : 1;
}
