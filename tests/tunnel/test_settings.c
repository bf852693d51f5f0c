/*
 * Settings: every name of the table read, and every error reported with its line. Faults are
 * compared whole or by their beginning, so that a line that moves is found.
 */
#include "reported.h"
#include "settings.h"

#include "secret/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct settings *
parse(const char *text)
{
    struct faults faults = {collect, NULL, 0};
    struct settings *settings;

    reported[0] = 0;
    int result = settings_parse(&settings, "/etc/duet/x.conf", text, strlen(text), &faults);
    assert_int_equal(result == 0, reported[0] == 0);
    assert_int_equal(faults.count > 0, reported[0] != 0);
    assert_non_null(settings);
    return settings;
}

static void
refused(const char *text, const char *fault)
{
    settings_free(parse(text));
    if (strstr(reported, fault) == NULL)
        fail_msg("'%s' is not reported by\n%s\nbut\n%s", fault, text, reported);
}

static void
test_defaults(void **state)
{
    struct settings *settings = parse(GOOD);
    const struct tunnel_settings *t = &settings->tunnels[0];

    (void)state;
    assert_string_equal(reported, "");
    assert_int_equal(settings->tunnel_count, 1);
    assert_int_equal(settings->workers, 1);
    assert_int_equal(settings->drain_ms, 30000);
    assert_null(settings->control);
    assert_string_equal(t->name, "web");
    assert_int_equal(t->line, 1);
    assert_int_equal(t->side, TUNNEL_SERVER);
    assert_string_equal(t->listen.at[0], ":80");
    assert_string_equal(t->targets.at[0], "localhost:8080");
    assert_string_equal(t->files.keys.at[0], "/etc/duet/a.key");
    assert_int_equal(t->connect_ms, 10000);
    assert_int_equal(t->handshake_ms, 10000);
    assert_int_equal(t->idle_ms, -1);
    assert_int_equal(t->ping_ms, 60000);
    assert_int_equal(t->drain_least_ms, 30000);
    assert_int_equal(t->drain_most_ms, 90000);
    assert_int_equal(t->most_connections, 10000);
    assert_int_equal(t->proxy, 0);
    settings_free(settings);
}

static void
test_everything(void **state)
{
    struct settings *settings = parse(
        "# all of it\r\n"
        "[Global] ; and a word\n"
        "workers = 4\n  user=nobody\ncontrol = run/ctl\nlog-format = json\nlog-to = syslog\n"
        "metrics-file = /m.prom\nmetrics-interval = 250ms\nshutdown-timeout = 2m\n"
        "http = [::1]:9100\nhttp = unix:run/mon\nunsafe-http = yes\n"
        "\n"
        "[Tunnel a.b-c_1]\n"
        "\tside = client\n"
        "listen = 127.0.0.1:1 ; a comment\nlisten = [::1]:2\nlisten = unix:/run/a\n"
        "listen = systemd:web\nlisten = fd:3\n"
        "target = h1:5\ntarget = [2001:db8::1]:6\ntarget = unix:/run/b\n"
        "key = /k\nidentity = i\npeers = ../p\npattern = identity\nprofile = q\n"
        "timeout = 1.5\nhandshake-timeout = 29\nidle-timeout = 1h\nkeepalive = never\n"
        "drain-timeout = 0.5-2s\nmax-connections = 7\nmax-from-source = 3\nmax-half-open = 9\n"
        "trial-rate = 5000\n"
        "proxy-protocol = both\nproxy-from = 192.0.2.0/24\nproxy-from = ::/0\n"
        "unsafe-listen = yes\nunsafe-target = no");
    const struct tunnel_settings *t = &settings->tunnels[0];

    (void)state;
    assert_string_equal(reported, "");
    assert_int_equal(settings->workers, 4);
    assert_string_equal(settings->user, "nobody");
    assert_string_equal(settings->control, "/etc/duet/run/ctl");
    assert_int_equal(settings->log_format, LOG_JSON);
    assert_int_equal(settings->log_target, LOG_SYSTEM);
    assert_string_equal(settings->metrics_file, "/m.prom");
    assert_int_equal(settings->metrics_ms, 250);
    assert_int_equal(settings->http.listen.count, 2);
    assert_string_equal(settings->http.listen.at[1], "unix:/etc/duet/run/mon");
    assert_int_equal(settings->http.unsafe_listen, 1);
    assert_int_equal(settings->drain_ms, 120000);
    assert_int_equal(t->side, TUNNEL_CLIENT);
    assert_int_equal(t->listen.count, 5);
    assert_string_equal(t->listen.at[0], "127.0.0.1:1");
    assert_int_equal(t->targets.count, 3);
    assert_string_equal(t->files.identity, "/etc/duet/i");
    assert_string_equal(t->files.peers, "/etc/duet/../p");
    assert_string_equal(t->files.pattern, "identity");
    assert_int_equal(t->connect_ms, 1500);
    assert_int_equal(t->handshake_ms, 29000);
    assert_int_equal(t->idle_ms, 3600000);
    assert_int_equal(t->ping_ms, -1);
    assert_int_equal(t->drain_least_ms, 500);
    assert_int_equal(t->drain_most_ms, 2000);
    assert_int_equal(t->most_connections, 7);
    assert_int_equal(t->most_from_source, 3);
    assert_int_equal(t->most_half_open, 9);
    assert_int_equal(t->trial_rate, 5000);
    assert_int_equal(t->proxy, PROXY_IN | PROXY_OUT);
    assert_int_equal(t->trusted.count, 2);
    assert_int_equal(t->unsafe_listen, 1);
    assert_int_equal(t->unsafe_target, 0);
    settings_free(settings);
}

