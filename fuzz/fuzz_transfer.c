/*
 * Fuzzes the file transfer with a peer that holds the secret and sends anything: duet recv against
 * a hostile sender, duet send against a hostile receiver, each message sealed correctly.
 *
 * Nothing outside the target folder is created, changed or removed; existing files are not replaced
 * without --force; what is sent stays as it is. The commands' own code runs; link.c and interrupt.c
 * are replaced by the functions below.
 */
#include "commands.h"
#include "exits.h"
#include "folder.h"
#include "format.h"
#include "fuzz.h"
#include "interrupt.h"
#include "link.h"

#include "session/session.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { WIRE = 70000, LARGE = 300000, HOLES = 5 << 20 };

static struct options options;

/** The hostile end: a script whose instructions are messages, and what is sealed of it. */
static struct {
    struct input script;
    duet_session *session;
    uint8_t wire[WIRE];
    size_t at, size; /* of the wire */
    int rests;       /* 1: the next read finds nothing, so that the other end gets to speak */
    int closes;      /* 1: the end is a CLOSE, not a cut */
} peer;

/* ---- The peer ---- */

/** Seal the next message; op is its code. Returns 0 at the end. */
static int
seal_next(void)
{
    struct instruction i;

    peer.at = peer.size = 0;
    if (!input_instruction(&peer.script, &i)) {
        if (!peer.closes)
            return 0;
        peer.closes = 0;
        int closed = duet_session_close(peer.session);
        need(closed == DUET_OK || closed == DUET_E_MISUSE); /* inside a message */
        return duet_session_flush(peer.session, peer.wire, sizeof peer.wire, &peer.size) == DUET_OK;
    }
    uint32_t code = i.arg == 255 ? DUET_CODE_MORE : i.op;
    size_t size = i.size < TRANSFER_DATA_MOST ? i.size : TRANSFER_DATA_MOST;
    need(duet_session_send(peer.session, peer.wire, code, i.payload, size) == DUET_OK);
    peer.size = size + DUET_FRAME_OVERHEAD;
    peer.rests = i.arg % 2 == 0;
    return 1;
}

static int
peer_read(void *context, uint8_t *buffer, size_t size, size_t *got)
{
    (void)context;
    *got = 0;
    if (peer.at == peer.size && peer.rests) {
        peer.rests = 0;
        return DUET_AGAIN;
    }
    if (peer.at == peer.size && !seal_next())
        return DUET_CLOSED;
    *got = peer.size - peer.at < size ? peer.size - peer.at : size;
    memcpy(buffer, peer.wire + peer.at, *got);
    peer.at += *got;
    return DUET_OK;
}

static int
peer_write(void *context, const uint8_t *buffer, size_t size, size_t *put)
{
    (void)context;
    (void)buffer;
    *put = size;
    return DUET_OK;
}

static int
peer_wait(void *context, unsigned want, int timeout_ms)
{
    (void)context;
    (void)want;
    (void)timeout_ms;
    return DUET_OK;
}

/* ---- In the place of link.c and interrupt.c ---- */

int
link_open(struct link *link, const struct options *o, const char *address)
{
    static const duet_stream stream = {.read = peer_read, .write = peer_write, .wait = peer_wait};
    static const uint8_t salt[16] = {1}, secret[64] = {2};
    duet_session *session;

    (void)o;
    (void)address;
    memset(link, 0, sizeof *link);
    link->config = duet_config_new();
    need(link->config != NULL);
    need(duet__config_add_secret(link->config, secret, sizeof secret, 0) == DUET_OK);
    need(duet_session_new_preset(&session, link->config, DUET_TOP, salt, sizeof salt) == DUET_OK);
    need(duet_session_new_preset(&peer.session, link->config, DUET_BOTTOM, salt, sizeof salt) ==
         DUET_OK);
    need(duet_channel_open_preset(&link->channel, session, &stream, -1, -1) == DUET_OK);
    link->rfd = link->wfd = open("/dev/zero", O_RDWR | O_CLOEXEC); /* poll() never waits for it */
    return EXIT_DONE;
}

