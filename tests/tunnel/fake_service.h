/*
 * A fake service of two workers and one connection, for the tests of the admin parts:
 * their view of a service, without any tunnel.
 */
#ifndef TESTS_TUNNEL_FAKE_SERVICE_H
#define TESTS_TUNNEL_FAKE_SERVICE_H

#include "view.h"

#include <signal.h>

extern struct admin_view fake_view;
extern int fake_alone;                     /* 1: it has one worker only */
extern int fake_orphaned;                  /* 1: its supervisor is gone */
extern volatile sig_atomic_t fake_signals; /* that came; the test's handler counts them */

/** Make it anew; its loop is the caller's to begin. */
void fake_service_reset(void);

#endif
