/*
 * What a listener on the wire sees: sessions of any pattern with fresh randomness, flight by
 * flight.
 */
#ifndef TESTS_WIRE_FLIGHTS_H
#define TESTS_WIRE_FLIGHTS_H

#include "support/pair.h"

/** Called with each flight of a session, in order; from: its sender. */
typedef void (*flights_seen)(void *context, enum duet_role from, const uint8_t *bytes, size_t size);

/** One session of a pattern: initiation, a frame of zeros each way, and both CLOSEs. The first call
 * of a pattern makes the configurations that the next ones use. */
void flights_session(enum duet_pattern pattern, flights_seen seen, void *context);

/** The wire of one direction that carries zeros, size bytes of it at least. */
void flights_stream(size_t size, flights_seen seen, void *context);

#endif
