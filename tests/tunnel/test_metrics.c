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
                                       cmocka_unit_test(test_metrics_file)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
