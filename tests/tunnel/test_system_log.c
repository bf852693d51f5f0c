/*
 * The log daemon's socket: lines arrive in syslog's format, a daemon that does not read stops
 * nobody, one that was restarted gets the next lines, and lost lines are counted.
 */
#include "record.h"
#include "system_log.h"

#include "support/between.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

enum { MANY = 5000 }; /* more lines than a socket's queue takes */

static char folder[] = "/tmp/duet-system-log-XXXXXX", path[64];

/** A daemon that has bound its socket and reads nothing by itself. */
static int
start_daemon(int type)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    unlink(path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/** Read what is there; the last line is left in text. Returns the number of lines. */
static unsigned
read_all(int fd, char *text, size_t cap)
{
    unsigned count = 0;
    ssize_t n;

    while ((n = recv(fd, text, cap - 1, MSG_DONTWAIT)) > 0) {
        text[n] = 0;
        count++;
    }
    return count;
}

static void
test_line(void **state)
{
    int fd = start_daemon(SOCK_DGRAM);
    char text[4096], end[64];

    (void)state;
    system_log_use(path);
    assert_int_equal(system_log_write(LOG_WARNING, "a word"), 0);
    assert_int_equal(read_all(fd, text, sizeof text), 1);
    assert_int_equal(strncmp(text, "<28>", 4), 0); /* daemon.warning */
    snprintf(end, sizeof end, " duet[%d]: a word", (int)getpid());
    assert_non_null(strstr(text, end));
    close(fd);
}

static void
test_stuck_daemon(void **state)
{
    int fd = start_daemon(SOCK_DGRAM);
    char text[4096], expected[64];
    unsigned sent = 0;

    (void)state;
    record_start(LOG_TEXT, LOG_SYSTEM);
    system_log_use(path);
    for (unsigned i = 0; i < MANY; i++)
        record_note(RECORD_ERROR, "line %u", i); /* would wait for ever with syslog(3) */
    sent = read_all(fd, text, sizeof text);
    assert_between(sent, 1, MANY - 1);
    record_note(RECORD_ERROR, "it reads again");
    assert_int_equal(read_all(fd, text, sizeof text), 2);
    assert_non_null(strstr(text, "it reads again"));
    record_note(RECORD_ERROR, "nothing more was lost");
    assert_int_equal(read_all(fd, text, sizeof text), 1);
    for (unsigned i = 0; i < MANY; i++)
        record_note(RECORD_ERROR, "line %u", i);
    sent = read_all(fd, text, sizeof text);
    record_note(RECORD_ERROR, "after");
    assert_true(recv(fd, text, sizeof text - 1, MSG_DONTWAIT) > 0);
    snprintf(expected, sizeof expected, ": warning: %u lines were lost", MANY - sent);
    assert_non_null(strstr(text, expected));
    close(fd);
}

static void
test_restarted_daemon(void **state)
{
    int fd = start_daemon(SOCK_DGRAM);
    char text[4096];

    (void)state;
    system_log_use(path);
    assert_int_equal(system_log_write(LOG_ERR, "first"), 0);
    close(fd);
    unlink(path);
    assert_int_equal(system_log_write(LOG_ERR, "lost"), -1);
    fd = start_daemon(SOCK_DGRAM);
    assert_int_equal(system_log_write(LOG_ERR, "second"), 0);
    assert_int_equal(read_all(fd, text, sizeof text), 1);
    close(fd);
}

static void
test_stream_daemon(void **state)
{
    int fd = start_daemon(SOCK_STREAM);
    char text[4096] = "";
    size_t size = 0;

    (void)state;
    system_log_use(path);
    assert_int_equal(system_log_write(LOG_ERR, "one"), 0);
    int peer = accept(fd, NULL, NULL);
    assert_int_equal(system_log_write(LOG_ERR, "two"), 0);
    while (size < 4 || memcmp(text + size - 4, "two", 4) != 0) {
        ssize_t n = recv(peer, text + size, sizeof text - size, 0);
        assert_true(n > 0);
        size += (size_t)n;
    }
    assert_non_null(strstr(text, "]: one"));
    for (unsigned i = 0; i < MANY; i++)
        (void)system_log_write(LOG_ERR, "nobody reads");
    close(peer);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line), cmocka_unit_test(test_stuck_daemon),
        cmocka_unit_test(test_restarted_daemon), cmocka_unit_test(test_stream_daemon)};

    if (mkdtemp(folder) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/log", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    rmdir(folder);
    return failed;
}
