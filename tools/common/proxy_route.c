/*
 * Dialogues with proxies (see proxy_route.h).
 *
 * A reply is read byte by byte where its size is not known yet, so that nothing of what follows it
 * is taken. Credentials are held only until they are sent, and wiped.
 */
#include "proxy_route.h"

#include "address.h"
#include "base/base64.h"
#include "interrupt.h"
#include "log.h"
#include "os/os.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { REPLY_MOST = 8192, REQUEST_MOST = 2048, POLL_STEP_MS = 200 };

/* SOCKS5's numbers */
enum { SOCKS = 5, NO_LOGIN = 0, BY_PASSWORD = 2, CONNECT = 1, IP4 = 1, NAME = 3, IP6 = 4 };

/** Which reply is awaited. */
enum route_reply { READS_METHOD, READS_LOGIN, READS_HEAD, READS_REST, READS_HTTP, AT_END };

struct route_dialogue {
    const struct proxy_route *route;
    struct address peer;
    enum route_reply step;
    uint8_t out[REQUEST_MOST], in[REPLY_MOST];
    size_t out_size, out_at, in_size, in_wanted;
    char reason[160];
};

/* ---- What is sent ---- */

static void
put_bytes(struct route_dialogue *d, const void *bytes, size_t size)
{
    memcpy(d->out + d->out_size, bytes, size); /* all of it together is below REQUEST_MOST */
    d->out_size += size;
}

static void
put_byte(struct route_dialogue *d, unsigned byte)
{
    d->out[d->out_size++] = (uint8_t)byte;
}

/** A text of at most 255 bytes after its size. */
static void
put_word(struct route_dialogue *d, const char *word)
{
    put_byte(d, (unsigned)strlen(word));
    put_bytes(d, word, strlen(word));
}

static void
write_methods(struct route_dialogue *d)
{
    int has_login = d->route->user[0] != 0;

    put_byte(d, SOCKS);
    put_byte(d, has_login ? 2 : 1);
    put_byte(d, NO_LOGIN);
    if (has_login)
        put_byte(d, BY_PASSWORD);
}

static void
write_login(struct route_dialogue *d)
{
    put_byte(d, 1);
    put_word(d, d->route->user);
    put_word(d, d->route->password);
}

static void
write_request(struct route_dialogue *d)
{
    uint8_t address[16];
    unsigned port = (unsigned)strtoul(d->peer.port, NULL, 10);

    put_byte(d, SOCKS);
    put_byte(d, CONNECT);
    put_byte(d, 0);
    if (inet_pton(AF_INET, d->peer.host, address) == 1) {
        put_byte(d, IP4);
        put_bytes(d, address, 4);
    } else if (inet_pton(AF_INET6, d->peer.host, address) == 1) {
        put_byte(d, IP6);
        put_bytes(d, address, 16);
    } else {
        put_byte(d, NAME);
        put_word(d, d->peer.host);
    }
    put_byte(d, port >> 8);
    put_byte(d, port & 255);
}

/** Basic authentication (RFC 7617). */
static void
write_basic(struct route_dialogue *d)
{
    static const char name[] = "Proxy-Authorization: Basic ";
    char pair[2 * ROUTE_WORD];
    size_t size = (size_t)snprintf(pair, sizeof pair, "%s:%s", d->route->user, d->route->password);

    put_bytes(d, name, sizeof name - 1);
    duet__base64_encode((char *)d->out + d->out_size, (const uint8_t *)pair, size);
    d->out_size += DUET__BASE64_SIZE(size);
    put_bytes(d, "\r\n", 2);
    duet_wipe(pair, sizeof pair);
}

static void
write_http(struct route_dialogue *d)
{
    char text[700];
    const char *left = strchr(d->peer.host, ':') != NULL ? "[" : "", *right = *left ? "]" : "";

    int size =
        snprintf(text, sizeof text, "CONNECT %s%s%s:%s HTTP/1.1\r\nHost: %s%s%s:%s\r\n", left,
                 d->peer.host, right, d->peer.port, left, d->peer.host, right, d->peer.port);
    put_bytes(d, text, (size_t)size);
    if (d->route->user[0] != 0)
        write_basic(d);
    put_bytes(d, "\r\n", 2);
}

/* ---- What is read ---- */

static enum route_result __attribute__((format(printf, 2, 3)))
route_failed(struct route_dialogue *d, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(d->reason, sizeof d->reason, format, arguments);
    va_end(arguments);
    return ROUTE_FAILED;
}

