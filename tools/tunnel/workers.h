/*
 * Several processes that serve the same tunnels, and the one that watches over them.
 *
 * The workers share the replay cache and the counters, made before they are. Each has a socket
 * of its own for each port (SO_REUSEPORT), held open by the supervisor too, so what waits in one
 * outlives its worker.
 */
#ifndef DUET_TUNNEL_WORKERS_H
#define DUET_TUNNEL_WORKERS_H

struct service;

/** Open the sockets, drop privileges, and serve by the service's number of workers until told to
 * end. In a worker it returns too. Returns an exit code. */
int workers_run(struct service *service);

#endif
