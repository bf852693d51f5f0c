/*
 * Fuzzes the calls for many channels and many messages, mixed with the single ones: four pairs of
 * channels on wires in memory (wires.h). A script makes them send, receive, close, rekey and
 * refresh, and decides how bytes are split between calls, which are changed and where streams end.
 *
 * A channel returns what its peer sent, frame by frame, and all of it that arrived whole; nothing
 * after a changed byte; no unverified byte stays in a buffer, even one that other channels used
 * meanwhile; an error or an end concerns its own channel alone; and a waiting call wakes up.
 */
#include "fuzz.h"
#include "ledger.h"
#include "wires.h"
#include <duet/names.h>

#include <string.h>

enum {
    SOURCE = 1 << 16,  /* bytes of data to send, used repeatedly */
    BUDGET = 400000,   /* bytes that one script may send */
    INSTRUCTIONS = 64, /* of one script, as one call skips so many library frames */
    MESSAGES = 300,    /* in one call */
    TIME = 100,        /* milliseconds of a call that waits */
};

/** What an instruction does; op % OPS. Its payload is a list; a number is two bytes. */
enum op {
    OP_SEND_MANY, /* each (end, size): a job of duet_channel_many() */
    OP_RECV_MANY, /* each (end, size): a job of duet_channel_many() */
    OP_MESSAGES,  /* end arg: each (code, size): a message of duet_channel_send_messages() */
    OP_INBOX,     /* end arg: (room, size) of duet_channel_recv_messages() */
    OP_SEND,      /* end arg: size of duet_channel_send() */
    OP_RECV,      /* end arg: size of duet_channel_recv() */
    OP_CARRY,     /* towards end arg: so many bytes, 0: all */
    OP_DAMAGE,    /* towards end arg: where and how a byte changes */
    OP_ASK,       /* end arg, whose upper bits say what for */
    OP_LIMIT,     /* what end arg writes: so many bytes are taken before the next limit; 0: all */
    OP_CUT,       /* the stream towards end arg ends behind what was carried */
    OP_SCARCE,    /* the next receiving call meets an allocation that fails */
    OP_MESSAGE,   /* end arg: (code, size) of a message, or what is left of the last */
    OP_TAKE,      /* end arg: size of duet_channel_recv_message() */
    OP_EXCHANGE,  /* end arg: (size, room) of duet_channel_exchange() */
    OP_WAIT_SEND, /* as OP_SEND and OP_RECV, with a timeout in which all bytes are carried; */
    OP_WAIT_RECV, /* arg's upper bits: it waits for all that it asks for */
    OPS
};

static uint8_t source[SOURCE];
static size_t source_at, budget;
static int scarce;
static duet_replay *replay;

/* ---- Set-up ---- */

static duet_config *
configure(int initiates)
{
    static const uint8_t secret[64] = {2};
    duet_config *config = duet_config_new();
    uint32_t state = 1;

    need(config != NULL && duet_config_add_secret(config, secret, sizeof secret) == DUET_OK);
    config->patterns = initiates ? 1u << DUET_PATTERN_SECRET : 0;
    config->profile.hello_least = config->profile.hello_most = 400;
    config->profile.rotate_frames = 3;
    config->profile.rotate_blocks = 9;
    for (size_t i = 0; i < SOURCE; i++) {
        state = state * 1664525u + 1013904223u;
        source[i] = (uint8_t)(state >> 24);
    }
    return config;
}

static void
open_end(unsigned n, duet_config *const configs[2], int initiates, uint32_t frame_size)
{
    const duet_config *config = configs[initiates];
    const uint8_t salt[16] = {(uint8_t)(n / 2)};
    enum duet_role role = n % 2 == 0 ? DUET_TOP : DUET_BOTTOM;
    struct end *end = &ends[n];
    duet_session *session;
    int fd = (int)n;

    if (initiates) {
        duet_replay *known = role == DUET_BOTTOM ? replay : NULL; /* as in a program of its own */
        need(duet_channel_open(&end->channel, config, known, role, fd, fd) == DUET_OK);
    } else {
        need(duet_session_new_preset(&session, config, role, salt, sizeof salt) == DUET_OK);
        need(duet_channel_open_preset(&end->channel, session, NULL, fd, fd) == DUET_OK);
    }
    end->channel->frame_size = frame_size;
    end->delivered = end->count = 0;
    end->bytes_out = end->bytes_in = 0;
    end->message.left = 0;
    end->dead = end->waits = end->sends = end->closing = end->closed = 0;
}

