/*
 * A service that is made up, of two workers and one connection, for what asks a service: this one
 * answers to service_*() without any tunnel behind it.
 */
#ifndef TESTS_TUNNEL_FAKE_SERVICE_H
#define TESTS_TUNNEL_FAKE_SERVICE_H

#include "service.h"

#include <signal.h>

extern struct service *const fake_service;
extern uv_loop_t *const fake_loop;
extern int fake_alone;                     /* 1: it has one worker only */
extern int fake_orphaned;                  /* 1: its supervisor is no more */
extern volatile sig_atomic_t fake_signals; /* that came; it drains with the first */

/** Make it anew; its loop is the caller's to begin. */
void fake_service_reset(void);

#endif
