/*
 * What the admin parts see of a process of the service, and may ask of it. They know nothing of
 * tunnels and connections beyond this, so that they can be tested without.
 */
#ifndef DUET_TUNNEL_VIEW_H
#define DUET_TUNNEL_VIEW_H

#include "counters.h"
#include "request.h"
#include "settings.h"
#include "sockets.h"

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

/** What a flow of UDP has carried: from the peer, to it, lost on the way, and waiting for it. */
struct session_datagrams {
    uint64_t in, out, dropped, queued;
};

/** One connection, as a row of `duet ctl sessions`. Valid during the call that hands it out. */
struct session_row {
    uint64_t id;
    const char *tunnel;
    const char *state;           /* connection_state_name() */
    const struct sockaddr *from; /* NULL: this end dialled, for nobody yet */
    const char *target;          /* NULL: not chosen yet */
    const uint8_t *secret_id;    /* DUET_SECRET_ID_SIZE bytes; NULL: not known yet */
    const uint8_t *peer_key;     /* DUET_KEY_SIZE bytes; NULL: none */
    int is_hybrid;               /* 1: ML-KEM-768 beside X25519 */
    uint64_t refreshes;          /* DH ratchet steps so far */
    uint64_t bytes_in, bytes_out;
    uint64_t age_ms, idle_ms;
    const struct session_datagrams *datagrams; /* NULL: it carries bytes */
};

typedef void session_printer(const struct session_row *row, void *out);

typedef void bound_printer(const char *address, void *out);

struct admin_view {
    uv_loop_t *loop;
    const struct settings *settings;       /* current */
    const struct sockets *sockets;         /* that this process listens on */
    const struct worker_counters *counted; /* of all workers */
    unsigned worker, workers;              /* this process's number, and how many there are */
    pid_t supervisor;                      /* 0: there is none */
    int draining;
    int takes_over; /* 1: the control sockets of the process before are replaced */

    void *service; /* the argument of these: */
    void (*each_session)(void *service, session_printer *print, void *out);
    /* End the connections that are meant; returns how many. */
    unsigned (*kill)(void *service, const struct kill_request *kill);
    int (*reload)(void *service); /* an exit code, the cause logged */
    /* Call print for each address that a tunnel listens on, as it is bound; NULL: none is known. */
    void (*each_bound)(void *service, const struct tunnel_settings *tunnel, bound_printer *print,
                       void *out);
};

#endif
