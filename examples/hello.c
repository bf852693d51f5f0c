/*
 * Greets a peer that holds the same secret, on standard input and output:
 *   duet pipe -k secret.key --exec './hello secret.key'
 */
#include <duet/duet.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
    char text[8192];
    FILE *file = fopen(argc > 1 ? argv[1] : "secret.key", "r");
    size_t sent, size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
    duet_config *config = duet_config_new();
    duet_channel *channel;
    duet_secret secret;
    duet_where where;
    if (duet_secret_parse(&secret, text, size, &where) != DUET_OK)
        return 1;
    duet_config_add_secret(config, secret.octets, secret.size);
    duet_channel_open(&channel, config, duet_replay_new(DUET_REPLAY_DEFAULT), DUET_BOTTOM, 0, 1);
    if (duet_send(channel, "hello\n", 6, &sent, 5000) != DUET_OK)
        return 1;
    return duet_close(channel, 5000) != DUET_OK;
}
