/*
 * The block in which duet_channel_recv_all() gathers a message.
 * Shared by gather.c, which keeps it, and recv_all.c, which fills it and hands it out.
 */
#ifndef DUET_CHANNEL_GATHER_H
#define DUET_CHANNEL_GATHER_H

#include <stddef.h>
#include <stdint.h>

/** A message in the making. */
struct duet__gather {
    uint8_t *bytes; /* NULL: none yet */
    size_t size, room;
    size_t at; /* how far duet_channel_recv_message() has handed it out */
    int done;  /* 1: the caller has it */
    int full;  /* 1: the rest would be beyond `most` */
};

#endif
