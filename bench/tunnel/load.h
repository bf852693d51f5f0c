/*
 * What the parts of duet-load share: addresses, an epoll loop, content that both ends can verify,
 * and a connection to an echo service.
 *
 * One thread, so that a program with many connections does not measure its own locking.
 */
#ifndef BENCH_TUNNEL_LOAD_H
#define BENCH_TUNNEL_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    LOAD_HEADER = 16,        /* bytes that open each connection: a mode, and a number */
    LOAD_BUFFER = 256 << 10, /* bytes that are read or written at a time */
    LOAD_MARK = 1 << 20      /* bytes after which a sink answers with one */
};

/** What a connection requests of the service. */
enum load_mode {
    LOAD_ECHO = 'e', /* what comes goes back */
    LOAD_SINK = 's', /* a byte comes back for each LOAD_MARK */
    LOAD_CHECK =
        'c', /* content is verified; the answer at the end is its size, which the header announced */
};

/* ---- net.c ---- */

struct load_address {
    struct sockaddr_storage bytes;
    socklen_t size;
};

/** "127.0.0.1:4000" or "unix:/path". Returns 0, or -1. */
int load_address(struct load_address *address, const char *text);

/** A socket that does not block, listening. Returns it, or -1. */
int load_listen(const struct load_address *address);

/** A socket that does not block, connecting. Returns it, or -1. */
int load_connect(const struct load_address *address);

/** A descriptor that the loop watches; the first member of what owns it. */
struct load_source {
    int fd;
    void (*ready)(struct load_source *source);
};

/** Open the loop. Returns 0, or -1. */
int load_loop(void);

/** Watch for reading, and for writing where it is wanted. Returns 0, or -1. */
int load_watch(struct load_source *source, int reading, int writing);

/** End watching, and close. Returns at once when it is closed. */
void load_close(struct load_source *source);

/** Wait for at most so long and call the owners of descriptors that are ready. Returns 0, or -1. */
int load_turn(int ms);

/** Nanoseconds of the monotonic clock. */
uint64_t load_now(void);

/* ---- content.c ---- */

/** Bytes at a place of the content, of which *size (LOAD_BUFFER at most) lie behind each other. */
const uint8_t *load_content(uint64_t place, size_t size);

/** The header that opens a connection. */
void load_header(uint8_t header[LOAD_HEADER], enum load_mode mode, uint64_t number);

/** Returns the mode; *number is the header's. */
unsigned load_header_read(const uint8_t header[LOAD_HEADER], uint64_t *number);

/* ---- exchange.c ---- */

enum load_outcome {
    LOAD_DONE,    /* all came back */
    LOAD_REFUSED, /* no connection */
    LOAD_CUT,     /* it ended before */
    LOAD_WRONG    /* something else came back */
};

/** A connection to an echo, and its request under way. */
struct load_exchange {
    struct load_source source;
    void (*done)(struct load_exchange *exchange, enum load_outcome outcome);
    int connected, writing; /* is; is watched for */
    size_t header_left;
    size_t size, sent, got; /* of the request */
    uint64_t place;         /* of its content */
    uint64_t since;         /* load_now() at its start */
};

/** Connect; done is called for each request. Returns 0, or -1. */
int load_exchange_open(struct load_exchange *exchange, const struct load_address *address);

/** Ask: so many bytes of content. done comes from load_turn(), never from here. */
void load_exchange_ask(struct load_exchange *exchange, uint64_t place, size_t size);

/* ---- What duet-load does: each a subcommand, with its operands; returns an exit code ---- */

struct load_task {
    struct load_address address;
    unsigned count; /* connections */
    size_t bytes;   /* of a request or a stream */
    unsigned trips; /* requests on a connection, then another is made; 0: no end */
    double seconds;
};

int load_serve(const struct load_task *task);
int load_bulk(const struct load_task *task);
int load_upload(const struct load_task *task);
int load_rate(const struct load_task *task);
int load_latency(const struct load_task *task);
int load_hold(const struct load_task *task);
int load_steady(const struct load_task *task);

#endif
