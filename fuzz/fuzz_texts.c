/*
 * Fuzzes the readers of key, identity, peers and profile files: any text is refused with a reason
 * or read, and a secret that was read can be written and read again.
 */
#include <duet/duet.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(int holds)
{
    if (!holds)
        abort();
}

static void
secrets(const char *text, size_t size)
{
    static char again[200000];
    duet_secret secret, back;
    duet_where where;
    size_t put;

    if (duet_secret_parse(&secret, text, size, &where) != DUET_OK) {
        need(where.reason[0] != 0);
        return;
    }
    need(duet_secret_format(again, sizeof again, &put, &secret) == DUET_OK);
    need(duet_secret_parse(&back, again, put, &where) == DUET_OK);
    need(back.size == secret.size && back.not_after == secret.not_after);
    duet_secret_wipe(&secret);
    duet_secret_wipe(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static duet_profile profile;
    const char *text = (const char *)data;
    duet_identity identity;
    duet_peers peers;
    duet_where where;

    duet_kind_of(text, size);
    secrets(text, size);
    need(duet_identity_parse(&identity, text, size, &where) == DUET_OK || where.reason[0] != 0);
    need(duet_profile_parse(&profile, text, size, &where) == DUET_OK || where.reason[0] != 0);
    if (duet_peers_parse(&peers, text, size, &where) == DUET_OK)
        duet_peers_free(&peers);
    return 0;
}
