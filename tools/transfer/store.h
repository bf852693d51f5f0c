/*
 * Where what is received goes: safe names below one folder, unfinished files that are renamed when
 * whole, and nothing that is overwritten unless asked.
 */
#ifndef DUET_TOOL_STORE_H
#define DUET_TOOL_STORE_H

#include "protocol.h"

#include <limits.h>

/** What an unfinished file's name ends with: nothing that another program gives a file, and no name
 * that is offered may end so, or a file that is there would be taken for an unfinished one. */
#define STORE_PART ".duet-part"

enum store_state {
    STORE_IDLE,
    STORE_WRITE,   /* content goes to the unfinished file, or to standard output */
    STORE_COMPARE, /* content is compared with a file that is there already */
    STORE_EQUAL,   /* the file that is there was found equal */
    STORE_DISCARD  /* refused: content is dropped */
};

struct store {
    int root;       /* the folder; -1 with stream */
    int stream;     /* 1: the one file goes to standard output */
    unsigned force; /* 1: files that are there are replaced */
    enum store_state state;
    struct offer offer; /* under way */
    int folder;         /* where the file lies; -1: none */
    int fd;             /* unfinished, or the file that it is compared with; -1: none */
    char base[NAME_MAX + 1], part[NAME_MAX + 1];
    uint64_t there; /* bytes that were there already */
    uint64_t at;    /* bytes that are */
    unsigned files; /* stored on standard output */
    char why[600];  /* a refusal, for the peer and for here */
    int code;       /* the exit code of the last refusal that is a local failure */
};

/** Open the folder, making it if need be; "-" is standard output. Returns an exit code. */
int store_open(struct store *store, const char *folder, unsigned force);

/** All offers have come: what was stored is on the disk by its name. */
void store_end(struct store *store);

void store_close(struct store *store);

/* Each returns 0, or -1 with store->why. After -1 content is dropped until the next offer. */
int store_offer(struct store *store, const struct offer *offer);
int store_hash(struct store *store, uint8_t hash[TRANSFER_HASH]); /* of what is there */
int store_start(struct store *store, uint64_t offset);
int store_data(struct store *store, const uint8_t *bytes, size_t size);
int store_done(struct store *store, int status);

/** 0 when a name is safe: relative, of plain components, none of them . or .. or an unfinished
 * file's. */
int name_check(const char *name);

#endif
