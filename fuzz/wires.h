/*
 * Wires in memory, which replace src/os/descriptor.c and tcp.c, so that a target decides the result
 * of each read, peek and write of a channel; reproducible random bytes and time; and an allocation
 * that fails on demand.
 *
 * A descriptor is a number below WIRES: what is written to n arrives at n ^ 1, as far as the script
 * carried it.
 */
#ifndef FUZZ_WIRES_H
#define FUZZ_WIRES_H

#include <stddef.h>
#include <stdint.h>

enum { WIRES = 8 };

/** What was written towards one end; offsets count from the wire's beginning. */
struct wire {
    size_t written, carried, taken; /* taken <= carried <= written, in bytes */
    size_t room;                    /* bytes that may still be written now */
    size_t mark;                    /* bytes from which poll() reports input */
    size_t holds;                   /* bytes that a mark may ask for at most */
    size_t damage;                  /* where the first changed byte lies; SIZE_MAX: nowhere */
    int tcp;                        /* 1: its bytes can be peeked at */
    int cut;                        /* 1: the stream ends after what was carried */
};

extern struct wire wires[WIRES]; /* [n]: what comes in at end n */
extern int wires_no_memory;      /* 1: the library's next allocation fails, and this becomes 2 */

/** Called when a call at an end has waited for input and poll() reported none. */
extern void (*wires_in_vain)(unsigned end);

/** All as new; tcp: a bit for each pair of ends. */
void wires_begin(unsigned tcp);

/** Carry at most n bytes towards an end. */
void wires_carry(unsigned end, size_t n);

/** Change a byte that the end has not taken, the one `ahead` behind the next; the first that was
 * changed stays so. */
void wires_damage(unsigned end, size_t ahead, uint8_t mask);

/** What poll() would say. */
int wires_readable(unsigned end);

void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);

#endif