/** kinds: a bit for each pair, whether its wires are looked at, and another, whether it initiates;
 * sizes: two bits for each, its frames' size. */
static void
begin(uint8_t kinds, uint8_t sizes)
{
    static const uint32_t frame_sizes[4] = {150, 1500, 9000, 16384};
    static duet_config *configs[2]; /* of preset sessions, of those with a handshake */

    for (int i = 0; i < 2 && configs[1] == NULL; i++)
        configs[i] = configure(i);
    wires_begin(kinds & 0x0f);
    wires_in_vain = judge_wait;
    replay = duet_replay_new(ENDS);
    need(replay != NULL);
    for (unsigned n = 0; n < ENDS; n++)
        open_end(n, configs, kinds >> (ENDS / 2 + n / 2) & 1, frame_sizes[sizes >> (n & 6) & 3]);
    source_at = 0;
    budget = BUDGET;
    scarce = 0;
}

/* ---- Sending ---- */

/** The next bytes to send, as many as a script may have. */
static const uint8_t *
take_source(size_t *size)
{
    *size = *size % ROOM < budget ? *size % ROOM : budget;
    budget -= *size;
    if (source_at + *size > SOURCE)
        source_at = 0;
    const uint8_t *at = source + source_at;
    source_at += *size;
    return at;
}

static size_t
number(struct input *in)
{
    size_t high = input_byte(in);

    return high << 8 | input_byte(in);
}

/** Read a job's end; each stands in one job of a call. Returns 0 when it may not have one. */
static int
take_end(struct input *in, unsigned *seen, unsigned *n)
{
    *n = input_byte(in) % ENDS;
    if (*seen >> *n & 1)
        return 0;
    *seen |= 1u << *n;
    return 1;
}

static void
send_many(struct input *in)
{
    duet_job jobs[ENDS];
    unsigned of[ENDS], seen = 0;
    size_t count = 0;

    while (in->left >= 3 && count < ENDS) {
        int has = take_end(in, &seen, &of[count]);
        size_t size = number(in);
        if (!has)
            continue;
        const uint8_t *data = take_source(&size);
        jobs[count] = (duet_job){.channel = ends[of[count]].channel, .data = data, .size = size};
        count++;
    }
    duet_channel_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        judge_send(of[i], jobs[i].send_result, jobs[i].sent, jobs[i].size);
        note_stream(of[i], jobs[i].data, jobs[i].sent);
    }
}

static void
send_one(unsigned n, struct input *in, int timeout_ms)
{
    size_t size = number(in), sent;
    const uint8_t *data = take_source(&size);
    int result = duet_channel_send(ends[n].channel, data, size, &sent, timeout_ms);
    judge_send(n, result, sent, size);
    note_stream(n, data, sent);
}

static void
send_messages(unsigned n, struct input *in)
{
    static duet_message messages[MESSAGES];
    size_t count = 0, sent, before = ends[n ^ 1].count;

    while (in->left >= 3 && count < MESSAGES) {
        uint32_t code = input_byte(in);
        size_t size = number(in);
        const uint8_t *data = take_source(&size);
        messages[count++] = (duet_message){data, size, code};
    }
    int result = duet_channel_send_messages(ends[n].channel, messages, count, &sent, 0);
    need(sent <= count);
    if (sent == count || !batch_stops(n, &messages[sent], result))
        judge_send(n, result, sent, count);
    for (size_t i = 0; i < sent; i++)
        note(n, messages[i].code, messages[i].data, messages[i].size);
    note_ends(n, before);
}

static void
send_message(unsigned n, struct input *in)
{
    struct message message = ends[n].message;
    size_t sent;

    if (message.left == 0) {
        message.code = input_byte(in);
        message.left = number(in);
        message.data = take_source(&message.left);
    }
    int result = duet_channel_send_message(ends[n].channel, message.code, message.data,
                                           message.left, &sent, 0);
    judge_message(n, &message, result, sent);
}

/* ---- Receiving ---- */

/** A receiving call begins. */
static void
arm(void)
{
    wires_no_memory = scarce;
    scarce = 0;
}

