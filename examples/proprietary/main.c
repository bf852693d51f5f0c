/*
 * A program that talks with itself under an initiation, a nonce rule and a key rotation of its own.
 *
 *   proprietary KEYFILE top|bottom   one end, on standard input and output
 *
 * TOP sends a line and rekeys, BOTTOM answers with it; both print what they got. KEYFILE is 32
 * random bytes (head -c 32 /dev/urandom > KEYFILE, in a folder that is yours alone).
 */
#include "proprietary.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE = 10000 }; /* milliseconds */

static struct px_secret secret;

static int
read_key(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        return -1;
    setbuf(file, NULL); /* no copy of the key is left in stdio */
    size_t got = fread(secret.bytes, 1, PX_SECRET, file);
    fclose(file);
    return got == PX_SECRET ? 0 : -1;
}

/** A configuration with nothing but the functions of our own. */
static duet_config *
make_config(void)
{
    duet_handshake_ops handshake = px_handshake(&secret);
    duet_schedule_ops schedule = px_schedule();
    duet_config *config = duet_config_new();

    if (config != NULL && duet_config_set_own(config, &handshake, &schedule) == DUET_OK)
        return config;
    duet_config_free(config);
    return NULL;
}

/** Send a line, or send back what comes; print it; close. */
static int
talk(duet_channel *channel, enum duet_role role)
{
    char line[100] = "a line under keys of our own";
    size_t n = strlen(line);
    uint32_t code = 1;
    int result = DUET_OK;

    if (role == DUET_TOP)
        result = duet_channel_send_message(channel, code, line, n, &n, PATIENCE);
    if (role == DUET_TOP && result == DUET_OK)
        result = duet_channel_rekey(channel);
    if (result == DUET_OK)
        result = duet_channel_recv_message(channel, &code, line, sizeof line, &n, PATIENCE);
    if (result == DUET_OK && role == DUET_BOTTOM) {
        size_t sent;
        result = duet_channel_send_message(channel, code, line, n, &sent, PATIENCE);
    }
    if (result == DUET_OK)
        fprintf(stderr, "%s got: %.*s\n", role == DUET_TOP ? "top" : "bottom", (int)n, line);
    if (result == DUET_OK)
        result = duet_channel_close(channel, PATIENCE);
    if (result == DUET_OK) /* wait for the peer's end too: only then has all arrived */
        result = duet_channel_recv_message(channel, &code, line, sizeof line, &n, PATIENCE);
    return result == DUET_CLOSED ? DUET_OK : result;
}

int
main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[2], "top") != 0 && strcmp(argv[2], "bottom") != 0)) {
        fputs("usage: proprietary KEYFILE top|bottom\n", stderr);
        return 2;
    }
    enum duet_role role = argv[2][0] == 't' ? DUET_TOP : DUET_BOTTOM;
    if (read_key(argv[1]) != 0) {
        fprintf(stderr, "proprietary: %s: cannot be read, or shorter than 32 bytes\n", argv[1]);
        return 1;
    }
    duet_config *config = make_config();
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    duet_channel *channel = NULL;
    int result = DUET_E_MEMORY;

    if (config != NULL && replay != NULL)
        result = duet_channel_open(&channel, config, replay, role, 0, 1);
    if (result == DUET_OK)
        result = talk(channel, role);
    if (result != DUET_OK)
        fprintf(stderr, "proprietary: %s\n",
                channel != NULL ? duet_channel_detail(channel) : duet_explain(result)->sentence);
    duet_channel_free(channel);
    duet_replay_free(replay);
    duet_config_free(config);
    duet_wipe(&secret, sizeof secret);
    return result == DUET_OK ? 0 : 1;
}
