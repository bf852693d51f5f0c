/*
 * What this system has beyond POSIX.1-2008, one macro a feature: the only list of it.
 *
 * Each macro stands for a branch in src/os that has another branch beside it, made of what every
 * POSIX system has. DUET_PORTABLE (CMake's option of that name) switches all of them off, so that
 * the other branches, which macOS and the BSDs run, are compiled and tested on Linux.
 */
#ifndef DUET_OS_FEATURES_H
#define DUET_OS_FEATURES_H

#if defined(__linux__) && !defined(DUET_PORTABLE)
#define DUET__OS_LINUX         1 /* prctl, renameat2, MADV_WIPEONFORK, SO_PEERCRED, MSG_TRUNC */
#define DUET__OS_ATOMIC_FLAGS  1 /* accept4, pipe2, SOCK_CLOEXEC, SOCK_NONBLOCK */
#define DUET__OS_ROBUST_MUTEX  1 /* a mutex that survives the death of its holder */
#define DUET__OS_SECURE_GETENV 1 /* getenv() that gives nothing to a setuid program */
#define DUET__OS_GETENTROPY    1 /* in <sys/random.h> */
#define DUET__OS_MSG_NOSIGNAL  1 /* send() without SIGPIPE */
#define DUET__OS_EVENTFD       1 /* a descriptor that is both ends of a wake-up */
#define DUET__OS_MPTCP         1 /* IPPROTO_MPTCP, which a kernel may lack */
#define DUET__OS_PKTINFO       1 /* which of its addresses a datagram was sent to */
#include <sys/uio.h>
#ifdef RWF_NOWAIT
#define DUET__OS_NOWAIT 1 /* preadv2() and pwritev2(), which do not block whatever the mode */
#endif
#endif

#if (defined(__APPLE__) || defined(__FreeBSD__)) && !defined(DUET_PORTABLE)
#define DUET__OS_GETENTROPY 1 /* in <sys/random.h>; not more than 256 bytes at a time */
#endif

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__)
#define DUET__OS_GETPEEREID 1 /* who is at the other end of a Unix socket */
#endif

#endif
