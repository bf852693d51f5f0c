/*
 * Files that a configuration includes: in which order, where their paths begin, and which errors
 * name which file and line.
 */
#include "keys.h"
#include "log.h"
#include "reported.h"
#include "settings.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

/** Write a file into the folder. */
static void
put(const char *name, const char *text)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    assert_int_equal(chmod(path, 0600), 0);
}

static void
collect_log(enum log_kind kind, const char *text)
{
    (void)kind;
    collect(NULL, text);
}

/** As parse(), of a file in the folder, with what it includes. */
static struct settings *
parse_file(const char *name)
{
    struct faults faults = {collect, NULL, 0};
    struct settings *settings;
    struct text text;
    char path[128];

    reported[0] = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    log_line = collect_log;
    assert_int_equal(text_read(&text, path, TEXT_TRUSTED, 2), 0);
    int result = settings_read(&settings, path, text, &faults);
    text_free(&text);
    log_line = NULL;
    assert_int_equal(result == 0, reported[0] == 0);
    assert_int_equal(faults.count > 0, reported[0] != 0);
    assert_non_null(settings);
    return settings;
}

/** The same, which must report this fault; each %s in it is the folder. */
static void
refused_file(const char *name, const char *fault)
{
    char text[512];

    snprintf(text, sizeof text, fault, folder, folder);
    settings_free(parse_file(name));
    if (strstr(reported, text) == NULL)
        fail_msg("'%s' is not reported by %s but\n%s", text, name, reported);
}

static int
make_folder(void **state)
{
    char path[128];

    (void)state;
    snprintf(folder, sizeof folder, "settings.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/[d]", folder); /* no pattern: there are files like it */
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/d", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    return 0;
}

