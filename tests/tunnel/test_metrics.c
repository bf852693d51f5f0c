/*
 * Metrics: the text, with the workers' numbers added up, and the file, which is always whole.
 */
#include "fake_service.h"
#include "metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/duet-metrics-XXXXXX";

static void
test_metrics(void **state)
{
    static char text[16384];

    (void)state;
    fake_service_reset();
    FILE *out = fmemopen(text, sizeof text, "w");
    metrics_put(out, &fake_view);
    fclose(out);
    assert_non_null(strstr(text, "# HELP duet_plain_bytes_total Bytes of the plain side.\n"
                                 "# TYPE duet_plain_bytes_total counter\n"
                                 "duet_plain_bytes_total{tunnel=\"web\",direction=\"in\"} 200\n"
                                 "duet_plain_bytes_total{tunnel=\"web\",direction=\"out\"} 10\n"
                                 "# HELP duet_connections_open "));
    assert_non_null(strstr(text, "duet_datagrams_total{tunnel=\"web\",direction=\"in\"} 0\n"
                                 "duet_datagrams_total{tunnel=\"web\",direction=\"out\"} 0\n"));
    assert_non_null(strstr(text, "duet_reloads_total{worker=\"0\"} 0\n"
                                 "duet_reloads_total{worker=\"1\"} 1\n"));
    assert_non_null(strstr(text, "duet_start_time_seconds{worker=\"1\"} 1.500\n"));
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; at += 7) { /* each once */
        char name[80];
        snprintf(name, sizeof name, "%.*s ", (int)strcspn(at + 7, " ") + 7, at);
        assert_null(strstr(at + 7, name));
    }
}

/** Each tunnel once, in the order of its first row, whatever rows the workers count in. */
static void
test_metrics_of_many_rows(void **state)
{
    static struct worker_counters workers[4];
    static char text[65536], expected[256];
    /* row, name and count of each worker */
    static const struct {
        unsigned worker, row;
        const char *name;
        uint64_t accepted;
    } rows[] = {{0, 0, "a", 1},    {0, 2, "b", 2},     {1, 0, "a", 10},
                {1, 2, "c", 20},   {1, 5, "b", 30},    {2, 0, "c", 100},
                {2, 2, "c2", 200}, {2, 127, "a", 300}, {3, 0, "b", 1000}};
    struct admin_view view = {.counted = workers, .workers = 4};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct counters *c = &workers[rows[i].worker].tunnels[rows[i].row];
        snprintf(c->name, sizeof c->name, "%s", rows[i].name);
        c->accepted = rows[i].accepted;
        c->open = i;
    }
    FILE *out = fmemopen(text, sizeof text, "w");
    metrics_put(out, &view);
    fclose(out);
    for (int open = 0; open <= 1; open++) {
        static const unsigned sums[2][4] = {{311, 1032, 120, 200},
                                            {0 + 2 + 7, 1 + 4 + 8, 3 + 5, 6}};
        const char *name = open ? "duet_connections_open" : "duet_connections_accepted_total";
        snprintf(expected, sizeof expected,
                 "%s{tunnel=\"a\"} %u\n%s{tunnel=\"b\"} %u\n%s{tunnel=\"c\"} %u\n"
                 "%s{tunnel=\"c2\"} %u\n#",
                 name, sums[open][0], name, sums[open][1], name, sums[open][2], name,
                 sums[open][3]);
        assert_non_null(strstr(text, expected));
    }
}

static void
test_metrics_file(void **state)
{
    char file[128], other[128];
    struct stat status;

    (void)state;
    fake_service_reset();
    snprintf(file, sizeof file, "%s/m.prom", folder);
    snprintf(other, sizeof other, "%s/m.prom.new", folder);
    close(open(other, O_CREAT | O_WRONLY, 0600)); /* of a process that died */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(metrics_write(file, &fake_view), 0);
        assert_int_equal(stat(file, &status), 0);
        assert_true(status.st_size > 1000);
        assert_int_equal(access(other, F_OK), -1);
    }
    unlink(file);
    assert_int_equal(mkfifo(file, 0600), 0); /* nobody's pipe or device is replaced */
    assert_int_equal(metrics_write(file, &fake_view), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(stat(file, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    unlink(file);
    assert_int_equal(metrics_write("/nowhere/at/all", &fake_view), -1);
    assert_int_equal(errno, ENOENT);
}

static int
make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_metrics),
                                       cmocka_unit_test(test_metrics_of_many_rows),
                                       cmocka_unit_test(test_metrics_file)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
