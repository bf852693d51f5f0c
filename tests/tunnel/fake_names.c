/*
 * A library that is loaded in front of the system's (LD_PRELOAD) and knows one more name, whatever
 * the machine's hosts file and resolver say: NAMES_NAME is at the address NAMES_ADDRESS, in numbers.
 * So a test has a name of another machine without asking a network.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
            struct addrinfo **pai)
{
    const char *known = getenv("NAMES_NAME"), *address = getenv("NAMES_ADDRESS");
    union {
        void *symbol;
        look_up *call;
    } real = {dlsym(RTLD_NEXT, "getaddrinfo")};
    int numbers = req != NULL && (req->ai_flags & AI_NUMERICHOST) != 0;

    if (!numbers && name != NULL && known != NULL && strcmp(name, known) == 0)
        name = address;
    return real.call(name, service, req, pai);
}
