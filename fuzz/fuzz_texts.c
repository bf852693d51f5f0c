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
    duet_key *secret, *back;
    duet_where where;
    size_t put;

    if (duet_key_parse(&secret, DUET_KIND_SECRET, text, size, &where) != DUET_OK) {
        need(secret == NULL && where.reason[0] != 0);
        return;
    }
    need(duet_key_format(secret, again, sizeof again, &put) == DUET_OK);
    need(duet_key_parse(&back, DUET_KIND_SECRET, again, put, &where) == DUET_OK);
    need(duet_key_size(back) == duet_key_size(secret));
    need(duet_key_not_after(back) == duet_key_not_after(secret));
    duet_key_free(secret);
    duet_key_free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    duet_key *identity;
    duet_key *profile;
    duet_key *peers;
    duet_where where;

    duet_kind_of(text, size);
    secrets(text, size);
    need(duet_key_parse(&identity, DUET_KIND_IDENTITY, text, size, &where) == DUET_OK ||
         where.reason[0] != 0);
    duet_key_free(identity);
    need(duet_key_parse(&profile, DUET_KIND_PROFILE, text, size, &where) == DUET_OK ||
         where.reason[0] != 0);
    duet_key_free(profile);
    need(duet_key_parse(&peers, DUET_KIND_PEERS, text, size, &where) == DUET_OK ||
         where.reason[0] != 0);
    duet_key_free(peers);
    return 0;
}