/** Send next what was written, or read so many bytes. */
static enum route_result
route_go(struct route_dialogue *d, enum route_reply step, size_t wanted)
{
    d->step = step;
    d->in_size = 0;
    d->in_wanted = wanted;
    return d->out_at < d->out_size ? ROUTE_WRITES : ROUTE_READS;
}

static enum route_result
method_read(struct route_dialogue *d)
{
    if (d->in[0] != SOCKS)
        return route_failed(d, "the proxy does not speak SOCKS5; is it an HTTP proxy?");
    if (d->in[1] == BY_PASSWORD && d->route->user[0] != 0) {
        write_login(d);
        return route_go(d, READS_LOGIN, 2);
    }
    if (d->in[1] != NO_LOGIN && d->route->user[0] != 0)
        return route_failed(d, "the proxy takes no login by user and password, which proxy-auth "
                               "gives; does it want another kind?");
    if (d->in[1] != NO_LOGIN)
        return route_failed(d, "the proxy asks for a login; name its file with proxy-auth");
    write_request(d);
    return route_go(d, READS_HEAD, 5);
}

static enum route_result
login_read(struct route_dialogue *d)
{
    if (d->in[1] != 0)
        return route_failed(d, "the proxy refuses the user or the password of proxy-auth");
    write_request(d);
    return route_go(d, READS_HEAD, 5);
}

static enum route_result
head_read(struct route_dialogue *d)
{
    static const char *const reasons[] = {"",
                                          "a failure of its own",
                                          "its rules do not allow that",
                                          "the network cannot be reached",
                                          "the peer's machine cannot be reached",
                                          "the peer's machine refuses the connection",
                                          "the time to live expired",
                                          "it does not know the command",
                                          "it does not know such addresses"};
    unsigned code = d->in[1], kind = d->in[3];

    if (d->in[0] != SOCKS || code >= sizeof reasons / sizeof *reasons)
        return route_failed(d, "the proxy's answer is malformed");
    if (code != 0)
        return route_failed(d, "the proxy does not connect: %s", reasons[code]);
    if (kind != IP4 && kind != IP6 && kind != NAME)
        return route_failed(d, "the proxy's answer is malformed");
    size_t name = kind == NAME ? (size_t)d->in[4] + 1 : 0;
    return route_go(d, READS_REST, (kind == IP4 ? 4 : kind == IP6 ? 16 : name) - 1 + 2);
}

/** The status of "HTTP/1.1 200 Words", and where its words begin. Returns 0, or -1: it is no such
 * line. */
static int
read_status(const char *line, unsigned *status, const char **words)
{
    static const char shape[] = "HTTP/d.d ddd";

    for (size_t i = 0; shape[i] != 0; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != shape[i])
            return -1;
    *status = (unsigned)strtoul(line + sizeof "HTTP/d.d", NULL, 10);
    *words = line + sizeof shape - 1;
    return 0;
}

/** What to do where the proxy asks for a login. */
static const char *
login_advice(const struct route_dialogue *d)
{
    return d->route->user[0] != 0 ? ": it refuses the user or the password of proxy-auth"
                                  : "; name the file with its login with proxy-auth";
}

/** Does the reply end here? It is read one byte at a time. */
static enum route_result
http_read(struct route_dialogue *d)
{
    const char *text = (const char *)d->in, *words;
    char word[64];
    unsigned status;

    if (d->in_size < 4 || strncmp(text + d->in_size - 4, "\r\n\r\n", 4) != 0) {
        d->in_wanted = d->in_size + 1;
        return d->in_size < REPLY_MOST ? ROUTE_READS
                                       : route_failed(d, "the proxy's answer is too long");
    }
    d->in[d->in_size - 1] = 0;
    if (read_status(text, &status, &words) != 0)
        return route_failed(d, "the proxy does not speak HTTP; is it a SOCKS proxy?");
    if (status >= 200 && status < 300) {
        d->step = AT_END;
        return ROUTE_DONE;
    }
    snprintf(word, sizeof word, "%.*s", (int)strcspn(words, "\r\n"), words);
    return route_failed(d, "the proxy answers %u%s%s", status, printable(word),
                        status == 407 ? login_advice(d) : "");
}

/** Act on a reply that is here. */
static enum route_result
reply_read(struct route_dialogue *d)
{
    switch (d->step) {
    case READS_METHOD:
        return method_read(d);
    case READS_LOGIN:
        return login_read(d);
    case READS_HEAD:
        return head_read(d);
    case READS_HTTP:
        return http_read(d);
    default:
        d->step = AT_END;
        return ROUTE_DONE;
    }
}

