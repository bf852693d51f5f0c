/*
 * Sends a hello to a peer that holds the same secret, over standard input and output:
 *   duet pipe -k secret.key --exec './hello secret.key'
 */
#include <duet/duet.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "secret.key";
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    duet_config *config = NULL;
    duet_channel *channel;
    duet_where where;
    size_t sent;

    if (duet_config_load(&config, path, &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", path, where.reason), 1;
    if (replay == NULL || duet_channel_open(&channel, config, replay, DUET_BOTTOM, 0, 1) != DUET_OK)
        return fputs("hello: no channel\n", stderr), 1;
    if (duet_channel_send(channel, "hello\n", 6, &sent, 5000) != DUET_OK ||
        duet_channel_close(channel, 5000) != DUET_OK)
        return fprintf(stderr, "hello: %s\n", duet_channel_detail(channel)), 1;
    duet_channel_free(channel);
    duet_replay_free(replay);
    duet_config_free(config);
    return 0;
}
