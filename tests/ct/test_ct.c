/*
 * Secrets as undefined memory, through all code that handles one: initiation in every pattern and
 * both roles, frames both ways, rotation, refresh, closing, and the text of key files. A branch or
 * an index that depends on a secret is reported by valgrind; what becomes public, and where, stands in
 * the code as DUET__PUBLIC (base/public.h).
 *
 * Valgrind knows the portable kernel alone; MemorySanitizer the others. `leak` as argument: one
 * branch on a secret, which must be reported.
 */
#include "ct/secret.h"

#include "base/base64.h"
#include "base/public.h"
#include "session/many.h"
#include "session/session.h"
#include "support/kernel_named.h"
#include "support/pair.h"

#include <duet/duet.h>
#include <string.h>

void
duet__ct_public(const void *p, size_t size)
{
    show(p, size);
}

/** Carry both ways until nothing is pending. */
static void
settle(struct pair *pair)
{
    for (int i = 0; i < 8; i++) {
        struct pair_end *from = &pair->end[i % 2], *to = &pair->end[1 - i % 2];
        need(pair_flush(from) == DUET_OK, "to flush");
        need(pair_carry(from, to) == DUET_OK, "to carry");
    }
}

/** Frames of several sizes, under codes, over a rotation by count. */
static void
talk(struct pair *pair)
{
    for (int i = 0; i < 12; i++) {
        struct pair_end *from = &pair->end[i % 2];
        need(pair_send(from, i % 3 == 0 ? DUET_CODE_MORE : 7, (size_t)i * 37) == DUET_OK,
             "a frame");
        need(pair_carry(from, &pair->end[1 - i % 2]) == DUET_OK, "to open it");
    }
}

static void
ask(struct pair_end *end, enum duet_request request)
{
    uint8_t bytes[DUET_FRESH_SIZE];

    memset(bytes, 0x37, sizeof bytes);
    if (request == DUET_ASK_REFRESH)
        hide(bytes, sizeof bytes);
    need(duet_session_ask(end->session, request, bytes) == DUET_OK, "to ask");
}

/** A whole session, both ends of it under watch. */
static void
session(enum duet_pattern pattern, int dialect)
{
    static struct pair pair;
    const struct pair_options options = {
        .pattern = pattern,
        .hello_size = 290,
        .dialect = dialect,
        .rotate_frames = 2,
        .rotate_blocks = 20,
        .no_hybrid = 1, /* ML-KEM is libcrypto's, and branches on a public matrix of the seed's */
    };
    struct pair_end *top = &pair.end[DUET_TOP], *bottom = &pair.end[DUET_BOTTOM];
    uint8_t key[32], receipt[DUET_RECEIPT_SIZE];

    pair_open(&pair, &options);
    settle(&pair);
    need(pair_info(top).ready && pair_info(bottom).ready, "READY");
    talk(&pair);
    need(duet_session_export(top->session, key, sizeof key, NULL, 0) == DUET_OK, "to export");
    ask(top, DUET_ASK_REFRESH);
    ask(bottom, DUET_ASK_REFRESH); /* they cross */
    settle(&pair);
    ask(bottom, DUET_ASK_REFRESH);
    ask(top, DUET_ASK_PING);
    ask(top, DUET_ASK_ROTATE);
    settle(&pair);
    need(pair_info(top).rx_epoch > 2 && top->pongs == 1, "refreshes and a PONG");
    ask(top, DUET_ASK_CLOSE);
    ask(bottom, DUET_ASK_CLOSE);
    settle(&pair);
    need(duet_session_receipt(top->session, receipt, DUET_TOP) == DUET_OK, "a receipt");
    pair_close(&pair);
}

/** Two sessions by one call: sealed and opened side by side. */
static void
batch(void)
{
    enum { SIZE = 700, WIRE = SIZE + (int)DUET_FRAME_OVERHEAD };
    static struct pair pairs[2];
    static uint8_t payload[SIZE], wire[2][WIRE], back[2][SIZE];
    struct duet__sealing sealing[2];
    struct duet__opening opening[2];

    hide(payload, sizeof payload);
    for (int i = 0; i < 2; i++) {
        pair_open(&pairs[i],
                  &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL, .no_hybrid = 1});
        settle(&pairs[i]);
        sealing[i] = (struct duet__sealing){
            pairs[i].end[DUET_TOP].session, wire[i], payload, SIZE, 7, DUET_OK};
        opening[i] = (struct duet__opening){
            .session = pairs[i].end[DUET_BOTTOM].session,
            .step = {.in = wire[i], .in_size = WIRE, .out = back[i], .out_size = SIZE}};
    }
    need(duet__session_send_many(sealing, 2) == DUET_OK, "two frames");
    show(wire, sizeof wire);
    need(duet__session_recv_many(opening, 2) == DUET_OK, "their headers");
    for (int i = 0; i < 2; i++) {
        opening[i].step.in += opening[i].step.used;
        opening[i].step.in_size -= opening[i].step.used;
    }
    need(duet__session_recv_many(opening, 2) == DUET_OK, "what they hold");
    for (int i = 0; i < 2; i++) {
        need(opening[i].step.event == DUET_EVENT_FRAME, "a frame");
        pair_close(&pairs[i]);
    }
}

