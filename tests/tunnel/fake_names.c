/*
 * A library that is loaded in front of the system's (LD_PRELOAD) and knows one more name, whatever
 * the machine's hosts file and resolver say: NAMES_NAME is at the addresses NAMES_ADDRESS, in
 * numbers, with a space between. So a test has a name of another machine without asking a network.
 *
 * A name that begins with NAMES_DEAD lies in a zone whose servers are dead: nobody answers, ever.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);

typedef void give_back(struct addrinfo *);

/** Release a list's members one by one, since lists are joined here. */
__attribute__((visibility("default"))) void
freeaddrinfo(struct addrinfo *ai)
{
    union {
        void *symbol;
        give_back *call;
    } real = {dlsym(RTLD_NEXT, "freeaddrinfo")};

    for (struct addrinfo *next; ai != NULL; ai = next) {
        next = ai->ai_next;
        ai->ai_next = NULL;
        real.call(ai);
    }
}

/** Look up each of several addresses. */
static int
look_up_all(look_up *real, const char *addresses, const char *service, const struct addrinfo *req,
            struct addrinfo **pai)
{
    char *rest = strdup(addresses);
    struct addrinfo **end = pai;
    int result = EAI_NONAME;

    *pai = NULL;
    for (char *at = rest, *next; at != NULL && *at != 0; at = next) {
        next = strchr(at, ' ');
        if (next != NULL)
            *next++ = 0;
        result = real(at, service, req, end);
        while (result == 0 && *end != NULL)
            end = &(*end)->ai_next;
    }
    free(rest);
    return result;
}

__attribute__((visibility("default"))) int
getaddrinfo(const char *name, const char *service, const struct addrinfo *req,
            struct addrinfo **pai)
{
    const char *known = getenv("NAMES_NAME"), *address = getenv("NAMES_ADDRESS");
    const char *dead = getenv("NAMES_DEAD");
    union {
        void *symbol;
        look_up *call;
    } real = {dlsym(RTLD_NEXT, "getaddrinfo")};
    int numbers = req != NULL && (req->ai_flags & AI_NUMERICHOST) != 0;

    while (!numbers && name != NULL && dead != NULL && strncmp(name, dead, strlen(dead)) == 0)
        pause();
    if (!numbers && name != NULL && known != NULL && address != NULL && strcmp(name, known) == 0)
        return look_up_all(real.call, address, service, req, pai);
    return real.call(name, service, req, pai);
}