static void
recv_many(struct input *in, unsigned slot)
{
    duet_job jobs[ENDS];
    unsigned of[ENDS], seen = 0;
    size_t count = 0;

    while (in->left >= 3 && count < ENDS) {
        int has = take_end(in, &seen, &of[count]);
        size_t size = number(in) % ROOM;
        if (!has)
            continue;
        duet_channel *channel = ends[of[count]].channel;
        jobs[count++] = (duet_job){.channel = channel, .buffer = lend(slot++), .room = size};
    }
    arm();
    duet_channel_many(jobs, count);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *buffer = jobs[i].buffer;
        int some = delivered_stream(of[i], buffer, jobs[i].got);
        check_rest(buffer, jobs[i].got, jobs[i].room);
        judge_recv(of[i], jobs[i].recv_result, some, jobs[i].room);
    }
}

/** all: it waits for as much as it asks for. */
static void
recv_one(unsigned n, struct input *in, unsigned slot, int all, int timeout_ms)
{
    size_t size = number(in) % ROOM, got, least = all ? size : size > 0;
    uint8_t *buffer = lend(slot);

    arm();
    int result = duet_channel_recv(ends[n].channel, buffer, size, &got, least, timeout_ms);
    int some = delivered_stream(n, buffer, got);
    check_rest(buffer, got, size);
    if (all && (result == DUET_SLOW || result == DUET_CLOSED))
        some = 0; /* not all that was asked for */
    judge_recv(n, result, some, size);
}

/** Returns what the call said. */
static int
recv_messages(unsigned n, size_t room, size_t size, unsigned slot)
{
    static duet_message messages[MESSAGES];
    duet_inbox inbox = {lend(slot), size, messages, 1 + room % MESSAGES, 1};
    const uint8_t *at = inbox.buffer;

    arm();
    int result = duet_channel_recv_messages(ends[n].channel, &inbox, 0);
    need(inbox.count <= inbox.room);
    for (size_t i = 0; i < inbox.count; i++) {
        need(messages[i].size == 0 || messages[i].data == at);
        delivered_frame(n, messages[i].code, at, messages[i].size);
        at += messages[i].size;
    }
    check_rest(inbox.buffer, (size_t)(at - (uint8_t *)inbox.buffer), size);
    judge_recv(n, result, inbox.count > 0, size);
    need(result != DUET_OK || inbox.count > 0);
    return result;
}

static void
recv_message(unsigned n, struct input *in, unsigned slot)
{
    size_t size = number(in) % ROOM, got;
    uint8_t *buffer = lend(slot);
    uint32_t code;

    arm();
    int result = duet_channel_recv_message(ends[n].channel, &code, buffer, size, &got, 0);
    int some = delivered_message(n, code, buffer, got, result);
    check_rest(buffer, got, size);
    judge_recv(n, result, some, size);
}

/** Both ways by one call; what it says is of either direction. */
static void
exchange(unsigned n, struct input *in, unsigned slot)
{
    struct end *end = &ends[n];
    size_t size = number(in), room = number(in) % ROOM;
    size_t written = wires[n ^ 1].written;
    duet_exchange_io io = {.data = take_source(&size), .buffer = lend(slot), .room = room};

    io.size = size;
    int result = duet_channel_exchange(end->channel, &io, 0);
    need(io.sent <= size && io.got <= room);
    if (end->channel->result != DUET_OK && !end->dead) {
        wires[n ^ 1].written =
            written; /* it died receiving: what it just sent is lost, all of it */
        end->bytes_out += io.sent;
    } else {
        note_stream(n, io.data, io.sent);
    }
    int some = delivered_stream(n, io.buffer, io.got);
    check_rest(io.buffer, io.got, room);
    end->waits = end->sends = 0;
    if (result == DUET_E_MISUSE && !end->dead)
        need(io.sent == 0 && !some && (end->message.left > 0 || end->closing));
    else if (result != DUET_OK && result != DUET_AGAIN)
        judge_recv(n, result, end->dead && some, room - io.got);
    else
        need(!end->dead && (result != DUET_OK || io.sent == size));
}

/* ---- The script ---- */

/** Bytes come: who waits for what is now whole is woken. */
static void
carry(unsigned n, size_t size)
{
    wires_carry(n, size > 0 ? size : SIZE_MAX);
    need(!ends[n].waits || ends[n].dead || !whole(n) || wires_readable(n));
}

