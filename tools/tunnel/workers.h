/*
 * Several processes that serve the same tunnels, and the supervisor that restarts those that die.
 *
 * The workers share the replay cache and the counters, made before them. Each has a socket of its
 * own for each port (SO_REUSEPORT), which the supervisor keeps open too, so that what waits in it
 * is served by the next worker if this one dies.
 */
#ifndef DUET_TUNNEL_WORKERS_H
#define DUET_TUNNEL_WORKERS_H

struct service;

/** Open the sockets, give up root, and serve with the service's number of workers until asked to
 * end. It returns in each worker too. Returns an exit code. */
int workers_run(struct service *service);

#endif
