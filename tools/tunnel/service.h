/*
 * The service: one process that serves all tunnels on one loop, and what may be asked of it.
 *
 * What the control socket and the metrics are made of is here; how connections live is in
 * connection.h, what the processes of one service share is in workers.h.
 */
#ifndef DUET_TUNNEL_SERVICE_H
#define DUET_TUNNEL_SERVICE_H

#include "counters.h"
#include "settings.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

struct service;

/** One connection, told. Valid during the call that tells it. */
struct service_session {
    uint64_t id;
    const char *tunnel;
    const char *state; /* "handshake", "dialling", "open", "ending" */
    const struct sockaddr_storage *from;
    const char *target;       /* NULL: not chosen yet */
    const uint8_t *secret_id; /* DUET_SECRET_ID_SIZE bytes; NULL: not known yet */
    const uint8_t *peer_key;  /* DUET_KEY_SIZE bytes; NULL: none */
    uint64_t bytes_in, bytes_out;
    uint64_t age_ms, idle_ms;
};

/** Serve until SIGTERM or SIGINT, with as many processes as the settings say. Owns the settings.
 * Returns an exit code. */
int service_run(struct settings *settings);

/** Tell each connection. */
void service_each(struct service *service,
                  void (*tell)(const struct service_session *session, void *context),
                  void *context);

/** End a connection as a cut. Returns 0, or -1: there is none of this id. */
int service_kill(struct service *service, uint64_t id);

/** Read configuration and keys anew; on any error the old stay. Returns an exit code; the cause is
 * told. */
int service_reload(struct service *service);

/** Accept nothing more, and end when the open connections have, or their time is over. */
void service_drain(struct service *service);

/** 1 once it drains. */
int service_draining(const struct service *service);

const struct settings *service_settings(const struct service *service);
uv_loop_t *service_loop(struct service *service);

/** This process's number among the workers, and how many there are (1 without). */
unsigned service_worker(const struct service *service);
unsigned service_workers(const struct service *service);

/** The supervisor's process, whether or not it still lives; 0: this process has none. */
pid_t service_supervisor(const struct service *service);

/** What a worker counted; row 0 to TUNNEL_ROWS - 1. NULL: no such worker or row. */
const struct counters *service_counters(const struct service *service, unsigned worker, size_t row);
const struct process_counters *service_process(const struct service *service, unsigned worker);

#endif
