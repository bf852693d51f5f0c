/*
 * Passphrases (see passphrase.h). The terminal's echo is off while one is typed; a signal that
 * comes meanwhile is delivered once the terminal is as it was.
 */
#include "passphrase.h"

#include "log.h"

#include "base/equal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

enum { PASSPHRASE_MOST = 1024 }; /* bytes */

/** The passphrase, and where it comes from. */
static struct {
    char text[PASSPHRASE_MOST];
    size_t size; /* 0: not known yet */
    int fd;      /* plus 1; 0: the terminal */
    int guarded; /* 1: locked, and wiped at the end */
    int settled; /* 1: nobody is asked any more */
} kept;

static void
passphrase_wipe(void)
{
    duet_wipe(kept.text, sizeof kept.text);
    kept.size = 0;
}

static void
passphrase_guard(void)
{
    if (kept.guarded)
        return;
    kept.guarded = 1;
    (void)mlock(kept.text, sizeof kept.text); /* limits may forbid it */
    (void)atexit(passphrase_wipe);
}

void
passphrase_from(int fd)
{
    kept.fd = fd + 1;
    if (fd > STDERR_FILENO)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* a command of --exec must not read it */
}

/* ---- Reading a line ---- */

static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
    caught = number;
}

enum line { LINE_READ, LINE_LONG, LINE_ENDED, LINE_FAILED, LINE_SIGNAL };

/** Wait for bytes, with this signal mask: a signal that came before is found too. Returns 0, or -1:
 * a signal came. */
static int
wait_for(int fd, const sigset_t *mask)
{
    fd_set wanted;

    if (fd >= FD_SETSIZE)
        return 0; /* then a signal that came just before is found with the next key */
    FD_ZERO(&wanted);
    FD_SET(fd, &wanted);
    return pselect(fd + 1, &wanted, NULL, NULL, NULL, mask) < 0 && errno == EINTR ? -1 : 0;
}