static void
test_lines_that_are_none(void **state)
{
    static char line[5000], text[6000];

    (void)state;
    refused("listen = :80\n" GOOD, "/etc/duet/x.conf:1: a setting before the first section");
    refused(GOOD "[Tunnel\n", "x.conf:6: a section must end with ]");
    refused(GOOD "[Global] workers = 3\n", "x.conf:6: a section must end with ]");
    refused(GOOD "[Others]\n", "x.conf:6: [Others]: no such section");
    refused(GOOD "[global]\n", "x.conf:6: [global]: no such section");
    refused(GOOD "\n\nnothing\n", "x.conf:8: neither [Section] nor Name = value");
    refused(GOOD "listen : 80\n", "x.conf:6: neither [Section] nor Name = value");
    refused(GOOD " = 80\n", "x.conf:6: neither [Section] nor Name = value");
    refused(GOOD "key = a\x01"
                 "b\n",
            "x.conf:6: key: the value holds a control character");
    refused(GOOD "key = a\rb\n", "x.conf:6: key: the value holds a control character");
    memset(line, 'n', 49);
    snprintf(text, sizeof text, GOOD "%.49s = 1\n", line);
    refused(text, "x.conf:6: no such setting; duet.conf(5)");
    memset(line, 'v', sizeof line);
    snprintf(text, sizeof text, GOOD "key = %.4096s\n", line);
    refused(text, "x.conf:6: key: the value is too long");
    snprintf(text, sizeof text, GOOD "key = %.4085s\n", line);
    struct settings *settings = parse(text);
    assert_string_equal(reported, "");
    assert_int_equal(strlen(settings->tunnels[0].files.keys.at[1]), 4085 + strlen("/etc/duet/"));
    settings_free(settings);
}

static void
test_byte_zero_is_no_end(void **state)
{
    static const char text[] = GOOD "key = a\0b\nworkers = 0\n";
    struct faults faults = {collect, NULL, 0};
    struct settings *settings;

    (void)state;
    reported[0] = 0;
    assert_int_equal(settings_parse(&settings, "x", text, sizeof text - 1, &faults), -1);
    assert_non_null(strstr(reported, "x:6: a NUL byte: this is not a text file"));
    assert_non_null(strstr(reported, "x:7: workers: belongs into [Global]"));
    settings_free(settings);
}

