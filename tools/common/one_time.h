/*
 * One-time secrets: files that serve one session, and are destroyed as soon as its peer has proven
 * itself.
 */
#ifndef DUET_TOOL_ONE_TIME_H
#define DUET_TOOL_ONE_TIME_H

#include "keys.h"

/** Note which file a secret is about to be read from, and refuse what could not be destroyed
 * afterwards. Returns an exit code. */
int one_time_mark(struct key_mark *mark, const char *path);

/** Take the secret of this id for this session, and destroy its files: of several processes that
 * loaded it, one succeeds. Returns an exit code. */
int one_time_claim(const struct key_facts *facts, const uint8_t id[DUET_SECRET_ID_SIZE]);

#endif
