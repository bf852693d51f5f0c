/*
 * duet probe: what a censor's prober learns of a listener, or of a client, of one's own.
 *
 * A run has kinds: what is sent, and whether FIN follows. Each kind is tried several times, in
 * random order, so that a busy machine delays all kinds alike. What came of each try is kept, and
 * verdict.c judges it at the end.
 */
#ifndef DUET_PROBE_PROBE_H
#define DUET_PROBE_PROBE_H

#include "options.h"

#include <duet/duet.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_KINDS_MOST = 64, PROBE_NAME = 40, PROBE_FIRST = 8, PROBE_FLIGHT_MOST = 65536 };

/** What the kinds of a group have in common. */
enum probe_group {
    PROBE_NOTHING,  /* nothing is sent: the reference for the times of all others */
    PROBE_NOISE,    /* random bytes */
    PROBE_CUT,      /* a first flight, cut at each length */
    PROBE_FLIPPED,  /* a first flight with one bit changed */
    PROBE_REPLAYED, /* a recorded first flight */
    PROBE_PROTOCOL, /* the opening of another protocol */
    PROBE_LIVE,     /* a bit changed after the handshake */
    PROBE_ANSWER,   /* what a client that dials gets as an answer */
    PROBE_GROUPS
};

struct probe_kind {
    char name[PROBE_NAME];
    enum probe_group group;
    unsigned argument; /* what makes the bytes: a size, or a place in the group's table */
    int fin;           /* 1: FIN follows the bytes */
};

/** How a connection ended. */
enum probe_end {
    PROBE_PENDING, /* not tried */
    PROBE_FAILED,  /* no connection, or no handshake in a live session */
    PROBE_FIN,
    PROBE_RST,
    PROBE_OPEN /* still open when its time was over */
};

/** One connection. */
struct probe_try {
    unsigned kind;
    uint32_t length; /* bytes of the opening */
    enum probe_end end;
    uint32_t back;              /* bytes that came back */
    uint8_t first[PROBE_FIRST]; /* the first of them */
    uint64_t took_us;           /* from its connect, or from what was wrong, to its end */
    uint64_t connect_us;        /* what the connect took */
};

struct probe {
    const char *address;
    struct probe_kind kinds[PROBE_KINDS_MOST];
    unsigned kind_count;
    struct probe_try *tries; /* owned; those of live sessions come last */
    size_t try_count, try_room, live_first;
    unsigned times;    /* tries of each kind */
    unsigned parallel; /* connections at a time */
    int timeout_ms;    /* of each connection */
    uint8_t *flight;   /* owned: the recorded first flight; NULL: none */
    size_t flight_size;
    duet_config *config;   /* of the key; NULL: none */
    int is_client;         /* 1: a client is tried, which dials */
    const char *command;   /* it is started so; NULL: it dials by itself */
    unsigned failed_early; /* commands that ended without a connection */
};

/* ---- kinds.c: what is tried ---- */

/** Plan all tries, in random order. Returns an exit code. */
int probe_plan(struct probe *probe);

/** Make the bytes of a try, to be freed, and note their number. NULL: no memory. */
uint8_t *probe_opening(struct probe *probe, struct probe_try *try);

/** A random number below limit. */
uint32_t probe_draw(uint32_t limit);

/* ---- live.c: sessions by the key ---- */

/** Make a first flight that the key's holder would send, to be freed. NULL: failure. */
uint8_t *live_flight(const duet_config *config, size_t *size);

struct live;

/** Begin a session on a connected socket. NULL: failure. */
struct live *live_new(const duet_config *config, int fd);
void live_free(struct live *live);

/** Go on with the handshake. Returns DUET_OK when it is done, DUET_AGAIN, or a failure. */
int live_step(struct live *live);

/** Make frames of which one is changed, to be freed. argument: a place in the table of
 * changes. NULL: failure. */
uint8_t *live_bend(struct live *live, unsigned argument, size_t *size);

/** The name of a change; NULL: there is none at this place. */
const char *live_bend_name(unsigned argument);

/* ---- capture.c ---- */

/** Read a first flight from a pcap file, or from a file that holds nothing else. Returns an exit
 * code. */
int capture_read(struct probe *probe, const char *path);

/* ---- knock.c, dialling.c: the connections ---- */

/** Make all tries at a listener. Returns an exit code. */
int probe_listener(struct probe *probe);

/** Make all tries at a client: listen, and answer. Returns an exit code. */
int probe_client(struct probe *probe);

/* ---- verdict.c ---- */

enum probe_finding { FIND_ANSWER, FIND_REPLAY, FIND_RESET, FIND_TELLS, FIND_CONSTANT, FINDINGS };

struct probe_verdict {
    char *text[FINDINGS]; /* owned: what was found; NULL: nothing */
    char *note;           /* owned: what could not be judged, or is good to know; NULL */
    int unjudged;         /* 1: no close was seen, or a kind was never tried */
};

/** Judge what came of the tries. Returns an exit code: that of the first finding. */
int probe_judge(const struct probe *probe, struct probe_verdict *verdict);
void probe_verdict_free(struct probe_verdict *verdict);

/** What came of one kind. */
struct probe_sum {
    unsigned tries, failed, answered, fin, rst, open;
    uint64_t back;
    const uint8_t *first;              /* of an answer; NULL: none */
    double median_ms, low_ms, high_ms; /* of the closes: the middle, a tenth, nine tenths */
};
/** Returns 0, or -1: no memory. */
int probe_sum_up(const struct probe *probe, unsigned kind, struct probe_sum *sum);

/* ---- report.c ---- */

extern const char *const probe_finding_names[FINDINGS];

/** Print a table and the verdict. Returns code, or the code of a failure to print. */
int probe_report(const struct probe *probe, const struct probe_verdict *verdict, int code,
                 unsigned json);

#endif