static void
test_sections_and_names(void **state)
{
    (void)state;
    refused(GOOD "[Tunnel web]\n", "x.conf:6: tunnel web is in line 1 already");
    refused(GOOD "[Tunnel web]\ntimeout = no\n", "x.conf:7: timeout: no: must be a time");
    refused(GOOD "[Tunnel a b]\ntimeout = no\n", "x.conf:7: timeout: no: must be a time");
    refused(GOOD "[Tunnel a b]\ntimeout = 1\n", "x.conf:6: tunnel a b: no target");
    refused(GOOD "[tunnel b]\ntimeout = no\n", "x.conf:7: timeout: no: must be a time");
    refused(GOOD "[Process\nworkers = no\n", "x.conf:7: workers: no: must be a number");
    refused(GOOD "[Process\nside = client\nside = client\n", "x.conf:8: side: is in line 7");
    refused(GOOD "[Tunnel ]\n", "x.conf:6: tunnel \"\"");
    refused(GOOD "[Tunnel a b]\n", "x.conf:6: tunnel \"a b\": a name is");
    refused(GOOD "[Tunnel 12345678901234567890123456789012345678901]\n", "x.conf:6: tunnel");
    refused("[Global]\n[Global]\n" GOOD, "x.conf:2: [Global] is in line 1 already");
    refused(GOOD "colour = red\n", "x.conf:6: colour: no such setting; duet.conf(5)");
    refused(GOOD "tagret = h:2\n", "x.conf:6: tagret: no such setting (did you mean target?)");
    refused(GOOD "timeout = 1 # a word\n", "x.conf:6: timeout: a comment after a value begins");
    refused(GOOD "peers = p\t# a word\n", "x.conf:6: peers: a comment after a value begins");
    settings_free(parse(GOOD "peers = p#1 ; # a word\n"));
    assert_string_equal(reported, "");
    refused("[Secret]\nVersion = 1\n", "x.conf: is a key, peers or profile file");
    for (unsigned i = 0; i < 2; i++) { /* no byte of a secret is printed */
        refused(i == 0 ? GOOD "n7EDQyBZ7g3S7FCzRb5Q+dATt7vvRq2x3JN5cj2SPDo=\n"
                       : GOOD "abcdefghijklmnopqrstuv==\n",
                i == 0 ? "x.conf:6: neither [Section] nor Name = value"
                       : "x.conf:6: no such setting; duet.conf(5)");
        assert_null(strstr(reported, "n7ED"));
        assert_null(strstr(reported, "abc"));
    }
    refused(GOOD "Listen = :81\n", "x.conf:6: Listen: no such setting");
    refused(GOOD "workers = 2\n", "x.conf:6: workers: belongs into [Global]");
    refused("[Global]\nlisten = :1\n" GOOD, "x.conf:2: listen: belongs into a [Tunnel NAME]");
    refused(GOOD "timeout = 1\ntimeout = 2\n", "x.conf:7: timeout: is in line 6 already");
    refused(GOOD "side = server\n", "x.conf:6: side: is in line 2 already");
    refused("", "x.conf: no [Tunnel NAME]; there is nothing to do");
    refused("[Global]\nworkers = 1\n", "x.conf: no [Tunnel NAME]");
}

static void
test_values(void **state)
{
    static const struct {
        const char *line, *fault;
    } bad[] = {{"idle-timeout = 0", "idle-timeout: 0: must be a time"},
               {"idle-timeout = soon", "idle-timeout: soon: must be a time"},
               {"idle-timeout = 1d", "idle-timeout: 1d: must be a time"},
               {"idle-timeout = -1", "idle-timeout: -1: must be a time"},
               {"timeout = never", "timeout: never: must be a time"},
               {"timeout = 1e9", "timeout: 1e9: must be a time"},
               {"handshake-timeout = 30", "from 0.001 to 29.999 seconds"},
               {"drain-timeout = 5", "drain-timeout: 5: must be two numbers"},
               {"drain-timeout = 9-5", "drain-timeout: 9-5: must be two numbers"},
               {"drain-timeout = 1-2-3", "drain-timeout: 1-2-3: must be two numbers"},
               {"max-connections = 0", "max-connections: 0: must be a number from 1 to 1000000"},
               {"max-connections = 9x", "max-connections: 9x: must be a number"},
               {"max-connections = 18446744073709551617", "must be a number from 1"},
               {"max-half-open =", "x.conf:6: a name without a value"},
               {"profile = ; a word", "profile: \"\": has no value"},
               {"proxy-protocol = yes", "yes: must be none, in, out or both"},
               {"pattern = none", "none: must be secret, ephemeral or identity"},
               {"unsafe-target = true", "unsafe-target: true: must be yes or no"},
               {"proxy-from = here", "proxy-from: here: must be an address, or a network"},
               {"listen = 80", "listen: 80: no port after a colon; write host:port"},
               {"target = \"127.0.0.1:80\"", "80\": it is written without quotes"},
               {"local_addr = a:1", "x.conf:6: neither [Section] nor Name = value; a name is"},
               {"listen = ::1:80", "listen: ::1:80: an IPv6 address is written in brackets"},
               {"listen = a:70000", "listen: a:70000: no such port"},
               {"listen = unix:", "listen: unix:: the path is empty"},
               {"listen = fd:x", "listen: fd:x: no descriptor"},
               {"listen = systemd:", "listen: systemd:: no name"},
               {"target = :80", "target: :80: no host"},
               {"target = fd:3", "target: fd:3: can only be listened on"},
               {"target = systemd:a", "target: systemd:a: can only be listened on"},
               {"key = credential:x", "credential:x: systemd gave this process no credentials"},
               {"peers = \xff\x1b[2J", "control character"}};
    char text[512], fault[256];

    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, GOOD "%s\n", bad[i].line);
        refused(text, "/etc/duet/x.conf:6: ");
        snprintf(fault, sizeof fault, "%s", bad[i].fault);
        refused(text, fault);
    }
    refused("[Global]\nworkers = 65\n" GOOD,
            "x.conf:2: workers: 65: must be a number from 1 to 64");
    refused("[Global]\nlog-format = xml\n" GOOD, "xml: must be text, logfmt or json");
    refused("[Tunnel a]\nside = middle\n", "x.conf:2: side: middle: must be client or server");
}

