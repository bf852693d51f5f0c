/*
 * Runs a command and looks for bytes in the memory of every process that it is, at the moment when
 * each has ended and its memory is still there: watch FILE... -- COMMAND [ARGUMENT...]
 *
 * Each FILE holds bytes that should be gone by then, looked for in pieces of 16; it is read at the
 * first search, so the command may have made it. A process that gets
 * SIGWINCH, which does nothing else, is searched then as well. Prints a line for each search:
 * `exit` or `midway`, and how many pieces were found. Exits as the command does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 16, PIECES = 16384, WINDOW = 1 << 16 };

static uint8_t pieces[PIECES][PIECE];
static size_t count;
static char **files;
static int file_count;

static int
die(const char *what)
{
    fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void
add_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        die(path);
    while (count < PIECES && fread(pieces[count], PIECE, 1, file) == 1)
        count++;
    fclose(file);
}

/** Look for the pieces in some bytes of a process; prints where each lies. */
static unsigned
search(const uint8_t *bytes, size_t size, uint64_t at, const char *map)
{
    static uint8_t first[1 << 16];
    unsigned found = 0;

    for (size_t i = 0; i < count && first[0] == 0; i++)
        first[pieces[i][0] << 8 | pieces[i][1]] = 1;
    for (size_t i = 0; i + PIECE <= size; i++) {
        if (!first[bytes[i] << 8 | bytes[i + 1]])
            continue;
        for (size_t k = 0; k < count; k++)
            if (memcmp(bytes + i, pieces[k], PIECE) == 0) {
                if (found++ < 4)
                    fprintf(stderr, "watch: at %llx in %s", (unsigned long long)(at + i), map);
                break;
            }
    }
    return found;
}

/** One mapping, by windows that overlap. */
static unsigned
search_map(int memory, const char *line)
{
    static uint8_t window[WINDOW + PIECE - 1];
    char *end;
    unsigned found = 0;
    uint64_t from = strtoull(line, &end, 16), to = strtoull(end + 1, &end, 16);

    if (strncmp(end, " rw", 3) != 0)
        return 0;
    for (; from < to; from += WINDOW) {
        size_t want = to - from < sizeof window ? (size_t)(to - from) : sizeof window;
        ssize_t got = pread(memory, window, want, (off_t)from);
        if (got > 0)
            found += search(window, (size_t)got, from, line);
    }
    return found;
}

static void
search_process(pid_t pid, const char *when)
{
    char path[64], line[512];
    unsigned found = 0;

    for (; file_count > 0; file_count--)
        add_file(*files++);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "r");
    if (memory < 0 || maps == NULL)
        die(path);
    while (fgets(line, sizeof line, maps) != NULL)
        found += search_map(memory, line);
    fclose(maps);
    close(memory);
    printf("%s %u\n", when, found);
    fflush(stdout);
}

/** 1 when a task is its process's first thread: when another one ends, the process goes on. */
static int
is_process(pid_t task)
{
    char path[64], line[128];
    int process = 0;

    snprintf(path, sizeof path, "/proc/%d/status", (int)task);
    FILE *status = fopen(path, "r");
    if (status == NULL)
        die(path);
    while (fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "Tgid:", 5) == 0)
            process = strtol(line + 5, NULL, 10) == task;
    fclose(status);
    return process;
}

/** What a stop of a traced process asks for; returns the signal to go on with. */
static int
stopped(pid_t pid, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_EXIT && is_process(pid))
        search_process(pid, "exit");
    if (event != 0)
        return 0;
    if (signal == SIGWINCH)
        search_process(pid, "midway");
    return signal;
}

static pid_t
start(char **command)
{
    const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEFORK |
                         PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    pid_t pid = fork();
    int status;

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        raise(SIGSTOP);
        execvp(command[0], command);
        _exit(127);
    }
    if (waitpid(pid, &status, WUNTRACED) != pid || ptrace(PTRACE_SEIZE, pid, NULL, options) != 0)
        die("ptrace");
    kill(pid, SIGCONT);
    return pid;
}

int
main(int argc, char **argv)
{
    int at = 1, status, code = 125;

    while (at < argc && strcmp(argv[at], "--") != 0)
        at++;
    files = argv + 1;
    file_count = at - 1;
    if (at + 1 >= argc || file_count == 0) {
        fputs("watch FILE... -- COMMAND [ARGUMENT...]\n", stderr);
        return 125;
    }
    pid_t child = start(argv + at + 1);
    for (;;) {
        pid_t pid = waitpid(-1, &status, __WALL);
        if (pid < 0)
            return code;
        if (WIFSTOPPED(status))
            ptrace(PTRACE_CONT, pid, NULL, stopped(pid, status));
        else if (pid == child)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}