/** A listener of three secrets finds the one that fits. */
static void
trials(void)
{
    static struct pair pair;
    struct pair_end *bottom = &pair.end[DUET_BOTTOM];
    uint8_t secret[64];

    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL, .no_hybrid = 1});
    pair_thaw(&pair);
    for (int i = 0; i < 2; i++) {
        memset(secret, 0x61 + i, sizeof secret);
        hide(secret, sizeof secret);
        need(duet__config_add_secret(bottom->config, secret, sizeof secret, 0) == DUET_OK,
             "a secret");
    }
    need(pair_sessions(&pair) == DUET_OK, "sessions");
    settle(&pair);
    need(pair_info(&pair.end[DUET_TOP]).ready && pair_info(bottom).ready, "READY");
    pair_close(&pair);
}

/** A frame whose MAC is wrong: only that may show. */
static void
forgery(void)
{
    static struct pair pair;
    struct pair_end *top = &pair.end[DUET_TOP];

    pair_open(&pair, &(struct pair_options){.pattern = DUET_PATTERN_EPHEMERAL, .no_hybrid = 1});
    settle(&pair);
    need(pair_send(top, 0, 100) == DUET_OK, "a frame");
    top->wire[50] ^= 1;
    need(pair_carry(top, &pair.end[DUET_BOTTOM]) == DUET_E_FORGED, "a forgery");
    pair_close(&pair);
}

/* ---- Key files ---- */

/** Hide each digit of base64 in the text after a name, except the last two, which show the
 * padding. */
static void
hide_digits(char *text, size_t size, const char *name)
{
    char *at = memmem(text, size, name, strlen(name));

    need(at != NULL, name);
    at += strlen(name);
    for (char *end = text + size; at < end && *at != '['; at++) {
        int ends = at + 3 < end && (at[1] == '=' || at[2] == '=' || at[3] == '\n' || at[2] == '\n');
        if (*at == 'P') /* of PublicKey */
            break;
        if (*at != '\n' && *at != ' ' && *at != '=' && !ends)
            hide(at, 1);
    }
}

static void
secret_text(size_t size)
{
    static uint8_t bytes[DUET_SECRET_DEFAULT];
    static char text[4096];
    duet_key *secret, *back;
    duet_where where;
    size_t used;

    memset(bytes, 0xb6, sizeof bytes); /* no digit of it is a capital P */
    need(duet_key_new(&secret, DUET_KIND_SECRET, bytes, size, 0) == DUET_OK, "a secret");
    hide(secret->secret.bytes, size);
    need(duet_key_format(secret, text, sizeof text, &used) == DUET_OK, "its text");
    show(text, used);
    hide_digits(text, used, "Secret = ");
    need(duet_key_parse(&back, DUET_KIND_SECRET, text, used, &where) == DUET_OK, "to read it");
    need(duet_key_size(back) == size, "its size");
    duet_key_free(secret);
    duet_key_free(back);
}

static void
identity_text(void)
{
    uint8_t key[DUET_KEY_SIZE];
    char text[1024];
    duet_key *identity, *back;
    duet_where where;
    size_t used;

    memset(key, 0xb6, sizeof key);
    hide(key, sizeof key);
    need(duet_key_new(&identity, DUET_KIND_IDENTITY, key, DUET_KEY_SIZE, 0) == DUET_OK,
         "an identity");
    need(duet_key_format(identity, text, sizeof text, &used) == DUET_OK, "its text");
    show(text, used);
    hide_digits(text, used, "PrivateKey = ");
    need(duet_key_parse(&back, DUET_KIND_IDENTITY, text, used, &where) == DUET_OK, "to read it");
    duet_key_free(identity);
    duet_key_free(back);
}

static void
texts(void)
{
    secret_text(DUET_SECRET_DEFAULT);
    secret_text(DUET_SECRET_LEAST);
    identity_text();
}

/** The control, which must be reported: see scripts/ct. */
static int
leak(void)
{
    static uint8_t key[2] = {1, 2};

    hide(key, sizeof key);
    if (key[0] == key[1])
        puts("equal");
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "leak") == 0)
        return leak();
    need(duet_init() == DUET_OK, "libcrypto");
    if (kernel_is_missing())
        return KERNEL_SKIP;
    need(UNDER_MSAN || strcmp(duet_kernel_name(), "portable") == 0,
         "the portable kernel; set DUET_KERNEL");
    pair_hide = hide;
    pair_show = show;
    for (int pattern = 0; pattern < 3; pattern++)
        session((enum duet_pattern)pattern, pattern % 2);
    batch();
    trials();
    forgery();
    if (!UNDER_MSAN) /* which minds that memchr passes over digits in search of a line's end */
        texts();
    puts(watched() ? "no branch and no index depends on a secret" : "not watched: only tried");
    return 0;
}
