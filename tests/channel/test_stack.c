/*
 * Every public call works in a thread of 64 KiB of stack and takes 16 KiB of it at most, what
 * libcrypto and the C library take included. Prints what each took.
 *
 * Each call runs in a thread of its own whose stack was filled with a pattern: what is no longer
 * the pattern was used. What an empty thread uses is taken off.
 */
#include "channel/ends.h"
#include "support/pair.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { STACK = 64 * 1024, MOST = 16 * 1024, PATTERN = 0xA7, BYTES = 200000 };

static uint8_t *stack; /* STACK bytes, above a page that is no memory */
static size_t empty;   /* bytes that a thread uses which does nothing */

static struct ends ends;
static struct pair pair;
static duet_config *config;
static duet_replay *replay, *clients;
static uint8_t sent[BYTES], had[BYTES];
static char text[100000], folder[] = "/tmp/duet-stack-XXXXXX", path[100];
static size_t text_size, n;
static uint32_t code;
static duet_where where;
static duet_key *secret;
static duet_key *identity;
static duet_key *peers;
static duet_key *profile;
static duet_cipher tx, rx;
static int result;

#define CALL(function, expression)                                                                 \
    static void function(void)                                                                     \
    {                                                                                              \
        result = (expression);                                                                     \
    }

/* ---- The calls, in an order in which each can do its work ---- */

CALL(c_nothing, DUET_OK)
CALL(c_explain, duet_explain(DUET_E_IO) == NULL)
CALL(c_kernel, duet_kernel_name() == NULL || duet_constants() == NULL)
CALL(c_secret_new, duet_key_new(&secret, DUET_KIND_SECRET, NULL, 1024, 0))
CALL(c_secret_format, duet_key_format(secret, text, sizeof text, &text_size))
CALL(c_secret_save, duet_key_save(secret, path, NULL, 0, &where))
static void
c_secret_free(void)
{
    duet_key_free(secret);
}
CALL(c_secret_parse, duet_key_parse(&secret, DUET_KIND_SECRET, text, text_size, &where))
CALL(c_secret_load, duet_key_load(&secret, DUET_KIND_SECRET, path, NULL, 0, &where))
CALL(c_kind_of, duet_kind_of(text, text_size) != DUET_KIND_SECRET)
CALL(c_identity_new, duet_key_new(&identity, DUET_KIND_IDENTITY, NULL, 0, 0))
CALL(c_identity_format, duet_key_format(identity, text, sizeof text, &text_size))
CALL(c_identity_save, duet_key_save(identity, path, NULL, 0, &where))
static void
c_identity_free(void)
{
    duet_key_free(identity);
}
CALL(c_identity_parse, duet_key_parse(&identity, DUET_KIND_IDENTITY, text, text_size, &where))
CALL(c_identity_load, duet_key_load(&identity, DUET_KIND_IDENTITY, path, NULL, 0, &where))

static void
c_peers_parse(void)
{
    char key[DUET_KEY_TEXT_SIZE];

    duet_key_text(key, duet_key_public_key(identity, 0));
    text_size = (size_t)snprintf(text, sizeof text, "[Peer x]\nPublicKey = %s\n", key);
    result = duet_key_parse(&peers, DUET_KIND_PEERS, text, text_size, &where);
}

static void
c_profile_parse(void)
{
    text_size = (size_t)snprintf(text, sizeof text, "[Profile]\nLabel = x\n");
    result = duet_key_parse(&profile, DUET_KIND_PROFILE, text, text_size, &where);
}

CALL(c_config_new, (config = duet_config_new()) == NULL)
CALL(c_config_add_secret, duet_config_add(config, secret))
CALL(c_config_add_identity, duet_config_add(config, identity))
CALL(c_config_add_peers, duet_config_add(config, peers))
CALL(c_config_add_profile, duet_config_add(config, profile))
static void
c_config_free(void)
{
    duet_config_free(config);
}
CALL(c_replay_new,
     (replay = duet_replay_new(1000)) == NULL || (clients = duet_replay_new(1000)) == NULL)
static void
c_replay_check(void)
{
    pair.end[1].replay = replay;
    result = duet_replay_check(clients, pair.end[0].session, 0);
    if (result == DUET_OK)
        result = pair_settle(&pair);
    pair.end[1].replay = NULL;
}
CALL(c_cipher_init, duet_cipher_init(&tx, sent, sent, sent, 1, 65536) |
                        duet_cipher_init(&rx, sent, sent, sent, 1, 65536))
CALL(c_cipher_seal, duet_seal(&tx, had, sent, 60000, 1))
static void
c_cipher_open(void)
{
    uint32_t length;
    result = duet_cipher_open_header(&rx, &code, &length, had);
    if (result == DUET_OK)
        result = duet_cipher_open_piece(&rx, had + 16, &n, had + 16, 60008);
}
CALL(c_cipher_rekey, duet_cipher_rekey(&tx, sent, sent, NULL))

