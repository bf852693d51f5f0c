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
    duet_secret *secret, *back;
    duet_where where;
    size_t put;

    if (duet_secret_parse(&secret, text, size, &where) != DUET_OK) {
        need(secret == NULL && where.reason[0] != 0);
        return;
    }
    need(duet_secret_format(again, sizeof again, &put, secret) == DUET_OK);
    need(duet_secret_parse(&back, again, put, &where) == DUET_OK);
    need(duet_secret_size(back) == duet_secret_size(secret));
    need(duet_secret_not_after(back) == duet_secret_not_after(secret));
    duet_secret_free(secret);
    duet_secret_free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    duet_identity *identity;
    duet_profile *profile;
    duet_peers *peers;
    duet_where where;

    duet_kind_of(text, size);
    secrets(text, size);
    need(duet_identity_parse(&identity, text, size, &where) == DUET_OK || where.reason[0] != 0);
    duet_identity_free(identity);
    need(duet_profile_parse(&profile, text, size, &where) == DUET_OK || where.reason[0] != 0);
    duet_profile_free(profile);
    need(duet_peers_parse(&peers, text, size, &where) == DUET_OK || where.reason[0] != 0);
    duet_peers_free(peers);
    return 0;
}
