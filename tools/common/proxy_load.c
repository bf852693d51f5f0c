/*
 * Which proxy leads to a peer (see proxy_route.h): its URL, and the file with its credentials,
 * which are wiped wherever they were.
 */
#include "proxy_route.h"

#include "address.h"
#include "keys.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Where the address begins in a URL; NULL: it is no proxy's. */
static const char *
url_address(const char *url, enum route_kind *kind)
{
    static const char socks[] = "socks5://", socks_names[] = "socks5h://", http[] = "http://";

    *kind = ROUTE_SOCKS5;
    if (strncmp(url, socks, sizeof socks - 1) == 0)
        return url + sizeof socks - 1;
    if (strncmp(url, socks_names, sizeof socks_names - 1) == 0)
        return url + sizeof socks_names - 1;
    *kind = ROUTE_HTTP;
    return strncmp(url, http, sizeof http - 1) == 0 ? url + sizeof http - 1 : NULL;
}

const char *
route_fault(const char *url)
{
    enum route_kind kind;
    const char *address = url_address(url, &kind);

    if (address == NULL)
        return "must be socks5://HOST:PORT or http://HOST:PORT";
    if (strchr(address, '@') != NULL)
        return "must not hold a name or a password, which others could read; put them into the "
               "file that proxy-auth names";
    if (strlen(address) >= sizeof((struct proxy_route *)NULL)->address)
        return "is too long";
    return address_fault(address, 0);
}

/** Copy a line without its end. Returns what follows it; NULL: it is too long or empty. */
static const char *
take_line(char out[ROUTE_WORD], const char *at, const char *end)
{
    size_t size = 0;

    while (at + size < end && at[size] != '\n')
        size++;
    const char *next = at + size + (at + size < end);
    if (size > 0 && at[size - 1] == '\r')
        size--;
    if (size == 0 || size >= ROUTE_WORD || memchr(at, 0, size) != NULL)
        return NULL;
    memcpy(out, at, size);
    out[size] = 0;
    return next;
}

static int
load_credentials(struct proxy_route *route, const char *path)
{
    struct text text;

    int code = text_read(&text, path, TEXT_PRIVATE, EXIT_KEY);
    if (code != EXIT_DONE)
        return code;
    const char *end = text.at + text.size;
    const char *next = take_line(route->user, text.at, end);
    if (next == NULL || take_line(route->password, next, end) == NULL)
        code = log_error(EXIT_KEY,
                         "%s: must have two lines, the proxy's user and the password, each of at "
                         "most %d bytes",
                         printable(path), ROUTE_WORD - 1);
    else if (strchr(route->user, ':') != NULL && route->kind == ROUTE_HTTP)
        code = log_error(EXIT_KEY, "%s: a user's name for an HTTP proxy holds no colon",
                         printable(path));
    text_free(&text);
    return code;
}

int
route_load(struct proxy_route *route, const char *url, const char *credentials)
{
    const char *address;

    memset(route, 0, sizeof *route);
    if (url == NULL)
        return credentials == NULL
                   ? EXIT_DONE
                   : log_error(EXIT_USAGE, "proxy-auth needs proxy, which it is for");
    address = url_address(url, &route->kind);
    snprintf(route->address, sizeof route->address, "%s", address);
    return credentials != NULL ? load_credentials(route, credentials) : EXIT_DONE;
}

void
route_wipe(struct proxy_route *route)
{
    duet_wipe(route, sizeof *route);
}
