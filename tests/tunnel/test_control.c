/*
 * The control socket over a fake service: requests, answers, who may ask and how much,
 * and what may lie at the socket's place.
 */
#include "answer.h"
#include "client.h"
#include "control.h"
#include "fake_service.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- The socket ---- */

static void
count(int number)
{
    (void)number;
    fake_signals++;
    fake_view.draining = 1;
}

enum { PATIENCE_MS = 60000 };

static char last[1024];

static void
keep(enum log_kind kind, const char *text)
{
    (void)kind;
    snprintf(last, sizeof last, "%s", text);
}

static char folder[] = "/tmp/duet-control-XXXXXX", path[64];
static pid_t child;

static void
nothing(uv_timer_t *timer)
{
    (void)timer;
}

/** Serve at the path in a process of its own, until it is ended. */
static int
serve(void **state)
{
    struct control *control;
    uv_timer_t busy;
    char ready;
    int pair[2];

    (void)state;
    assert_int_equal(pipe(pair), 0);
    child = fork();
    if (child == 0) {
        fake_service_reset();
        uv_loop_init(fake_view.loop);
        fake_signals = 0;
        log_line = keep;
        signal(SIGTERM, count);
        alarm(300);
        if (control_open(&control, path, &fake_view) != EXIT_DONE)
            _exit(1);
        (void)!write(pair[1], "r", 1);
        uv_timer_init(fake_view.loop, &busy); /* the control socket keeps no loop running */
        uv_timer_start(&busy, nothing, 1000, 1000);
        uv_run(fake_view.loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    close(pair[1]);
    assert_int_equal(read(pair[0], &ready, 1), 1);
    close(pair[0]);
    return 0;
}

static int
end(void **state)
{
    int status;

    (void)state;
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -1;
}

static int
dial(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(un.sun_path, path, strlen(path));
    assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

/** Ask, and hold the answer's code and body to what is expected. */
static void
expect(enum request_kind kind, uint64_t id, int code, const char *body)
{
    struct request request = {.kind = kind, .kill = {.id = id}};
    struct replies replies;

    assert_int_equal(client_ask(&replies, path, &request), EXIT_DONE);
    assert_int_equal(replies.count, 1);
    assert_int_equal(replies.list[0].code, code);
    if (strstr(replies.list[0].body, body) == NULL)
        fail_msg("'%s' is not in '%s'", body, replies.list[0].body);
    replies_free(&replies);
}

static void
test_answers(void **state)
{
    (void)state;
    expect(REQUEST_HEALTH, 0, 0, "serving\n");
    expect(REQUEST_STATUS, 0, 0, "\"worker\":1,\"workers\":2,\"pid\":11,\"state\":\"serving\"");
    expect(REQUEST_STATUS, 0, 0,
           "\n{\"tunnel\":\"web\",\"side\":\"server\",\"listen\":[\"127.0.0.1:1\"],\"target\":["
           "\"127.0.0.1:1\"],\"open\":1,\"half_open\":0,\"waiting\":0,\"accepted\":4,");
    expect(REQUEST_SESSIONS, 0, 0,
           "{\"id\":281474976710663,\"tunnel\":\"web\",\"state\":\"open\",\"from\":\"unix\","
           "\"target\":\"\\\\x1b\\\"host\\\":1\",\"secret\":\"ab00000000000000\",\"identity\":null,"
           "\"hybrid\":false,\"refreshes\":3,"
           "\"bytes_in\":1099511627776,\"bytes_out\":0,\"octets_in\":1099511627776,\"octets_out\":"
           "0,\"age\":1.5,\"idle\":0.0}\n");
    expect(REQUEST_METRICS, 0, 0, "duet_connections_accepted_total{tunnel=\"web\"} 7\n");
    expect(REQUEST_KILL, 7, EXIT_FAILED, "");
    expect(REQUEST_KILL, 1ull << 48 | 7, 0, "");
    expect(REQUEST_KILL, 1ull << 48 | 7, EXIT_FAILED, "");
}

/** A worker passes the request to end to the supervisor, which is this test; it does not pass on a
 * reload of settings that are wrong. */
static void
test_workers_leave_it_to_the_supervisor(void **state)
{
    (void)state;
    fake_signals = 0;
    signal(SIGTERM, count);
    signal(SIGHUP, count);
    expect(REQUEST_RELOAD, 0, EXIT_USAGE, "");
    assert_int_equal(fake_signals, 0);
    expect(REQUEST_DRAIN, 0, 0, "");
    assert_int_equal(fake_signals, 1);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

/** One process does it itself. */
static void
test_alone(void **state)
{
    (void)state;
    expect(REQUEST_STATUS, 0, 0, "\"worker\":0,\"workers\":1,\"pid\":10,");
    expect(REQUEST_RELOAD, 0, EXIT_KEY, "");
    expect(REQUEST_DRAIN, 0, 0, "");
    expect(REQUEST_HEALTH, 0, 0, "draining\n");
}

static int
serve_alone(void **state)
{
    fake_alone = 1;
    int result = serve(state);
    fake_alone = 0;
    return result;
}

static int
serve_orphaned(void **state)
{
    fake_orphaned = 1;
    int result = serve(state);
    fake_orphaned = 0;
    return result;
}

/** An orphan's new parent is not the supervisor: it gets no signal. */
static void
test_an_orphan_signals_nobody(void **state)
{
    (void)state;
    fake_signals = 0;
    signal(SIGTERM, count);
    expect(REQUEST_DRAIN, 0, EXIT_FAILED, "");
    assert_int_equal(fake_signals, 0);
    signal(SIGTERM, SIG_DFL);
}

/** Say something, and compare all that comes back. */
static void
says(const char *line, size_t size, const char *answer)
{
    char back[256] = "";
    size_t got = 0;
    int fd = dial();

    assert_int_equal(send(fd, line, size, MSG_NOSIGNAL), size);
    for (ssize_t n; got < sizeof back - 1 && (n = read(fd, back + got, sizeof back - 1 - got)) > 0;)
        got += (size_t)n;
    close(fd);
    assert_string_equal(back, answer);
}

static void
test_bad_requests(void **state)
{
    char endless[300];

    (void)state;
    memset(endless, 'a', sizeof endless);
    says("nothing\n", 8, "error 2 there is no such request\n");
    says("\n", 1, "error 2 there is no such request\n");
    says("health\0\n", 8, "error 2 there is no such request\n");
    says("kill\n", 5,
         "error 2 kill takes a connection's number, "
         "or tunnel=, secret= or identity=, the others take nothing\n");
    says("health 1\n", 9,
         "error 2 kill takes a connection's number, "
         "or tunnel=, secret= or identity=, the others take nothing\n");
    says("kill 9 9\n", 9,
         "error 2 kill takes a connection's number, "
         "or tunnel=, secret= or identity=, the others take nothing\n");
    says(endless, REQUEST_MOST + 2, "error 2 the request is too long\n");
    says("health\nstatus\n", 14, "ok\nworker 1 of 2: serving\n"); /* one request a connection */
}

static void
test_a_request_in_pieces(void **state)
{
    char back[64] = "";
    int fd = dial();

    (void)state;
    for (const char *at = "health\n"; *at != 0; at++) {
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
        poll(NULL, 0, 5);
    }
    for (size_t got = 0, n; (n = (size_t)read(fd, back + got, sizeof back - 1 - got)) > 0; got += n)
        ;
    close(fd);
    assert_string_equal(back, "ok\nworker 1 of 2: serving\n");
}

/** Dial twenty times and wait for the last four to be closed. Returns how many of the first sixteen
 * are open then, or -1 where the machine took so long that their own time may be over. */
static int
open_of_sixteen(int fds[20])
{
    uint64_t begin = uv_hrtime();
    int open = 0;
    char byte;

    for (unsigned i = 0; i < 20; i++)
        fds[i] = dial();
    for (unsigned i = 16; i < 20; i++) {
        struct pollfd one = {.fd = fds[i], .events = POLLIN};
        assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
    }
    for (unsigned i = 0; i < 16; i++)
        open += recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    return uv_hrtime() - begin < UINT64_C(4000000000) ? open : -1;
}

/** Sixteen silent ones are held for five seconds; more are turned away at once. */
static void
test_bounds(void **state)
{
    int open = -1;
    char byte;

    (void)state;
    for (unsigned attempt = 0; open < 0 && attempt < 10; attempt++) {
        int fds[20];
        open = open_of_sixteen(fds);
        for (unsigned i = 0; i < 20; i++) {
            struct pollfd one = {.fd = fds[i], .events = POLLIN};
            assert_int_equal(poll(&one, 1, PATIENCE_MS), 1);
            assert_int_equal(recv(fds[i], &byte, 1, MSG_DONTWAIT), 0);
            close(fds[i]);
        }
    }
    if (open < 0)
        skip(); /* the machine is too busy to measure */
    assert_int_equal(open, 16);
    expect(REQUEST_HEALTH, 0, 0, "serving\n");
}

static void
test_is_its_owners_alone(void **state)
{
    struct stat status;

    (void)state;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* ---- Opening ---- */

static void
refused(const char *where, int code, const char *why)
{
    struct control *control;

    log_line = keep;
    assert_int_equal(control_open(&control, where, &fake_view), code);
    log_line = NULL;
    assert_null(control);
    if (strstr(last, why) == NULL)
        fail_msg("'%s' is not in '%s'", why, last);
}

static void
test_what_lies_there(void **state)
{
    struct control *control;
    char other[128], longer[200];

    (void)state;
    fake_service_reset();
    uv_loop_init(fake_view.loop);
    refused(path, EXIT_LOCAL, "another process serves it");
    end(NULL); /* dead, its socket stays */
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(control_open(&control, path, &fake_view), EXIT_DONE);
    control_close(control);
    uv_run(fake_view.loop, UV_RUN_DEFAULT);
    assert_int_equal(access(path, F_OK), -1);

    snprintf(other, sizeof other, "%s/file", folder);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    refused(other, EXIT_LOCAL, "something else is there");
    unlink(other);
    chmod(folder, 0770);
    refused(path, EXIT_POLICY, "others may write in");
    chmod(folder, 0700);
    snprintf(other, sizeof other, "%s/none/ctl", folder);
    refused(other, EXIT_LOCAL, "No such file");
    memset(longer, 'a', sizeof longer);
    longer[199] = 0;
    refused(longer, EXIT_USAGE, "too long");
    assert_int_equal(uv_loop_close(fake_view.loop), 0);
    serve(NULL); /* for end() */
}

static void
test_nobody_is_there(void **state)
{
    struct request request = {.kind = REQUEST_HEALTH};
    struct replies replies;
    char other[128];

    (void)state;
    log_line = keep;
    snprintf(other, sizeof other, "%s/none", folder);
    assert_int_equal(client_ask(&replies, other, &request), EXIT_CONNECT);
    log_line = NULL;
    assert_non_null(strstr(last, "does the service run"));
    replies_free(&replies);
}

static int
make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/ctl", folder);
    return 0;
}

static int
remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, serve, end),
        cmocka_unit_test_setup_teardown(test_workers_leave_it_to_the_supervisor, serve, end),
        cmocka_unit_test_setup_teardown(test_an_orphan_signals_nobody, serve_orphaned, end),
        cmocka_unit_test_setup_teardown(test_alone, serve_alone, end),
        cmocka_unit_test_setup_teardown(test_bad_requests, serve, end),
        cmocka_unit_test_setup_teardown(test_a_request_in_pieces, serve, end),
        cmocka_unit_test_setup_teardown(test_bounds, serve, end),
        cmocka_unit_test_setup_teardown(test_is_its_owners_alone, serve, end),
        cmocka_unit_test_setup_teardown(test_what_lies_there, serve, end),
        cmocka_unit_test(test_nobody_is_there)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