static void
test_credentials(void **state)
{
    struct settings *settings;

    (void)state;
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/duet", 1);
    settings = parse(GOOD "identity = credential:me.key\n");
    assert_string_equal(settings->tunnels[0].files.identity, "/run/credentials/duet/me.key");
    settings_free(settings);
    refused(GOOD "identity = credential:\n", "a credential's name");
    refused(GOOD "identity = credential:../../etc/x\n", "a credential's name");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void
test_what_does_not_go_together(void **state)
{
    (void)state;
    refused("\n[Tunnel a]\n", "x.conf:2: tunnel a: no side");
    refused("\n[Tunnel a]\n", "x.conf:2: tunnel a: no listen");
    refused("\n[Tunnel a]\n", "x.conf:2: tunnel a: no target");
    refused("\n[Tunnel a]\n", "x.conf:2: tunnel a: no key");
    refused(GOOD "unsafe-listen = yes\n", "tunnel web: unsafe-listen is for a client");
    refused(GOOD "proxy-from = ::1\n", "tunnel web: proxy-from without proxy-protocol in or both");
    refused(GOOD "listen = :80\n", "tunnel web: listens on :80, as web does");
    refused("[Tunnel c]\nside = client\nlisten = :80\ntarget = h:1\nkey = a\nkey = b\n",
            "tunnel c: more than one key");
    refused("[Tunnel c]\nside = client\nlisten = :81\ntarget = h:1\nkey = a\n"
            "unsafe-target = yes\n" GOOD,
            "tunnel c: unsafe-target is for a server");
    refused(GOOD "target = 192.0.2.1:9\n", "tunnel web: the target 192.0.2.1:9 is on another");
    refused(GOOD "target = [2001:db8::1]:9\n", "unsafe-target if you mean that");
    settings_free(parse(GOOD "target = 192.0.2.1:9\nunsafe-target = yes\n"));
    settings_free(parse(GOOD "target = [::1]:9\ntarget = 127.3.2.1:9\n"));
    refused(GOOD "[Tunnel c]\nside = client\nlisten = :80\ntarget = h:1\nkey = a\n",
            "x.conf:6: tunnel c: listens on :80, as web does");
}

/** How many faults a text has. */
static unsigned
faults_of(const char *text)
{
    unsigned lines = 0;

    settings_free(parse(text));
    for (const char *at = reported; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    return lines;
}

static void
test_every_fault_is_told(void **state)
{
    (void)state;
    assert_int_equal(faults_of("[Global]\nworkers = x\n[Nowhere]\ncolour = red\n" GOOD
                               "timeout = 0\nlisten = 1\n[Tunnel a]\nside = left\n"),
                     9); /* six of lines, three of what tunnel a lacks */
}

static void
test_a_refused_value_is_not_missing_too(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(faults_of("[Tunnel a]\nside = left\nlisten = 80\ntarget = h:70000\n"
                               "key = credential:x\n"),
                     4);
    assert_int_equal(faults_of("[Tunnel a]\nside = client\nlisten = h:1\ntarget = h:2\n"
                               "key = a # word\n"),
                     1);
    assert_int_equal(faults_of(GOOD "proxy-from = ::1\nproxy-protocol = yes\n"), 1);
    assert_int_equal(faults_of(GOOD "target = 192.0.2.1:9\nunsafe-target = true\n"), 1);
    assert_int_equal(faults_of("[Tunnel a b]\nside = client\nlisten = h:1\ntarget = h:2\n"
                               "key = a\n"),
                     1);
}

static void
test_too_many_tunnels(void **state)
{
    static char text[TUNNELS_MOST * 128 + 128];
    size_t size = 0;

    (void)state;
    for (unsigned i = 0; i <= TUNNELS_MOST; i++)
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 "[Tunnel t%u]\nside = server\nlisten = :%u\n"
                                 "target = h:1\nkey = k\n",
                                 i, i + 1);
    refused(text, "x.conf:321: tunnel t64: more than 64 tunnels");
}

static void
test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_table[i];
        unsigned owners = 0;
        for (size_t j = 0; j < OWNERS; j++)
            owners += o->at[j] != 0;
        assert_true(owners > 0);
        if (o->at[IN_TUNNEL] != 0 || o->at[IN_PROCESS] != 0)
            assert_ptr_equal(option_find(o->name, strlen(o->name)), o);
        for (size_t j = 0; j < i; j++) /* a subcommand has an option once */
            assert_true(strcmp(option_table[j].name, o->name) != 0 ||
                        (option_table[j].users & o->users) == 0);
        assert_true(o->about != NULL || o->standard == NULL);
    }
    assert_null(option_find("none", 4));
}

