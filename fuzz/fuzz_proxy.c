/*
 * Fuzzes the parser of PROXY headers: what it accepts is within its bounds, every shorter prefix
 * makes it wait, and what it read can be written and read again.
 */
#include "fuzz.h"
#include "proxy.h"

#include <duet/duet.h>
#include <string.h>
#include <sys/un.h>

static int
parse(struct proxy *proxy, const uint8_t *bytes, size_t size, size_t *used)
{
    const char *why;
    int result = proxy_parse(proxy, bytes, size, used, &why);

    need((result == DUET_E_FORMAT) == (why[0] != 0));
    need(*used <= size && *used <= PROXY_MOST && (result == DUET_OK) == (*used > 0));
    return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t out[PROXY_MOST];
    struct proxy proxy, again;
    size_t used, back;

    int result = parse(&proxy, data, size, &used);
    if (result == DUET_AGAIN)
        need(size < PROXY_MOST);
    if (result != DUET_OK)
        return 0;
    for (size_t cut = 0; cut < used; cut++)
        need(parse(&again, data, cut, &back) == DUET_AGAIN);
    size_t written = proxy_write(out, &proxy);
    need(parse(&again, out, written, &back) == DUET_OK && back == written);
    need(again.known == proxy.known);
    /* public: addresses */
    need(memcmp(&again.source, &proxy.source, sizeof(struct sockaddr_un)) == 0);
    need(memcmp(&again.destination, &proxy.destination, sizeof(struct sockaddr_un)) == 0);
    return 0;
}