static void
ask(unsigned n, unsigned what)
{
    static const enum duet_request requests[3] = {DUET_ASK_ROTATE, DUET_ASK_PING, DUET_ASK_REFRESH};
    static const uint8_t bytes[DUET_FRESH_SIZE] = {4};
    struct end *end = &ends[n];
    int result;

    if (what % 4 == 3) {
        result = duet_channel_close(end->channel, 0);
        if (end->message.left > 0 && !end->dead) {
            need(result == DUET_E_MISUSE);
            return;
        }
        end->closing = end->channel->send_phase == DUET__SEND_CLOSING;
    } else {
        (void)!duet_session_ask(end->channel->session, requests[what % 4], bytes);
        result = duet_channel_flush(end->channel, 0);
    }
    judge_flush(n, result);
}

/** What the applications call. */
static void
call(enum op op, unsigned n, unsigned more, struct input *in)
{
    size_t room;

    switch (op) {
    case OP_SEND_MANY:
        send_many(in);
        break;
    case OP_RECV_MANY:
        recv_many(in, more);
        break;
    case OP_MESSAGES:
        send_messages(n, in);
        break;
    case OP_INBOX:
        room = number(in);
        recv_messages(n, room, number(in) % ROOM, more);
        break;
    case OP_SEND:
    case OP_WAIT_SEND:
        send_one(n, in, op == OP_SEND ? 0 : TIME);
        break;
    case OP_RECV:
        recv_one(n, in, more, 0, 0);
        break;
    case OP_WAIT_RECV:
        recv_one(n, in, more, more & 1, TIME);
        break;
    case OP_MESSAGE:
        send_message(n, in);
        break;
    case OP_TAKE:
        recv_message(n, in, more);
        break;
    case OP_EXCHANGE:
        exchange(n, in, more);
        break;
    default:
        ask(n, more);
    }
}

/** What happens to the wires, and to memory; or a call. */
static void
run(const struct instruction *i)
{
    struct input in = {i->payload, i->size};
    unsigned n = i->arg % ENDS;
    enum op op = (enum op)(i->op % OPS);
    size_t size;

    switch (op) {
    case OP_CARRY:
        carry(n, number(&in));
        break;
    case OP_DAMAGE:
        size = number(&in);
        wires_damage(n, size, input_byte(&in));
        break;
    case OP_LIMIT:
        size = number(&in);
        wires[n ^ 1].room = size > 0 ? size : SIZE_MAX;
        break;
    case OP_CUT:
        wires[n].cut = 1;
        break;
    case OP_SCARCE:
        scarce = 1;
        break;
    default:
        call(op, n, i->arg / ENDS, &in);
    }
    wires_no_memory = 0;
    note_closes();
}

/** 1 when something may have kept bytes from an end. */
static int
is_hindered(unsigned n)
{
    return wires[n].damage != SIZE_MAX || wires[n].cut || ends[n].dead || ends[n ^ 1].dead;
}

/** Carry and receive until nothing moves: all arrives that nothing stood in the way of. */
static void
finish(void)
{
    size_t moved = 1;

    scarce = 0;
    for (size_t before = 0; before != moved;) {
        before = moved;
        moved = 0;
        for (unsigned n = 0; n < ENDS; n++) {
            wires[n].room = SIZE_MAX;
            judge_flush(n ^ 1, duet_channel_flush(ends[n ^ 1].channel, 0));
            note_closes();
            carry(n, 0);
            while (recv_messages(n, MESSAGES - 1, ROOM, n) == DUET_OK)
                ;
            moved += ends[n].delivered + wires[n].taken;
        }
    }
    for (unsigned n = 0; n < ENDS; n++) {
        const struct record *next = next_of(n);
        int hindered = is_hindered(n);
        need(hindered || next == NULL || next->code == WIRE_CLOSE);
        if (!hindered && !is_hindered(n ^ 1))
            need(ends[n].channel->established);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct instruction i;

    uint8_t kinds = input_byte(&in);
    begin(kinds, input_byte(&in));
    for (int k = 0; k < INSTRUCTIONS && input_instruction(&in, &i); k++)
        run(&i);
    finish();
    for (unsigned n = 0; n < ENDS; n++)
        duet_channel_free(ends[n].channel);
    duet_replay_free(replay);
    return 0;
}
