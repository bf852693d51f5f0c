/*
 * Lists of trusted peers: a section for each, with its public key (docs/protocol.md §4
 * "Identities").
 */
#include "secret/key.h"

#include "base/equal.h"

#include <stdlib.h>
#include <string.h>

enum { PEERS_MOST = 4096, KEY = 1 };

struct reading {
    duet_peers *peers;
    duet_where *where;
    size_t room;
    unsigned seen; /* names of the peer that is read */
};

static int
has_name(const duet_peers *peers, struct duet__text name)
{
    for (size_t i = 0; i < peers->count; i++)
        if (duet__text_is(name, peers->list[i].name))
            return 1;
    return 0;
}

static int
grow(struct reading *r)
{
    if (r->peers->count < r->room)
        return DUET_OK;
    size_t room = r->room > 0 ? 2 * r->room : 8;
    duet_peer *list = realloc(r->peers->list, room * sizeof *list);
    if (list == NULL)
        return DUET_E_MEMORY;
    r->peers->list = list;
    r->room = room;
    return DUET_OK;
}

/** The peer that is read must have its key before the next one begins, or the text ends. */
static int
finish(struct reading *r, const struct duet__ini *ini)
{
    duet_peers *peers = r->peers;

    if (peers->count == 0)
        return DUET_OK;
    const duet_peer *last = &peers->list[peers->count - 1];
    if (!(r->seen & KEY))
        return duet__ini_refuse(ini, r->where, "[Peer %s] has no PublicKey", last->name);
    for (size_t i = 0; i + 1 < peers->count; i++)
        if (duet__equal(peers->list[i].public_key, last->public_key, DUET_KEY_SIZE))
            return duet__ini_refuse(ini, r->where,
                                    "[Peer %s] and [Peer %s] have the same PublicKey",
                                    peers->list[i].name, last->name);
    return DUET_OK;
}

static int
begin(struct reading *r, const struct duet__ini *ini)
{
    struct duet__text name = {ini->name.at + 5, ini->name.size - 5};

    /* public: a section's name */
    if (ini->name.size <= 5 || memcmp(ini->name.at, "Peer ", 5) != 0)
        return duet__ini_refuse(ini, r->where,
                                "a list of peers has sections like [Peer alice] only");
    if (name.size >= DUET_PEER_NAME_SIZE)
        return duet__ini_refuse(ini, r->where, "a peer's name is %u bytes at most",
                                DUET_PEER_NAME_SIZE - 1);
    for (size_t i = 0; i < name.size; i++)
        if ((unsigned char)name.at[i] < ' ' || name.at[i] == 0x7f)
            return duet__ini_refuse(ini, r->where, "a peer's name holds a control character");
    if (has_name(r->peers, name))
        return duet__ini_refuse(ini, r->where, "this peer stands there twice: delete one");
    if (r->peers->count == PEERS_MOST)
        return duet__ini_refuse(ini, r->where, "more than %d peers", PEERS_MOST);
    int result = grow(r);
    if (result != DUET_OK)
        return result;
    duet_peer *peer = &r->peers->list[r->peers->count++];
    memset(peer, 0, sizeof *peer);
    memcpy(peer->name, name.at, name.size);
    r->seen = 0;
    return DUET_OK;
}

static int
read_name(struct reading *r, const struct duet__ini *ini)
{
    if (r->peers->count == 0)
        return duet__ini_refuse(ini, r->where, "a [Peer NAME] must come first");
    if (!duet__text_is(ini->name, "PublicKey"))
        return duet__ini_refuse(ini, r->where, "an unknown name: a peer has PublicKey");
    uint8_t *key = r->peers->list[r->peers->count - 1].public_key;
    int result = duet__key_read_public(key, ini, r->where);
    if (result != DUET_OK)
        return result;
    return duet__ini_once(ini, r->where, &r->seen, KEY);
}

static int
read_lines(struct reading *r, struct duet__ini *ini)
{
    for (;;) {
        int result = duet__ini_next(ini, r->where);
        if (result != DUET_OK)
            return result;
        if (ini->kind != DUET__INI_VALUE)
            result = finish(r, ini);
        if (result != DUET_OK || ini->kind == DUET__INI_END)
            return result;
        result = ini->kind == DUET__INI_SECTION ? begin(r, ini) : read_name(r, ini);
        if (result != DUET_OK)
            return result;
    }
}

int
duet_peers_parse(duet_peers *peers, const char *text, size_t size, duet_where *where)
{
    struct duet__ini ini = duet__ini(text, size);
    struct reading r = {.peers = peers, .where = where};

    memset(peers, 0, sizeof *peers);
    memset(where, 0, sizeof *where);
    int result = read_lines(&r, &ini);
    if (result == DUET_OK && peers->count == 0)
        result = duet__ini_refuse(&ini, where, "no peer: it would trust nobody; add a [Peer NAME]");
    if (result != DUET_OK)
        duet_peers_free(peers);
    return result;
}

void
duet_peers_free(duet_peers *peers)
{
    if (peers == NULL)
        return;
    free(peers->list);
    memset(peers, 0, sizeof *peers);
}
