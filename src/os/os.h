/*
 * The operating system: randomness, clocks, descriptors, shared memory and the detection of a fork.
 *
 * The only folder with an #ifdef for a system (features.h). Nothing here knows frames or sessions.
 * A call that fails leaves the system's reason in errno. Sockets are made in socket.h.
 */
#ifndef DUET_OS_OS_H
#define DUET_OS_OS_H

#include "os/features.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/** Fill out with size random bytes. Returns 0, or -1 when the system has none. */
int duet__os_random(uint8_t *out, size_t size);

/** Milliseconds of the monotonic clock, the same in all processes of the machine. */
uint64_t duet__os_now_ms(void);

/** The same to some milliseconds, for less: never a system call. */
uint64_t duet__os_coarse_ms(void);

/** Microseconds of the same clock. */
uint64_t duet__os_now_us(void);

/** Unix milliseconds. */
uint64_t duet__os_unix_ms(void);

/* ---- Descriptors ---- */

/** What a call on a descriptor needs so that it never blocks. O_NONBLOCK does not count: another
 * process may have the same open file, and change it at any time. */
enum duet__os_kind {
    DUET__OS_SOCKET, /**< each call is made with MSG_DONTWAIT */
    DUET__OS_TCP,    /**< the same, and received bytes can be peeked at (Linux) */
    DUET__OS_PIPE,   /**< each call is made with RWF_NOWAIT, where the system has it */
    DUET__OS_TTY,    /**< poll() first, and write a byte at a time */
    DUET__OS_OTHER   /**< poll() first, and write little: a named pipe, a device, a file */
};

/** 1 when fd is a socket of kind DUET__OS_TCP. */
int duet__os_is_tcp(int fd);

/** The result that stands for a failed call's errno. */
int duet__os_result(int reason);

/** Find out a descriptor's kind. Returns 0, or -1 (not a descriptor). */
int duet__os_kind(enum duet__os_kind *kind, int fd);

/** 1 when a stream of bytes can be read from fd (write 0) or written to it (write 1). It cannot
 * where fd is a datagram or listening socket, a folder, a block device, or open for the other
 * direction alone. A regular file counts only where file is 1. */
int duet__os_carries_stream(int fd, int write, int file);

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

/* ---- Peeking at a TCP socket's receive buffer (Linux; DUET_E_IO elsewhere) ---- */

/**
 * Peek at up to size bytes, which stay in the socket; at NULL: only count them. patient 1: wait for
 * the first of them if the socket is in blocking mode. Returns as duet__os_read(); DUET_AGAIN with
 * errno EINTR when a signal ended it.
 */
int duet__os_peek(int fd, int patient, uint8_t *at, size_t size, size_t *got);

/** Remove the size bytes that were peeked at and lie at `at`, which stays as it is. Returns DUET_OK
 * when all are gone, or a failure. */
int duet__os_drop(int fd, uint8_t *at, size_t size);

/** Make poll() report input only when size bytes are there (1: the usual). Returns 0; -1 when the
 * socket's buffer may be too small for that. */
int duet__os_low_water(int fd, size_t size);

/** Let a patient peek wait for a short time only, so that a program can end it (0: as before).
 * Returns 0; -1 when the application has set a time of its own. */
int duet__os_limit_peeks(int fd, int on);

/** 1 when poll() says that fd has input, has ended or has failed. */
int duet__os_readable(int fd);

/**
 * Write 1 to size bytes without blocking and without SIGPIPE.
 * Returns DUET_OK with *put bytes (fewer than size: the next call would block); DUET_AGAIN;
 * DUET_E_TRUNCATED when the connection is lost; DUET_E_IO.
 */
int duet__os_write(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size, size_t *put);

enum { DUET__OS_READ = 1, DUET__OS_WRITE = 2 };

/**
 * Wait until rfd can be read or wfd written, whichever the set `want` names, or `woken` (-1: none)
 * can be read; timeout_ms negative: without limit. Returns 0; 1 when a signal ended the wait; -1.
 */
int duet__os_wait(int rfd, int wfd, int woken, unsigned want, int timeout_ms);

/** Make a pair of ends with which a signal handler or another thread ends a wait: [0] to wait for,
 * [1] to write to. On Linux the two are one descriptor. Returns 0, or -1. */
int duet__os_wake_new(int ends[2]);

/** End every wait for the other end, now and later. Async-signal-safe. */
void duet__os_wake(int end);

void duet__os_wake_free(const int ends[2]);

/** Write the text of an errno value to out: at most cap bytes, NUL included. */
void duet__os_reason(char *out, size_t cap, int reason);

/* ---- Files ---- */

/** 1 when a file of this user id may be anybody's: the id stands for all users that the process's
 * user namespace (a container without root) does not have. */
int duet__os_owner_hidden(unsigned long owner);

/** Rename a file within a folder; errno EEXIST when the new name is taken. Returns 0, or -1. */
int duet__os_rename_new(int folder, const char *from, const char *to);

/** Put all that was written to fd's file system on the disk. Returns 0, or -1. */
int duet__os_sync_all(int fd);

/** Begin to put a range of a file on the disk, without waiting for it. */
void duet__os_write_out(int fd, uint64_t at, uint64_t size);

/** A file's extended attributes, each name size(2) ‖ name ‖ value size(2) ‖ value, big-endian. What
 * has no room or may not be read is left out. Returns the bytes written. */
size_t duet__os_attributes(int fd, uint8_t *out, size_t cap);

/** Set one. Returns 0, or -1. */
int duet__os_set_attribute(int fd, const char *name, const void *value, size_t size);

/* ---- Memory that forked processes share ---- */

/** Zeroed memory of size bytes, shared with every process forked from now on. NULL: none. */
void *duet__os_shared_new(size_t size);
void duet__os_shared_free(void *memory, size_t size);

/** Let the next duet__os_shared_new() of this thread use memory behind a descriptor, by which a
 * program that is executed can have the same memory. *fd, valid until then: -1, and the memory
 * is new and *fd its descriptor, or still -1 where the system has no such thing; or a
 * descriptor, whose memory is mapped as it is, and nothing is returned where its size is
 * another. NULL: takes it back. */
void duet__os_shared_behind(int *fd);

/** A lock in shared memory that survives the death of its holder. */
struct duet__os_lock {
#ifdef DUET__OS_ROBUST_MUTEX
    pthread_mutex_t mutex;
#else
    _Atomic uint32_t holder; /* its process id; 0: free */
#endif
};

int duet__os_lock_init(struct duet__os_lock *lock); /**< 0 or -1 */

/** Take the lock. Returns 0; 1: taken, but the last holder died holding it, so what the lock guards
 * must be repaired; -1. */
int duet__os_lock(struct duet__os_lock *lock);
void duet__os_unlock(struct duet__os_lock *lock);

/* ---- The process ---- */

/** Allow no core dump and (Linux) no debugger of the same user. Returns 0, or -1. */
int duet__os_no_dumps(void);

/** Memory for a long-term secret, zeroed, in pages of its own: locked, so not swapped out, and in
 * no core dump, both where the system allows it. NULL without memory. */
void *duet__os_locked_new(size_t size);

/** Lock it in the child of a fork, which inherits no lock. size: as it was made. */
void duet__os_locked_again(void *pages, size_t size);

/** Wipe and free it; NULL: nothing. size: as it was made. */
void duet__os_locked_free(void *pages, size_t size);

/* ---- Forks ---- */

/** A number that differs between a process and its forked children. Only the first call makes
 * system calls. */
uint32_t duet__os_process(void);

#endif
