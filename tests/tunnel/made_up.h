/*
 * A service that is made up, of two workers and one connection, for what asks a service: this one
 * answers to service_*() without any tunnel behind it.
 */
#ifndef TESTS_TUNNEL_MADE_UP_H
#define TESTS_TUNNEL_MADE_UP_H

#include "service.h"

#include <signal.h>

extern struct service *const made_up_service;
extern uv_loop_t *const made_up_loop;
extern int made_up_alone;                     /* 1: it has one worker only */
extern int made_up_orphaned;                  /* 1: its supervisor is no more */
extern volatile sig_atomic_t made_up_signals; /* that came; it drains with the first */

/** Make it anew; its loop is the caller's to begin. */
void made_up(void);

#endif