/** Read up to the line's end or the end of the file. mask: to wait with; NULL: only read. */
static enum line
read_line(int fd, const sigset_t *mask, char *text, size_t *size)
{
    char byte = 0;

    for (*size = 0;;) {
        int woken = mask != NULL && wait_for(fd, mask) != 0;
        if (mask != NULL && caught != 0)
            return LINE_SIGNAL;
        if (woken)
            continue;
        ssize_t n = read(fd, &byte, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return LINE_FAILED;
        if (n == 0 && *size == 0)
            return LINE_ENDED;
        if (n == 0 || byte == '\n')
            return LINE_READ;
        if (*size == PASSPHRASE_MOST)
            return LINE_LONG;
        text[(*size)++] = byte;
    }
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
enum { SIGNALS = sizeof signals / sizeof *signals };

/** Ask at the terminal, which does not show what is typed. */
static enum line
ask_once(int tty, const char *prompt, char *text, size_t *size)
{
    struct sigaction action = {.sa_handler = on_signal}, before[SIGNALS];
    struct termios shown, hidden;
    sigset_t blocked, open_mask;

    caught = 0;
    sigemptyset(&blocked);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaddset(&blocked, signals[i]);
    sigprocmask(SIG_BLOCK, &blocked, &open_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
    int is_terminal = tcgetattr(tty, &shown) == 0;
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    if (is_terminal)
        (void)tcsetattr(tty, TCSAFLUSH, &hidden);
    enum line line = write(tty, prompt, strlen(prompt)) < 0
                         ? LINE_FAILED
                         : read_line(tty, &open_mask, text, size);
    if (is_terminal)
        (void)tcsetattr(tty, TCSAFLUSH, &shown);
    (void)!write(tty, "\n", 1);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    sigprocmask(SIG_SETMASK, &open_mask, NULL);
    return line;
}

/** The same, until no signal interrupted it. */
static enum line
ask(int tty, const char *prompt, char *text, size_t *size)
{
    for (;;) {
        enum line line = ask_once(tty, prompt, text, size);
        if (line != LINE_SIGNAL)
            return line;
        duet_wipe(text, PASSPHRASE_MOST);
        raise(caught);
        if (caught != SIGTSTP) /* it was ignored, or is only marked */
            return LINE_SIGNAL;
    }
}

/* ---- What was read ---- */

static int
judge(enum line line, const char *whence)
{
    switch (line) {
    case LINE_READ:
        return kept.size > 0 ? EXIT_DONE
                             : log_error(EXIT_USAGE, "the passphrase from %s is empty", whence);
    case LINE_LONG:
        return log_error(EXIT_USAGE, "the passphrase from %s has over %u bytes", whence,
                         PASSPHRASE_MOST);
    case LINE_ENDED:
        return log_error(EXIT_USAGE, "%s ended before a passphrase came", whence);
    case LINE_SIGNAL:
        return log_error(EXIT_INTERRUPTED, "interrupted before a passphrase came");
    case LINE_FAILED:
        break;
    }
    return log_error(EXIT_LOCAL, "%s: no passphrase could be read: %s", whence, errno_text());
}

static int
read_descriptor(void)
{
    char whence[40];

    snprintf(whence, sizeof whence, "descriptor %d", kept.fd - 1);
    return judge(read_line(kept.fd - 1, NULL, kept.text, &kept.size), whence);
}

/** Ask for the passphrase, and for the same again where it is new. Returns an exit code. */
static int
ask_for(const char *path, int is_new)
{
    char prompt[512], other[PASSPHRASE_MOST];
    size_t size = 0;
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (tty < 0)
        return log_error(EXIT_KEY,
                         "%s: is sealed with a passphrase, and there is no terminal to ask for it; "
                         "give it with --passphrase-fd",
                         printable(path));
    snprintf(prompt, sizeof prompt, "%s for %s: ", is_new ? "New passphrase" : "Passphrase",
             printable(path));
    int code = judge(ask(tty, prompt, kept.text, &kept.size), "the terminal");
    if (code == EXIT_DONE && is_new) {
        code = judge(ask(tty, "The same again: ", other, &size), "the terminal");
        if (code == EXIT_DONE &&
            (size != kept.size ||
             !duet__equal((const uint8_t *)other, (const uint8_t *)kept.text, size)))
            code = log_error(EXIT_USAGE, "the two passphrases differ; nothing was changed");
        duet_wipe(other, sizeof other);
    }
    close(tty);
    return code;
}

static int
passphrase_obtain(const char **text, size_t *size, const char *path, int is_new)
{
    passphrase_wipe();
    passphrase_guard();
    int code = kept.fd > 0 ? read_descriptor() : ask_for(path, is_new);
    if (code != EXIT_DONE)
        passphrase_wipe();
    *text = kept.text;
    *size = kept.size;
    return code;
}

int
passphrase_get(const char **text, size_t *size, const char *path, int again)
{
    *text = kept.text;
    *size = kept.size;
    if (kept.size > 0 && !again)
        return EXIT_DONE;
    if (kept.settled)
        return log_error(
            EXIT_KEY, "%s: is sealed with %s; restart the service to give its passphrase",
            printable(path), again ? "another passphrase, or damaged" : "a passphrase");
    if (again && kept.fd > 0)
        return log_error(EXIT_KEY, "%s: the passphrase is wrong, or the file is damaged",
                         printable(path));
    if (again)
        log_warning("%s: the passphrase is wrong, or the file is damaged; try again",
                    printable(path));
    return passphrase_obtain(text, size, path, 0);
}

void
passphrase_ask_no_more(void)
{
    kept.settled = 1;
}

int
passphrase_is_known(void)
{
    return kept.size > 0;
}

int
passphrase_get_new(const char **text, size_t *size, const char *path)
{
    return passphrase_obtain(text, size, path, 1);
}
