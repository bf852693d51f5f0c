/*
 * Two sessions without I/O: bytes in, bytes out, and the program is the wire between them.
 *   sans_io secret.key
 * Your program carries the bytes over what it has: an event loop, a radio, a test. It also brings
 * randomness and the time.
 */
#include <duet/duet.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

struct end {
    const char *name;
    duet_session *session;
    duet_replay *replay;
    uint8_t wire[65536]; /* bytes for the peer */
    size_t wire_size;
    uint8_t payload[4096]; /* of the frame that arrives */
    size_t payload_size;
};

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/** Begin a session with fresh random bytes. */
static int
end_open(struct end *end, const duet_config *config, enum duet_role role)
{
    uint8_t random[DUET_RANDOM_SIZE];
    int result = DUET_E_IO;

    if (getrandom(random, sizeof random, 0) == sizeof random)
        result = duet_session_new(&end->session, config, role, random, now_ms());
    duet_wipe(random, sizeof random);
    /* A listener that shares the cache refuses our first flight when it is sent back to us. */
    if (result == DUET_OK && role == DUET_TOP)
        result = duet_replay_check(end->replay, end->session, now_ms());
    return result;
}

/** Put what the session has to say on the wire: in one write, where there is a real one. */
static int
end_flush(struct end *end)
{
    size_t put = 0;
    int result = duet_session_flush(end->session, end->wire + end->wire_size,
                                    sizeof end->wire - end->wire_size, &put);

    end->wire_size += put;
    return result;
}

static int
end_send(struct end *end, uint32_t code, const char *text)
{
    size_t size = strlen(text);
    int result = DUET_E_ROOM;

    if (end->wire_size + size + DUET_FRAME_OVERHEAD <= sizeof end->wire)
        result = duet_session_send(end->session, end->wire + end->wire_size, code,
                                   (const uint8_t *)text, size);
    if (result == DUET_OK)
        end->wire_size += size + DUET_FRAME_OVERHEAD;
    return result;
}

/** The peer asks for fresh keys: answer with random bytes. */
static int
end_answer(struct end *end)
{
    uint8_t random[DUET_FRESH_SIZE];
    int result = DUET_E_IO;

    if (getrandom(random, sizeof random, 0) == sizeof random)
        result = duet_session_refresh(end->session, random);
    duet_wipe(random, sizeof random);
    return result;
}

/** Do what an event asks for. */
static int
end_event(struct end *end, const duet_step *step)
{
    switch (step->event) {
    case DUET_EVENT_NONCE: /* a replayed first flight ends here */
        return duet_replay_check(end->replay, end->session, now_ms());
    case DUET_EVENT_RANDOM:
        return end_answer(end);
    case DUET_EVENT_READY:
        printf("%s: the peer is authenticated\n", end->name);
        return DUET_OK;
    case DUET_EVENT_FRAME: /* only now the payload counts */
        printf("%s: code %u: %.*s\n", end->name, step->code, (int)end->payload_size,
               (const char *)end->payload);
        end->payload_size = 0;
        return DUET_OK;
    case DUET_EVENT_CLOSE:
        printf("%s: the peer has closed\n", end->name);
        return DUET_OK;
    default:
        return DUET_OK;
    }
}

/** Give an end bytes that came from the wire. */
static int
end_feed(struct end *end, const uint8_t *bytes, size_t size)
{
    int result = DUET_OK;

    while (size > 0 && result == DUET_OK) {
        duet_step step = {.in = bytes,
                          .in_size = size,
                          .out = end->payload + end->payload_size,
                          .out_size = sizeof end->payload - end->payload_size};
        result = duet_session_recv(end->session, &step);
        bytes += step.used;
        size -= step.used;
        end->payload_size += step.put;
        if (result == DUET_OK)
            result = end_event(end, &step);
        if (result == DUET_OK && step.used == 0 && step.event == DUET_EVENT_NONE)
            return DUET_E_ROOM; /* a frame larger than the payload's room; see main() */
    }
    return result;
}

/** Carry bytes both ways until neither end has more to say. */
static int
carry(struct end ends[2])
{
    uint8_t wire[sizeof ends->wire];
    size_t size, moved = 1;
    int result = DUET_OK;

    while (moved > 0 && result == DUET_OK) {
        moved = 0;
        for (int i = 0; i < 2 && result == DUET_OK; i++) {
            result = end_flush(&ends[i]);
            size = ends[i].wire_size;
            memcpy(wire, ends[i].wire, size);
            ends[i].wire_size = 0;
            moved += size;
            if (result == DUET_OK)
                result = end_feed(&ends[!i], wire, size);
        }
    }
    return result;
}

/** A conversation. */
static int
talk(struct end ends[2])
{
    int result = carry(ends); /* the handshake */

    if (result == DUET_OK)
        result = end_send(&ends[DUET_TOP], 1, "hello");
    if (result == DUET_OK)
        result = end_send(&ends[DUET_BOTTOM], 2, "hello yourself");
    if (result == DUET_OK)
        result = duet_session_rekey(ends[DUET_TOP].session);
    if (result == DUET_OK)
        result = carry(ends);
    if (result == DUET_OK)
        result = duet_session_close(ends[DUET_TOP].session);
    if (result == DUET_OK)
        result = duet_session_close(ends[DUET_BOTTOM].session);
    return result == DUET_OK ? carry(ends) : result;
}

int
main(int argc, char **argv)
{
    static struct end ends[2] = {{.name = "top"}, {.name = "bottom"}};
    duet_config *config = NULL;
    duet_where where;
    int result;

    if (argc != 2)
        return fputs("usage: sans_io SECRET\n", stderr), 2;
    if (duet_config_load(&config, argv[1], &where) != DUET_OK)
        return fprintf(stderr, "%s: %s\n", argv[1], where.reason), 1;
    result = DUET_OK;
    for (int i = 0; i < 2; i++) { /* one for each, as they would be two programs */
        ends[i].replay = duet_replay_new(DUET_REPLAY_DEFAULT);
        if (ends[i].replay == NULL)
            result = DUET_E_MEMORY;
    }
    if (result == DUET_OK) /* no frame may be larger than the room for its payload */
        result = duet_config_set(config, DUET_SET_MAX_PAYLOAD, sizeof ends->payload);
    for (enum duet_role role = DUET_TOP; role <= DUET_BOTTOM && result == DUET_OK; role++)
        result = end_open(&ends[role], config, role);
    if (result == DUET_OK)
        result = talk(ends);
    if (result != DUET_OK)
        fprintf(stderr, "sans_io: %s\n", duet_explain(result)->sentence);
    for (int i = 0; i < 2; i++) {
        duet_session_free(ends[i].session); /* wipes the keys */
        duet_replay_free(ends[i].replay);
    }
    duet_wipe(ends, sizeof ends);
    duet_config_free(config); /* wipes the secret */
    return result == DUET_OK ? 0 : 1;
}