static int
remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int
remove_folder(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
test_included_files(void **state)
{
    (void)state;
    put("all.conf", "include = d/*.conf\n[Global]\nworkers = 3\ninclude = more\n"
                    "include = none/*.conf\nmetrics-interval = 2\n"
                    "[Tunnel first]\nside = server\nlisten = :1\ntarget = localhost:2\nkey = k\n");
    put("d/b.conf", "[Tunnel b]\nside = server\nlisten = :3\ntarget = localhost:4\nkey = k\n");
    put("d/a.conf", "[Tunnel a]\nside = server\nlisten = :5\ntarget = localhost:4\nkey = /k\n");
    put("d/.hidden.conf", "nonsense\n");
    put("d/a.conf~", "nonsense\n");
    put("more", "; nothing but this\ninclude = [[]d]/x.conf\n");
    put("[d]/x.conf", "include = y*\n");
    put("[d]/y.conf", "[Tunnel y]\nside = server\nlisten = :6\ntarget = localhost:4\nkey = k\n");
    struct settings *settings = parse_file("all.conf");
    char path[128];

    assert_string_equal(reported, "");
    assert_int_equal(settings->tunnel_count, 4);
    assert_string_equal(settings->tunnels[0].name, "a");
    assert_string_equal(settings->tunnels[1].name, "b");
    assert_string_equal(settings->tunnels[2].name, "y");
    assert_string_equal(settings->tunnels[3].name, "first");
    assert_int_equal(settings->workers, 3);
    assert_int_equal(settings->metrics_ms, 2000); /* [Global] went on after its include */
    assert_string_equal(settings->tunnels[0].files.keys.at[0], "/k");
    snprintf(path, sizeof path, "%s/d/k", folder);
    assert_string_equal(settings->tunnels[1].files.keys.at[0], path);
    snprintf(path, sizeof path, "%s/[d]/y.conf", folder);
    assert_string_equal(settings->tunnels[2].file, path);
    settings_free(settings);
}

static void
test_faults_of_included_files(void **state)
{
    char path[128], text[512];

    (void)state;
    put("a.conf", "[Global]\nuser = a\ninclude = b.conf\n" GOOD "colour = red\n");
    put("b.conf", "\nshape = round\n[Tunnel web]\nside = client\nlisten = 1\n[Global]\n");
    refused_file("a.conf", "%s/b.conf:2: a setting before the first section");
    refused_file("a.conf", "%s/b.conf:2: shape: no such setting");
    refused_file("a.conf", "%s/b.conf:5: listen: 1: no port");
    refused_file("a.conf", "%s/b.conf:6: [Global] is in %s/a.conf:1 already");
    refused_file("a.conf", "%s/b.conf:3: tunnel web: no target");
    refused_file("a.conf", "%s/a.conf:4: tunnel web is in %s/b.conf:3 already");
    refused_file("a.conf", "%s/a.conf:9: colour: no such setting");

    put("b.conf", "include = c.conf\n");
    put("c.conf", "; a word\ninclude = a.conf\n");
    refused_file("a.conf", "%s/c.conf:2: include: %s/a.conf: ");
    assert_non_null(strstr(reported, "a.conf includes this file, and so itself"));
    put("a.conf", GOOD "include = b.conf\n");
    refused_file("a.conf", "%s/a.conf:6: include: belongs before the first section or into");
    put("a.conf", "include = none.conf\n" GOOD);
    refused_file("a.conf", "%s/a.conf:1: include: %s/none.conf: No such file");
    put("a.conf", "\ninclude = d\n" GOOD);
    refused_file("a.conf", "%s/a.conf:2: include: %s/d: is a folder");
    put("a.conf", "include =\n" GOOD);
    refused_file("a.conf", "%s/a.conf:1: a name without a value");
    put("a.conf", "include = b.conf\n" GOOD);
    put("b.conf", "[Tunnel b]\nside = client\n");
    snprintf(path, sizeof path, "%s/b.conf", folder);
    assert_int_equal(chmod(path, 0666), 0);
    refused_file("a.conf", "%s/a.conf:1: include: %s/b.conf: everybody can write it");
    put("b.conf", "[Secret]\nVersion = 1\n");
    refused_file("a.conf", "%s/b.conf: is a key, peers or profile file");
    put("a.conf", "include = a*.conf\n" GOOD);
    refused_file("a.conf", "a.conf includes this file, and so itself");
    put("a.conf", "icnlude = b.conf\n" GOOD);
    refused_file("a.conf", "did you mean include?");
    /* a text that no file is read for */
    struct faults faults = {collect, NULL, 0};
    struct settings *settings;
    snprintf(text, sizeof text, "include = %s/b.conf\n" GOOD, folder);
    reported[0] = 0;
    assert_int_equal(settings_parse(&settings, "x.conf", text, strlen(text), &faults), -1);
    assert_string_equal(reported, "x.conf:1: include: only a file that duet run reads may include "
                                  "others\n");
    settings_free(settings);
}

static void
test_depth_and_number_of_files(void **state)
{
    char name[32], text[128];

    (void)state;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "deep%d.conf", i);
        snprintf(text, sizeof text, i == 8 ? GOOD : "include = deep%d.conf\n", i + 1);
        put(name, text);
    }
    struct settings *settings = parse_file("deep0.conf");
    assert_string_equal(reported, "");
    settings_free(settings);
    put("deep8.conf", "include = deep9.conf\n" GOOD);
    refused_file("deep0.conf", "%s/deep8.conf:1: include: deep9.conf: files may include each other "
                               "8 deep at most");
    /* each twice: 2 * 256 files without a bound */
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "deep%d.conf", i);
        snprintf(text, sizeof text, "include = deep%d.conf\ninclude = deep%d.conf\n", i + 1, i + 1);
        put(name, text);
    }
    put("deep8.conf", "; nothing\n");
    refused_file("deep0.conf", "there are 256 files already");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_included_files),
                                       cmocka_unit_test(test_faults_of_included_files),
                                       cmocka_unit_test(test_depth_and_number_of_files)};

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
