/*
 * Two peers swap files, both ways at once: neither waits for the other to finish sending.
 *   exchange secret.key mine theirs listen 4000
 *   exchange secret.key mine theirs connect localhost 4000
 */
#include "tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_MOST = 64 << 20, WAIT_MS = 60000 };

/** Read a whole file. Returns its bytes, to be freed; NULL after a message. */
static unsigned char *
read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = file != NULL ? malloc(FILE_MOST) : NULL;

    if (bytes != NULL)
        *size = fread(bytes, 1, FILE_MOST, file);
    if (bytes == NULL || ferror(file) || !feof(file)) {
        fprintf(stderr, "%s: cannot be read, or is larger than 64 MiB\n", path);
        free(bytes);
        bytes = NULL;
    }
    if (file != NULL)
        fclose(file);
    return bytes;
}

/** Sizes first, so that each peer knows what to wait for; then the files. */
static int
swap(duet_channel *channel, const unsigned char *mine, size_t size, unsigned char *theirs,
     size_t *got)
{
    unsigned char out[4], in[4];
    duet_exchange_io sizes = {.data = out, .size = 4, .buffer = in, .room = 4};
    duet_exchange_io files = {.data = mine, .size = size, .buffer = theirs};
    int result;

    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(size >> (24 - 8 * i));
    result = duet_channel_exchange(channel, &sizes, WAIT_MS);
    if (result != DUET_OK)
        return result;
    for (int i = 0; i < 4; i++)
        files.room = files.room << 8 | in[i];
    if (files.room > FILE_MOST)
        return DUET_E_TOO_LONG;
    result = duet_channel_exchange(channel, &files, WAIT_MS);
    *got = files.got;
    return result == DUET_OK ? duet_channel_close(channel, WAIT_MS) : result;
}

static int
write_file(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    int written = file != NULL && fwrite(bytes, 1, size, file) == size;

    if (file != NULL && fclose(file) != 0)
        written = 0;
    if (!written)
        perror(path);
    return written ? 0 : 1;
}

/** Swap over a new channel. Returns the exit code. */
static int
run(const duet_config *config, char **words, const unsigned char *mine, size_t size,
    const char *path)
{
    unsigned char *theirs = malloc(FILE_MOST);
    duet_replay *replay = duet_replay_new(DUET_REPLAY_DEFAULT);
    duet_channel *channel = NULL;
    enum duet_role role;
    size_t got = 0;
    int fd = tcp_from_words(words, &role), result = DUET_E_MEMORY, code = 1;

    if (fd >= 0 && theirs != NULL)
        result = duet_channel_open(&channel, config, replay, role, fd, fd);
    if (result == DUET_OK)
        result = swap(channel, mine, size, theirs, &got);
    if (result == DUET_OK)
        code = write_file(path, theirs, got);
    else if (fd >= 0)
        fprintf(stderr, "exchange: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    if (result == DUET_E_UNAUTHENTICATED || result == DUET_E_UNTRUSTED)
        (void)!duet_channel_silence(channel, -1);
    duet_channel_free(channel);
    duet_replay_free(replay);
    free(theirs);
    if (fd >= 0)
        close(fd);
    return code;
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_where where;
    unsigned char *mine;
    size_t size = 0;
    int code;

    if (argc < 5)
        return fputs("usage: exchange SECRET MINE THEIRS listen PORT | connect HOST PORT\n",
                     stderr),
               2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    mine = read_file(argv[2], &size);
    code = mine == NULL ? 1 : run(config, argv + 4, mine, size, argv[3]);
    free(mine);
    duet_config_free(config);
    return code;
}
