/*
 * Sends each line of standard input to echo_server and prints what comes back.
 *   echo_client secret.key localhost 4000
 */
#include "tcp.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
    char line[4096];
    size_t size, count;
    duet_config *config = NULL;
    duet_channel *channel = NULL;
    duet_where where;
    int fd = -1, result = DUET_OK;

    if (argc != 4)
        return fputs("usage: echo_client SECRET HOST PORT\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    fd = tcp_connect(argv[2], argv[3]);
    if (fd < 0)
        return duet_config_free(config), 1;
    result = duet_channel_open(&channel, config, NULL, DUET_TOP, fd, fd);
    while (result == DUET_OK && fgets(line, sizeof line, stdin) != NULL) {
        size = strlen(line);
        result = duet_channel_send(channel, line, size, &count, 10000);
        if (result == DUET_OK)
            result = duet_channel_recv(channel, line, size, &count, size, 10000);
        if (result == DUET_OK)
            fwrite(line, 1, count, stdout);
    }
    if (result == DUET_OK)
        result = duet_channel_close(channel, 10000);
    /* The result has a sentence, the detail the cause, if there is one. */
    if (result != DUET_OK)
        fprintf(stderr, "echo_client: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    duet_channel_free(channel); /* wipes the keys */
    duet_config_free(config);   /* wipes the secret */
    close(fd);
    return result == DUET_OK ? 0 : 1;
}
