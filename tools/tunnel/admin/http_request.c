/*
 * Requests for monitoring (see http_request.h), after RFC 9112, strictly: lines end with CR LF, and
 * what is not understood is refused. Memory in, memory out.
 */
#include "http_request.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HOST_MOST = 64, PORT_DIGITS_MOST = 5 };

/** A part of the text. */
struct piece {
    const char *at;
    size_t size;
};

static const char *const paths[HTTP_PATHS] = {
    [HTTP_METRICS] = "/metrics", [HTTP_HEALTHZ] = "/healthz", [HTTP_READYZ] = "/readyz"};

static int
piece_is(struct piece piece, const char *word)
{
    return piece.size == strlen(word) && strncmp(piece.at, word, piece.size) == 0;
}

/** Take what comes before the character from the text, and the character. Returns 0; -1: it is not
 * there. */
static int
take_before(struct piece *taken, struct piece *text, char end)
{
    const char *at = text->size > 0 ? memchr(text->at, end, text->size) : NULL;

    if (at == NULL)
        return -1;
    *taken = (struct piece){text->at, (size_t)(at - text->at)};
    text->at += taken->size + 1;
    text->size -= taken->size + 1;
    return 0;
}

/* ---- What bytes there may be ---- */

/** 1 when a byte is there that no head has, or a line that does not end with CR LF. Such a text is
 * refused before the rest has come. */
static int
has_bad_byte(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (byte == '\n' ? i == 0 || text[i - 1] != '\r'
                         : byte < ' ' && byte != '\r' && byte != '\t')
            return 1;
        if (byte == 0x7f || (byte == '\r' && i + 1 < size && text[i + 1] != '\n'))
            return 1;
    }
    return 0;
}

/** 1 when it is a word that can name a method or a header. */
static int
is_token(struct piece piece)
{
    for (size_t i = 0; i < piece.size; i++) {
        char c = piece.at[i];
        int is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_letter && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return 0;
    }
    return piece.size > 0;
}

/* ---- The first line ---- */

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Read HTTP/1.x. Returns HTTP_OK, HTTP_NO_VERSION or HTTP_BAD. */
static enum http_status
read_version(struct piece piece, int *needs_host)
{
    if (piece.size != 8 || strncmp(piece.at, "HTTP/", 5) != 0 || !is_digit(piece.at[5]) ||
        piece.at[6] != '.' || !is_digit(piece.at[7]))
        return HTTP_BAD;
    *needs_host = piece.at[7] != '0';
    return piece.at[5] == '1' ? HTTP_OK : HTTP_NO_VERSION;
}

/** The path, without what follows a question mark. */
static enum http_path
find_path(struct piece target)
{
    struct piece path;

    if (take_before(&path, &target, '?') != 0)
        path = target;
    for (int i = 0; i < HTTP_PATHS; i++)
        if (piece_is(path, paths[i]))
            return (enum http_path)i;
    return HTTP_PATHS;
}

/** Read the method, the path and the version. *wrong: HTTP_OK, or why a request that is well formed
 * is refused. Returns HTTP_OK, or how to refuse one that is not. */
static enum http_status
read_first_line(struct http_request *request, struct piece line, int *needs_host,
                enum http_status *wrong)
{
    struct piece method, target;

    if (take_before(&method, &line, ' ') != 0 || !is_token(method) ||
        take_before(&target, &line, ' ') != 0)
        return HTTP_BAD;
    request->is_head = piece_is(method, "HEAD");
    request->path = find_path(target);
    enum http_status status = read_version(line, needs_host);
    if (status != HTTP_OK)
        return status;
    if (!request->is_head && !piece_is(method, "GET"))
        *wrong = HTTP_NO_METHOD;
    else if (target.size == 0 || target.at[0] != '/')
        return HTTP_BAD;
    else if (request->path == HTTP_PATHS)
        *wrong = HTTP_NOT_FOUND;
    return HTTP_OK;
}

/* ---- Headers ---- */

static int
is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");

    return text[digits] == 0 && digits <= PORT_DIGITS_MOST;
}

/** 1 when a Host header names a machine by its address or as localhost. */
static int
is_own_host(struct piece host)
{
    char text[HOST_MOST + 1];
    struct in6_addr v6;
    struct in_addr v4;

    if (host.size > HOST_MOST)
        return 0;
    memcpy(text, host.at, host.size);
    text[host.size] = 0;
    char *name = text, *port = strchr(text, ':');
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != 0 && end[1] != ':'))
            return 0;
        port = end[1] != 0 ? end + 1 : NULL;
        *end = 0;
        name++;
    }
    if (port != NULL && !is_port(port + 1))
        return 0;
    if (name == text && port != NULL)
        *port = 0;
    if (name != text)
        return inet_pton(AF_INET6, name, &v6) == 1;
    return inet_pton(AF_INET, name, &v4) == 1 || strcasecmp(name, "localhost") == 0;
}

static struct piece
trimmed(struct piece piece)
{
    while (piece.size > 0 && (piece.at[0] == ' ' || piece.at[0] == '\t')) {
        piece.at++;
        piece.size--;
    }
    while (piece.size > 0 && (piece.at[piece.size - 1] == ' ' || piece.at[piece.size - 1] == '\t'))
        piece.size--;
    return piece;
}

/** Read the headers, of which only Host matters. Returns HTTP_OK, or how to refuse. */
static enum http_status
read_headers(struct piece text, int needs_host, int any_host)
{
    enum http_status status = HTTP_OK;
    struct piece line, name;
    int hosts = 0;

    while (take_before(&line, &text, '\n') == 0 && line.size > 1) {
        line.size--; /* its CR */
        if (take_before(&name, &line, ':') != 0 || !is_token(name))
            return HTTP_BAD;
        if (name.size != 4 || strncasecmp(name.at, "Host", 4) != 0)
            continue;
        hosts++;
        if (!any_host && !is_own_host(trimmed(line)))
            status = HTTP_FORBIDDEN;
    }
    return hosts > 1 || (hosts == 0 && needs_host) ? HTTP_BAD : status;
}

/* ---- All of it ---- */

/** Find the empty line, and take what comes before it, with the end of the last line. Returns 0, or
 * -1: it has not come. */
static int
take_head(struct piece *head, const char *text, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i++)
        if (strncmp(text + i, "\r\n\r\n", 4) == 0) {
            *head = (struct piece){text, i + 2};
            return 0;
        }
    return -1;
}

enum http_status
http_request_read(struct http_request *request, const char *text, size_t size, int any_host)
{
    enum http_status wrong = HTTP_OK;
    struct piece head = {text, size}, line;
    int needs_host = 0;

    *request = (struct http_request){HTTP_PATHS, 0};
    int is_whole = take_head(&head, text, size) == 0;
    if (has_bad_byte(text, head.size))
        return HTTP_BAD;
    if (!is_whole)
        return size < HTTP_HEAD_MOST ? HTTP_MORE : HTTP_TOO_LARGE;
    if (take_before(&line, &head, '\n') != 0)
        return HTTP_BAD;
    line.size--; /* its CR */
    enum http_status status = read_first_line(request, line, &needs_host, &wrong);
    if (status == HTTP_OK)
        status = read_headers(head, needs_host, any_host);
    return status == HTTP_OK ? wrong : status;
}