/* ---- A dialogue ---- */

struct route_dialogue *
route_begin(const struct proxy_route *route, const char *peer)
{
    struct route_dialogue *d = calloc(1, sizeof *d);

    if (d == NULL || address_fault(peer, 0) != NULL ||
        address_parse(&d->peer, peer, 0) != EXIT_DONE || d->peer.kind != ADDRESS_TCP ||
        !isdigit((unsigned char)d->peer.port[0])) {
        free(d);
        return NULL;
    }
    d->route = route;
    if (route->kind == ROUTE_HTTP) {
        write_http(d);
        (void)route_go(d, READS_HTTP, 1);
    } else {
        write_methods(d);
        (void)route_go(d, READS_METHOD, 2);
    }
    return d;
}

void
route_free(struct route_dialogue *d)
{
    if (d != NULL)
        duet_wipe(d->out, sizeof d->out);
    free(d);
}

const char *
route_reason(const struct route_dialogue *d)
{
    return d->reason;
}

static int
would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/** Send what is written. Returns 1 when all of it went. */
static int
send_all(struct route_dialogue *d, int fd, enum route_result *result)
{
    while (d->out_at < d->out_size) {
        ssize_t n =
            send(fd, d->out + d->out_at, d->out_size - d->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) {
            *result = would_block() ? ROUTE_WRITES
                                    : route_failed(d, "the proxy is gone: %s", errno_text());
            return 0;
        }
        d->out_at += (size_t)n;
    }
    duet_wipe(d->out, d->out_size);
    d->out_at = d->out_size = 0;
    return 1;
}

enum route_result
route_step(struct route_dialogue *d, int fd)
{
    enum route_result result = ROUTE_READS;

    while (d->step != AT_END && result != ROUTE_FAILED) {
        if (!send_all(d, fd, &result))
            return result;
        ssize_t n = recv(fd, d->in + d->in_size, d->in_wanted - d->in_size, MSG_DONTWAIT);
        if (n < 0 && would_block())
            return ROUTE_READS;
        if (n <= 0)
            return route_failed(d, "the proxy closes the connection%s%s", n < 0 ? ": " : "",
                                n < 0 ? errno_text() : "");
        d->in_size += (size_t)n;
        if (d->in_size == d->in_wanted)
            result = reply_read(d);
    }
    return result == ROUTE_FAILED ? ROUTE_FAILED : ROUTE_DONE;
}

/** Do all of a dialogue on a descriptor. Returns an exit code. */
static int
route_wait(const struct proxy_route *route, const char *peer, int fd, int timeout_ms)
{
    struct route_dialogue *d = route_begin(route, peer);
    uint64_t end = duet__os_now_ms() + (uint64_t)timeout_ms;
    enum route_result result = ROUTE_FAILED;

    if (d == NULL)
        return log_error(EXIT_USAGE, "%s: through a proxy it must be HOST:PORT, with a number",
                         printable_word(peer));
    while ((result = route_step(d, fd)) == ROUTE_READS || result == ROUTE_WRITES) {
        struct pollfd one = {.fd = fd, .events = result == ROUTE_READS ? POLLIN : POLLOUT};
        uint64_t now = duet__os_now_ms();
        if (interrupted() || (timeout_ms >= 0 && now >= end))
            break;
        (void)poll(&one, 1, POLL_STEP_MS);
    }
    int code = EXIT_DONE;
    if (result != ROUTE_DONE && interrupted())
        code = EXIT_INTERRUPTED;
    else if (result != ROUTE_DONE)
        code = log_error(EXIT_CONNECT, "%s: through the proxy %s: %s", printable_word(peer),
                         route->address,
                         result == ROUTE_FAILED ? d->reason : "it does not answer in time");
    route_free(d);
    return code;
}

int
route_dial(struct dialled *dialled, const char *url, const char *credentials, const char *peer,
           int timeout_ms)
{
    struct proxy_route route;

    memset(dialled, 0, sizeof *dialled);
    dialled->fd = -1;
    int code = route_load(&route, url, credentials);
    if (code == EXIT_DONE)
        code = dial_address(dialled, url != NULL ? route.address : peer, timeout_ms);
    if (code == EXIT_DONE && url != NULL)
        code = route_wait(&route, peer, dialled->fd, timeout_ms);
    route_wipe(&route);
    return code;
}
