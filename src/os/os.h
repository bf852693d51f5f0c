/*
 * The system: randomness, clocks, descriptors, shared memory and the notice of a fork.
 *
 * The only folder that knows one system from another. Nothing here knows frames or sessions. A call
 * that fails leaves the system's reason in errno.
 */
#ifndef DUET_OS_OS_H
#define DUET_OS_OS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/** Fill out with size random bytes. Returns 0, or -1 when the system has none. */
int duet__os_random(uint8_t *out, size_t size);

/** Milliseconds of a clock that never goes back, alike in all processes of the machine. */
uint64_t duet__os_now_ms(void);

/** Microseconds of the same clock. */
uint64_t duet__os_now_us(void);

/** Unix milliseconds. */
uint64_t duet__os_unix_ms(void);

/* ---- Descriptors ---- */

/** What a descriptor needs so that no call on it ever waits. */
enum duet__os_kind {
    DUET__OS_SOCKET,  /**< each call says for itself that it will not wait */
    DUET__OS_TCP,     /**< a socket on which one can look without taking (Linux) */
    DUET__OS_POLLED,  /**< O_NONBLOCK is set: a plain call does not wait */
    DUET__OS_BLOCKING /**< ask poll() first, and write little */
};

/** 1 when fd is a socket of kind DUET__OS_TCP. */
int duet__os_is_tcp(int fd);

/** The result that stands for a failed call's errno. */
int duet__os_judge(int reason);

/** Find a descriptor's kind. Returns 0, or -1 (not a descriptor). */
int duet__os_kind(enum duet__os_kind *kind, int fd);

/** A piece of memory to read into. */
struct duet__os_piece {
    uint8_t *at;
    size_t size; /* bytes */
};

enum { DUET__OS_PIECES = 2 }; /* the most that one call takes */

/**
 * Read into the pieces, one after the other, without waiting. count: 1 or 2; not all of size 0.
 * Returns DUET_OK with *got bytes; DUET_AGAIN; DUET_CLOSED at the end of the stream;
 * DUET_E_TRUNCATED when the connection is lost; DUET_E_IO.
 */
int duet__os_read(int fd, enum duet__os_kind kind, const struct duet__os_piece *pieces,
                  unsigned count, size_t *got);

/* ---- A TCP socket's buffer, looked at before it is taken; elsewhere than on Linux DUET_E_IO ----
 */

/**
 * Look at up to size bytes, which stay where they are; at NULL: only count them. patient: 1: wait
 * for the first of them where the socket is in blocking mode. Returns as duet__os_read().
 */
int duet__os_look(int fd, int patient, uint8_t *at, size_t size, size_t *got);

/** Remove size bytes that were looked at. Returns DUET_OK when all are gone, or a failure. */
int duet__os_drop(int fd, size_t size);

/** Have poll() tell of input only from size bytes on (1: as usual). Returns 0; -1: the system will
 * not hold so many for sure. */
int duet__os_low_water(int fd, size_t size);

/** 1 when poll() says that fd can be read, has ended or has failed. */
int duet__os_readable(int fd);

/**
 * Write 1 to size bytes without waiting and without SIGPIPE.
 * Returns DUET_OK with *put bytes; DUET_AGAIN; DUET_E_TRUNCATED when nobody reads any more;
 * DUET_E_IO.
 */
int duet__os_write(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size, size_t *put);

enum { DUET__OS_READ = 1, DUET__OS_WRITE = 2 };

/**
 * Wait until rfd can be read or wfd written, as the set `want` says; timeout_ms negative: for ever.
 * May come back early (a signal). Returns 0, or -1.
 */
int duet__os_wait(int rfd, int wfd, unsigned want, int timeout_ms);

/** Say the system's reason, of errno's kind, in a sentence of at most cap bytes, NUL included. */
void duet__os_reason(char *out, size_t cap, int reason);

/* ---- Files ---- */

/** Rename a file within a folder, unless the new name is taken (errno EEXIST). Returns 0, or -1. */
int duet__os_rename_new(int folder, const char *from, const char *to);

/* ---- Memory that forked processes share ---- */

/** Zeroed memory of size bytes, shared with every process forked from now on. NULL: none. */
void *duet__os_shared_new(size_t size);
void duet__os_shared_free(void *memory, size_t size);

/** A lock that lives in shared memory and survives the death of its holder. */
struct duet__os_lock {
    pthread_mutex_t mutex;
};

int duet__os_lock_init(struct duet__os_lock *lock); /**< 0 or -1 */

/** Take it. Returns 0; 1: taken, but its last holder died with it, so mend what it guards; -1. */
int duet__os_lock(struct duet__os_lock *lock);
void duet__os_unlock(struct duet__os_lock *lock);

/* ---- The process ---- */

/** Leave no core dump, and let no debugger of the same user look in. Returns 0, or -1. */
int duet__os_no_dumps(void);

/* ---- Forks ---- */

/** A number that is another one in every forked child; no system call but in the first use. */
uint32_t duet__os_process(void);

#endif