/** Settings as after reading keys: a secret, no identity, no list. */
static struct tunnel_settings
with_secret(uint8_t (*id)[DUET_SECRET_ID_SIZE])
{
    return (struct tunnel_settings){.facts = {.secrets = id, .secret_count = 1}};
}

/** What was opened by the old settings, known or not yet, against the new ones of a reload. */
static void
test_who_is_let_in_behind_a_reload(void **state)
{
    static struct tunnel_settings then, now;
    static uint8_t old[1][DUET_SECRET_ID_SIZE] = {{1}}, other[1][DUET_SECRET_ID_SIZE] = {{2}};
    static struct duet__peer list[1] = {{.name = "ann", .public_key = {7}}};
    static duet_key peers = {.kind = DUET_KIND_PEERS, .peers = {list, 1}};
    static duet_key key = {.kind = DUET_KIND_PROFILE};
    struct duet__profile *profile = &key.profile;
    duet_info info = {.pattern = DUET_PATTERN_EPHEMERAL, .ready = 1, .secret_id = {1}};
    duet_info unknown = {.pattern = DUET_PATTERN_NONE};

    (void)state;
    then = now = with_secret(old);
    assert_true(settings_admit(&now, &then, &info));
    now = with_secret(other);
    assert_false(settings_admit(&now, &then, &info));
    assert_true(settings_admit(&now, &then, &unknown));

    now = with_secret(old);
    now.files.pattern = (char *)"ephemeral";
    assert_false(settings_admit(&now, &then, &info));
    now = with_secret(old);
    now.facts.identity[31] = 1;
    assert_false(settings_admit(&now, &then, &unknown));
    now = with_secret(old);
    duet__profile_init(profile);
    now.facts.profile = &key;
    assert_true(settings_admit(&now, &then, &info));
    profile->label[0] = 'x';
    profile->label_size = 1;
    assert_false(settings_admit(&now, &then, &info));
    profile->label_size = 0;
    profile->prelude_size[DUET_BOTTOM] = 1;
    assert_false(settings_admit(&now, &then, &info));
    profile->prelude_size[DUET_BOTTOM] = 0;
    profile->dialect = 1;
    assert_false(settings_admit(&now, &then, &info));
    profile->dialect = 0;
    profile->hello_most++; /* asks nothing of a peer */
    assert_true(settings_admit(&now, &then, &info));

    now = with_secret(old);
    now.files.peers = (char *)"peers";
    now.facts.peers = &peers;
    assert_false(settings_admit(&now, &then, &info)); /* it has no name */
    info.pattern = DUET_PATTERN_IDENTITY;
    assert_false(settings_admit(&now, &then, &info));
    info.has_peer_key = 1;
    info.peer_key[0] = 8;
    assert_false(settings_admit(&now, &then, &info));
    info.peer_key[0] = 7;
    assert_true(settings_admit(&now, &then, &info));
    info.ready = info.has_peer_key = 0;
    assert_true(settings_admit(&now, &then, &info)); /* who it is comes last */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults),
                                       cmocka_unit_test(test_everything),
                                       cmocka_unit_test(test_lines_that_are_none),
                                       cmocka_unit_test(test_byte_zero_is_no_end),
                                       cmocka_unit_test(test_sections_and_names),
                                       cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_credentials),
                                       cmocka_unit_test(test_what_does_not_go_together),
                                       cmocka_unit_test(test_every_fault_is_told),
                                       cmocka_unit_test(test_a_refused_value_is_not_missing_too),
                                       cmocka_unit_test(test_too_many_tunnels),
                                       cmocka_unit_test(test_who_is_let_in_behind_a_reload),
                                       cmocka_unit_test(test_table)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
