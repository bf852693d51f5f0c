/*
 * Fuzzes what is asked for by SOCKS5: the first byte says whether the rest is a message between the
 * ends, a program's opening, or a rule of allow-target. What is accepted is within its bounds.
 */
#include "fuzz.h"
#include "socks_request.h"
#include "target_rule.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/** A host that was taken is printable, and port 0 never is. */
static void
check_request(const struct socks_request *r)
{
    need(r->port > 0 && r->port <= 65535 && r->host[0] != 0);
    for (const char *at = r->host; *at != 0; at++)
        need(*at > ' ' && *at < 0x7f);
    need(!r->is_name || target_is_name(r->host));
}

static void
try_message(const uint8_t *data, size_t size)
{
    struct socks_request r = {0}, again = {0};
    uint8_t out[SOCKS_MESSAGE_MOST];

    if (socks_message_read(&r, data, size) == 0) {
        check_request(&r);
        need(r.target.count == 1);
        size_t written = socks_message_write(out, &r);
        need(socks_message_read(&again, out, written) == 0);
        need(again.port == r.port && again.is_name == r.is_name);
        need(strcmp(again.host, r.host) == 0);
        strlist_free(&again.target);
    } else {
        need(r.reply != SOCKS_DONE && r.reply < SOCKS_REPLIES);
    }
    strlist_free(&r.target);
}

static void
try_opening(const uint8_t *data, size_t size)
{
    struct socks_request *r = socks_request_new();
    const char *why = "";
    int ends[2];

    if (r == NULL || size > 4096 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        socks_request_free(r);
        return;
    }
    need(send(ends[0], data, size, 0) == (ssize_t)size && shutdown(ends[0], SHUT_WR) == 0);
    enum socks_result result = socks_opening_read(r, ends[1], &why);
    need(result != SOCKS_AGAIN && (result == SOCKS_GONE) == (size == 0));
    need(result != SOCKS_BAD || why[0] != 0);
    if (result == SOCKS_WHOLE)
        check_request(r);
    (void)socks_opening_answer(r, ends[1], SOCKS_FAILED);
    close(ends[0]);
    close(ends[1]);
    socks_request_free(r);
}

static void
try_rule(const uint8_t *data, size_t size)
{
    struct target_rule rule;
    char text[400];

    if (size >= sizeof text)
        return;
    memcpy(text, data, size);
    text[size] = 0;
    int result = target_rule_parse(&rule, text);
    need((result == 0) == (target_rule_fault(text) == NULL));
    if (result != 0)
        return;
    need(rule.least_port <= rule.most_port && rule.most_port <= 65535);
    need(rule.network.bits <= 128);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 'm')
        try_message(data + 1, size - 1);
    else if (data[0] == 'o')
        try_opening(data + 1, size - 1);
    else
        try_rule(data + 1, size - 1);
    return 0;
}
