/*
 * Where a value that secrets made is told: an outcome, or what a verified frame says of itself.
 *
 * Costs nothing. tests/ct/ builds with DUET_CT, keeps secrets as undefined memory and is told by
 * this which values may be branched on; any other branch or index that a secret decides is a fault.
 */
#ifndef DUET_BASE_PUBLIC_H
#define DUET_BASE_PUBLIC_H

#ifdef DUET_CT
#include <stddef.h>

/** Defined by the test: the size bytes at p are public from here on. */
void duet__ct_public(const void *p, size_t size);
#define DUET__PUBLIC(p, size) duet__ct_public((p), (size))
#else
#define DUET__PUBLIC(p, size) ((void)(p), (void)(size))
#endif

#endif