int
link_fail(struct link *link, int result)
{
    (void)link;
    return result == DUET_E_TRUNCATED ? EXIT_TRUNCATED : EXIT_INTEGRITY;
}

void
link_fail_beside(const struct link *link, int result)
{
    (void)link;
    (void)result;
}

/** Further streams find no peer; ranges travel on the first one. */
int
link_open_beside(struct link *link, const struct link *first, const struct options *o,
                 int timeout_ms)
{
    (void)first;
    (void)o;
    (void)timeout_ms;
    memset(link, 0, sizeof *link);
    link->beside = 1;
    link->rfd = link->wfd = -1;
    return EXIT_CONNECT;
}

void
link_stop_listening(struct link *link)
{
    (void)link;
}

void
link_close(struct link *link)
{
    if (link->beside)
        return;
    duet_channel_free(link->channel);
    duet_session_free(peer.session);
    duet_config_free(link->config);
    if (link->rfd >= 0)
        close(link->rfd);
    peer.session = NULL;
}

void
link_receipt(const struct link *link, char out[2 * DUET_RECEIPT_SIZE + 1], enum duet_role role)
{
    (void)link;
    (void)role;
    out[0] = 0;
}

void
interrupt_catch(void)
{
}

int
interrupted(void)
{
    return 0;
}

int
interrupt_fd(void)
{
    return -1;
}

void
interrupt_by(int fd)
{
    (void)fd;
}

void
interrupt_wait(int ms)
{
    (void)ms;
}

/* ---- The two commands ---- */

/** 1 when the script offers a file of that size under that name. */
static int
was_offered(struct input script, const char *name, uint64_t size)
{
    static struct offer offer;
    struct instruction i;

    while (input_instruction(&script, &i))
        if (i.op == TRANSFER_OFFER && offer_read(&offer, i.payload, i.size) == 0 &&
            strcmp(offer.name, name) == 0 && (offer.size == size || offer.size == TRANSFER_UNKNOWN))
            return 1;
    return 0;
}

static void
receive(int force)
{
    static char into[] = "in";
    const struct input script = peer.script;

    folder_make("in/there", "that was there", 14);
    folder_make("in/begun.duet-part", "that was begun", 14);
    folder_make("in/down/deep", "deep", 4);
    folder_make("outside/precious", "precious", 8);
    folder_link("in/link", "../outside");
    folder_link("in/file", "../outside/precious");
    options.out = into;
    options.force = force != 0;
    cmd_recv.run(&options);
    need(folder_is("outside/precious", "precious", 8));
    need(force || folder_is("in/there", "that was there", 14));
    need(force || folder_is("in/down/deep", "deep", 4));
    need(folder_count("outside") == 1 && folder_count(".") == 2);
    long size = folder_size("in/begun");
    need(size < 0 || was_offered(script, "begun", (uint64_t)size));
}

static void
send_files(void)
{
    static uint8_t large[LARGE];
    static const char *paths[] = {"src", "address"};

    folder_make("src/small", "small", 5);
    folder_make("src/large", large, sizeof large);
    /* Large enough to go in ranges, where streams are agreed on, and quickly read. */
    folder_make("src/holes", "holes", 5);
    need(truncate("src/holes", HOLES) == 0);
    options.operands = paths;
    options.operand_count = 2;
    cmd_send.run(&options);
    need(folder_is("src/small", "small", 5) && folder_is("src/large", large, sizeof large));
    need(folder_size("src/holes") == HOLES);
    need(folder_count("src") == 3 && folder_count(".") == 1);
}

/** setup: which end, whether --force, whether the peer closes at its end, whether --streams. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peer.script = (struct input){data, size};
    uint8_t setup = input_byte(&peer.script);
    input_byte(&peer.script);
    peer.at = peer.size = 0;
    peer.rests = 0;
    peer.closes = setup & 4;
    memset(&options, 0, sizeof options);
    options.idle_ms = -1;
    options.progress = PROGRESS_NONE;
    options.streams = setup & 8 ? 4 : 0;
    folder_begin();
    if (setup & 1)
        send_files();
    else
        receive((setup & 2) != 0);
    folder_end();
    return 0;
}