/** Two sessions through all of a handshake in pattern 2, frames, refresh and close, by one call. */
static void
c_sessions(void)
{
    result = pair_sessions(&pair);
    if (result == DUET_OK)
        result = pair_settle(&pair);
}
static void
c_session_refresh(void)
{
    result = duet_session_refresh(pair.end[0].session, sent);
    if (result == DUET_OK)
        result = pair_settle(&pair);
}
CALL(c_session_export, duet_session_export(pair.end[0].session, had, 8160, sent, 8))
static void
c_session_close(void)
{
    result = duet_session_close(pair.end[0].session);
    if (result == DUET_OK)
        result = pair_settle(&pair);
}

/** Channels whose peers are in the same thread: both ends polled. */
static void
c_channels(void)
{
    int bottom = DUET_AGAIN;

    result = DUET_AGAIN;
    for (int i = 0; i < 100 && (result == DUET_AGAIN || bottom == DUET_AGAIN); i++) {
        result = duet_channel_handshake(ends.top, 0);
        bottom = duet_channel_handshake(ends.bottom, 0);
    }
    result |= bottom;
}
CALL(c_send, duet_channel_send(ends.top, sent, 100000, &n, 0))
CALL(c_recv, duet_channel_recv(ends.bottom, had, 100000, &n, 100000, 10000))
CALL(c_send_message, duet_channel_send_message(ends.top, 7, sent, 100000, &n, 0))
CALL(c_recv_message, duet_channel_recv_message(ends.bottom, &code, had, BYTES, &n, 10000))
static void
c_recv_all(void)
{
    const void *data;
    result = duet_channel_recv_all(ends.bottom, &code, &data, &n, BYTES, 10000);
}
CALL(c_send_frame, duet_channel_send_frame(ends.top, 0, sent, 90000, &n, 0))
CALL(c_recv_one, duet_channel_recv(ends.bottom, had, BYTES, &n, 1, 10000))
static void
c_send_messages(void)
{
    duet_message list[100];

    for (int i = 0; i < 100; i++)
        list[i] = (duet_message){sent, 500, 3};
    result = duet_channel_send_messages(ends.top, list, 100, &n, 0);
}
static void
c_recv_messages(void)
{
    duet_message list[100];
    duet_inbox inbox = {.buffer = had, .size = BYTES, .messages = list, .room = 100};

    n = 0;
    do {
        result = duet_channel_recv_messages(ends.bottom, &inbox, 10000);
        n += inbox.count;
    } while (result == DUET_OK && n < 100);
}
static void
c_exchange(void)
{
    duet_exchange_io io = {.data = sent, .size = 30000, .buffer = had, .room = 0};

    result = duet_channel_exchange(ends.top, &io, 10000);
    io = (duet_exchange_io){.buffer = had, .room = 30000};
    if (result == DUET_OK)
        result = duet_channel_exchange(ends.bottom, &io, 10000);
}
static void
c_send_many(void)
{
    duet_job jobs[2] = {{.channel = ends.top, .data = sent, .size = 60000},
                        {.channel = ends.bottom, .data = sent, .size = 60000}};

    duet_channel_many(jobs, 2);
    result = jobs[0].send_result | jobs[1].send_result;
}
static void
c_recv_many(void)
{
    duet_job jobs[2] = {{.channel = ends.top, .buffer = had, .room = 60000},
                        {.channel = ends.bottom, .buffer = had + 60000, .room = 60000}};

    duet_channel_many(jobs, 2);
    result = jobs[0].recv_result | jobs[1].recv_result;
}
static void
c_partial(void) /* a frame for another call, and a part of one */
{
    result = duet_channel_send_message(ends.top, 5, sent, 3000, &n, 0);
    if (result == DUET_OK)
        result = duet_channel_recv(ends.bottom, had, 10, &n, 1, 10000) == DUET_E_CODE ? 0 : -1;
    if (result == DUET_OK)
        result = duet_channel_recv_message(ends.bottom, &code, had, BYTES, &n, 0);
}
CALL(c_ping, duet_channel_ping(ends.top) | duet_channel_flush(ends.top, 0))
CALL(c_rekey, duet_channel_rekey(ends.top) | duet_channel_flush(ends.top, 0))
static void
c_refresh(void)
{
    result = duet_channel_refresh(ends.top) | duet_channel_flush(ends.top, 0);
    for (int i = 0; i < 3; i++)
        if (duet_channel_recv(i % 2 ? ends.top : ends.bottom, had, 10, &n, 1, 100) == DUET_E_IO)
            result = DUET_E_IO;
}
CALL(c_export, duet_channel_export(ends.top, had, 8160, sent, 8))
static void
c_info(void)
{
    duet_info info;
    duet_channel_info(ends.top, &info);
    result = !info.ready || duet_channel_state(ends.top) == 0 ||
             duet_channel_next_frame(ends.top) != 0 || duet_channel_detail(ends.top) == NULL;
}
CALL(c_close, duet_channel_close(ends.top, 0))

