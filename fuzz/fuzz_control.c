/*
 * Fuzzes the parser of the control socket's requests: any line is refused with a reason, or is one
 * of the known words; only kill has an argument.
 */
#include "fuzz.h"
#include "request.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    const char *why;

    if (request_parse(&request, (const char *)data, size, &why) != 0) {
        need(why[0] != 0);
        return 0;
    }
    need(request.kind < REQUESTS && size <= REQUEST_MOST);
    size_t name = strlen(request_name(request.kind));
    need(size >= name && memcmp(data, request_name(request.kind), name) == 0); /* public: a word */
    need(request.kind == REQUEST_KILL ? size > name + 1 : size == name && request.kill.id == 0);
    return 0;
}
