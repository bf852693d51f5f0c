/*
 * Marks where a value that was computed from secrets becomes public: a result, or a field of a
 * verified frame.
 *
 * This is how side channels are found: code runs in constant time but where this marks the values.
 * Costs nothing. tests/ct/ builds with DUET_CT and keeps secrets as undefined memory; this marks
 * the values that may be branched on, and any other branch or index that depends on a secret is
 * reported.
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