static const struct {
    const char *name;
    void (*run)(void);
} library_calls[] =
    {
        {"explain", c_explain},
        {"kernel_name", c_kernel},
        {"secret_new", c_secret_new},
        {"secret_format", c_secret_format},
        {"kind_of", c_kind_of},
        {"secret_save", c_secret_save},
        {"secret_free", c_secret_free},
        {"secret_parse", c_secret_parse},
        {"secret_free", c_secret_free},
        {"secret_load", c_secret_load},
        {"identity_new", c_identity_new},
        {"identity_format", c_identity_format},
        {"identity_save", c_identity_save},
        {"identity_free", c_identity_free},
        {"identity_parse", c_identity_parse},
        {"identity_free", c_identity_free},
        {"identity_load", c_identity_load},
        {"peers_parse", c_peers_parse},
        {"profile_parse", c_profile_parse},
        {"config_new", c_config_new},
        {"config_add_secret", c_config_add_secret},
        {"config_add_identity", c_config_add_identity},
        {"config_add_peers", c_config_add_peers},
        {"config_add_profile", c_config_add_profile},
        {"config_free", c_config_free},
        {"replay_new", c_replay_new},
        {"replay_check", c_replay_check},
        {"cipher_init", c_cipher_init},
        {"cipher_seal", c_cipher_seal},
        {"cipher_open", c_cipher_open},
        {"cipher_rekey", c_cipher_rekey},
        {"sessions", c_sessions},
        {"session_refresh", c_session_refresh},
        {"session_export", c_session_export},
        {"session_close", c_session_close},
},
  channel_calls[] = {
      {"handshake", c_channels},
      {"send", c_send},
      {"recv", c_recv},
      {"send_message", c_send_message},
      {"recv_message", c_recv_message},
      {"send_message", c_send_message},
      {"recv_all", c_recv_all},
      {"send_frame", c_send_frame},
      {"recv (one frame)", c_recv_one},
      {"send_messages", c_send_messages},
      {"recv_messages", c_recv_messages},
      {"exchange", c_exchange},
      {"send_many", c_send_many},
      {"recv_many", c_recv_many},
      {"another code", c_partial},
      {"ping", c_ping},
      {"rekey", c_rekey},
      {"refresh", c_refresh},
      {"export", c_export},
      {"info", c_info},
      {"close", c_close},
};

/* ---- Measuring ---- */

static void *
run_call(void *call)
{
    (*(void (**)(void))call)();
    return NULL;
}

/** Bytes of stack that a thread which runs one call uses. */
static size_t
used_by(void (*call)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;

    memset(stack, PATTERN, STACK);
    result = DUET_OK;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, run_call, &call), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
    while (untouched < STACK && stack[untouched] == PATTERN)
        untouched++;
    return STACK - untouched;
}

static size_t
measure(const char *name, void (*call)(void))
{
    size_t used = used_by(call) - empty;

    print_message("%6zu bytes  %s\n", used, name);
    if (result != DUET_OK)
        fail_msg("%s returned %d", name, result);
    if (used > MOST)
        fail_msg("%s takes %zu bytes of stack", name, used);
    return used;
}

static void
map_stack(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory =
        mmap(NULL, STACK + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory, page, PROT_NONE), 0);
    stack = memory + page;
    empty = used_by(c_nothing);
}

static void
calls_of_the_library(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_IDENTITY});
    for (size_t i = 0; i < sizeof library_calls / sizeof *library_calls; i++) {
        snprintf(path, sizeof path, "%s/%s", folder,
                 strncmp(library_calls[i].name, "secret", 6) == 0 ? "secret" : "identity");
        measure(library_calls[i].name, library_calls[i].run);
    }
    pair_close(&pair);
    duet_key_free(secret);
    duet_key_free(identity);
    duet_key_free(peers);
    duet_key_free(profile);
    duet_replay_free(replay);
    duet_replay_free(clients);
    snprintf(path, sizeof path, "%s/secret", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/identity", folder);
    unlink(path);
    rmdir(folder);
}

static void
calls_of_channels(void **state)
{
    static const enum ends_wire wires[] = {ENDS_DIRECT, ENDS_TCP};

    (void)state;
    for (size_t wire = 0; wire < 2; wire++)
        for (int buffered = 0; buffered < 2; buffered++) {
            duet_config *both = ends_config();
            assert_int_equal(duet_config_set(both, DUET_SET_BUFFERED, (uint64_t)buffered), DUET_OK);
            ends_open_with(&ends, both, wires[wire]);
            for (size_t i = 0; i < sizeof channel_calls / sizeof *channel_calls; i++)
                measure(channel_calls[i].name, channel_calls[i].run);
            ends_close(&ends);
        }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_of_the_library),
        cmocka_unit_test(calls_of_channels),
    };
    if (ENDS_SANITIZED) /* they use stacks of their own size */
        return 77;
    map_stack();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
