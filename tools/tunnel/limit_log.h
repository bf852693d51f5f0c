/*
 * Reports that a tunnel's limits are reached: a line in the log once a minute, with how often, and
 * numbers for the metrics and `duet ctl`.
 */
#ifndef DUET_TUNNEL_LIMIT_LOG_H
#define DUET_TUNNEL_LIMIT_LOG_H

#include "counters.h"

#include <stdint.h>

struct tunnel;
struct service;

/** What was logged of one limit. All zero at first. */
struct limit_log {
    uint64_t logged_ms; /* the last line; 0: none */
    unsigned since;     /* how often it was reached after that */
};

/** A limit of a tunnel is reached. */
void limit_reached(struct tunnel *tunnel, enum limit_kind kind);

/** 1 when a connection that has not authenticated may be logged; others that were left out are
 * logged first, as a number. */
int limit_may_log(struct service *service);

/** Log those that were left out last; the service ends. */
void limit_log_rest(struct service *service);

#endif
