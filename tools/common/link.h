/*
 * The link: a channel to the peer, however it is reached: by connecting, listening, a command's
 * standard streams, or this process's own.
 */
#ifndef DUET_TOOL_LINK_H
#define DUET_TOOL_LINK_H

#include "await_peer.h"
#include "dial.h"
#include "keys.h"
#include "options.h"

#include <duet/duet.h>
#include <sys/types.h>

struct link {
    duet_config *config;
    duet_replay *replay;
    duet_channel *channel;
    enum duet_role role;
    int rfd, wfd;                             /* the channel's; -1: none */
    pid_t child;                              /* of --exec; 0: none */
    uint32_t drain_ms;                        /* how long an unauthenticated peer is read */
    uint32_t linger_least_ms, linger_most_ms; /* the same after a violation */
    struct dialled dialled;                   /* how it was reached, where this end connects */
    uint64_t handshake_us;                    /* what the handshake took; 0: not reached */
    struct key_facts facts;                   /* whom this end trusts, for the names */
    int resumable;           /* 1: after a cut the same command goes on where it was */
    struct await_peer *wait; /* where this end goes on listening for further peers; else NULL */
    int beside;              /* 1: opened beside another link, whose keys it uses */
};

/** Reach the peer, and let both prove themselves. address NULL where the options name no address.
 * Returns an exit code; link_close() in any case. */
int link_open(struct link *link, const struct options *options, const char *address);

/** Open another channel beside one that is open: to the same address, or, where that one came by
 * listening, with the next peer that comes. It uses the keys of the first one, which outlives it.
 * Returns an exit code, link_close() in any case; EXIT_SLOW where no peer came in time. */
int link_open_beside(struct link *link, const struct link *first, const struct options *options,
                     int timeout_ms);

/** Open the channel on rfd and wfd, and let both ends prove themselves. Returns an exit code. */
int link_open_direct(struct link *link, const struct options *options);

/** Where the options allow several streams, link_open() goes on listening until this is called. */
void link_stop_listening(struct link *link);

/** Report what ended the channel; after a violation read in silence for a time that is drawn anew.
 * Returns the exit code. */
int link_fail(struct link *link, int result);

/** As link_fail(), for a channel beside another: reports the cause with -v alone. */
void link_fail_beside(const struct link *link, int result);

/** Read in silence for a drawn time, or until the peer closes. */
void link_linger(const struct link *link);

/** The name of the peer in the peers file, or its public key in room; NULL: it has no identity. */
const char *link_peer_name(const struct link *link, char room[DUET_KEY_TEXT_SIZE]);

/** Print the receipts with -v. */
void link_report_receipts(const struct link *link);

/** Release everything; --exec's command is waited for. */
void link_close(struct link *link);

/** The receipt of a direction in hex; "" when there is none. */
void link_receipt(const struct link *link, char out[2 * DUET_RECEIPT_SIZE + 1],
                  enum duet_role role);

#endif
