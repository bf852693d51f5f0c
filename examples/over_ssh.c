/*
 * A channel over a command's standard input and output: sends one line, prints what the peer sends.
 *   over_ssh secret.key 'hello' ssh host duet pipe -k secret.key --stdio --in file --out copy
 */
#include <duet/duet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/** Start a command with its standard input and output on the other end of the socket *fd. Returns its
 * process, -1 on failure. */
static pid_t
start(char **command, int *fd)
{
    int ends[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return -1;
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    close(ends[1]);
    *fd = ends[0];
    return child;
}

static int
talk(duet_channel *channel, const char *line)
{
    static char buffer[65536];
    size_t count;
    int result = duet_channel_send(channel, line, strlen(line), &count, 30000);

    if (result == DUET_OK)
        result = duet_channel_close(channel, 30000);
    while (result == DUET_OK) {
        result = duet_channel_recv(channel, buffer, sizeof buffer, &count, 1, 30000);
        fwrite(buffer, 1, count, stdout);
    }
    return result == DUET_CLOSED ? DUET_OK : result; /* DUET_E_TRUNCATED: ssh ended too early */
}

int
main(int argc, char **argv)
{
    duet_config *config = NULL;
    duet_channel *channel = NULL;
    duet_where where;
    int fd = -1, result;
    pid_t child;

    if (argc < 4)
        return fputs("usage: over_ssh SECRET TEXT COMMAND [ARGUMENT...]\n", stderr), 2;
    child = start(argv + 3, &fd); /* before the secret is in memory */
    if (child < 0)
        return perror("over_ssh"), 1;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    result = duet_config_set(config, DUET_SET_MAX_PAYLOAD, 65536);
    if (result == DUET_OK)
        result = duet_channel_open(&channel, config, NULL, DUET_TOP, fd, fd);
    if (result == DUET_OK)
        result = talk(channel, argv[2]);
    if (result != DUET_OK)
        fprintf(stderr, "over_ssh: %s. %s\n", duet_explain(result)->sentence,
                channel != NULL ? duet_channel_detail(channel) : "");
    duet_channel_free(channel);
    duet_config_free(config);
    close(fd); /* the command sees the end of its input */
    waitpid(child, NULL, 0);
    return result == DUET_OK ? 0 : 1;
}
