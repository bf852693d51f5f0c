/*
 * TCP for the examples: connect, listen, accept. Nothing here is duet's; your program has its own.
 *
 * Every function prints a message and returns -1 when it fails.
 */
#ifndef EXAMPLES_TCP_H
#define EXAMPLES_TCP_H

#include <duet/duet.h>
#include <signal.h>

/** Connect to a host. Returns the socket. */
int tcp_connect(const char *host, const char *port);

/** Listen on all addresses. Returns the socket. */
int tcp_listen(const char *port);

/** Wait for the next connection. Returns its socket; -1 without a message after tcp_stopped. */
int tcp_accept(int listener);

/** Let SIGINT and SIGTERM set tcp_stopped and interrupt what waits, so that a server ends by returning
 * from main(), after it has wiped its secret. */
void tcp_stop_on_signals(void);
extern volatile sig_atomic_t tcp_stopped;

/** The words `listen PORT` accept one connection and make this end BOTTOM; `connect HOST PORT` makes it
 * TOP. Returns the socket. */
int tcp_from_words(char **words, enum duet_role *role);

#endif
