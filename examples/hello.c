/*
 * Sends a hello to a peer that holds the same secret, over standard input and output:
 *   duet pipe -k secret.key --exec './hello secret.key'
 */
#include <duet/duet.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    static char text[100000]; /* the largest secret takes 94,300 */
    const char *path = argc > 1 ? argv[1] : "secret.key";
    FILE *file = fopen(path, "r");
    size_t sent, size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    duet_config *config = duet_config_new();
    duet_channel *channel;
    duet_secret secret;
    duet_where where;
    if (duet_secret_parse(&secret, text, size, &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", path, size > 0 ? where.reason : "cannot be read"), 1;
    if (config == NULL || duet_config_add_secret(config, secret.bytes, secret.size) != DUET_OK ||
        duet_channel_open(&channel, config, duet_replay_new(DUET_REPLAY_DEFAULT), DUET_BOTTOM, 0,
                          1) != DUET_OK)
        return fputs("hello: no channel\n", stderr), 1;
    if (duet_channel_send(channel, "hello\n", 6, &sent, 5000) != DUET_OK ||
        duet_channel_close(channel, 5000) != DUET_OK)
        return fprintf(stderr, "hello: %s\n", duet_channel_detail(channel)), 1;
    return 0;
}
