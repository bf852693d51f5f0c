/*
 * Targets that a client may ask for (see target_rule.h).
 */
#include "target_rule.h"

#include "values.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PORT_MOST = 65535, RULE_MOST = 300 };

static const char name_bytes[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
static const char digits[] = "0123456789";

/* ---- Names ---- */

/** The size of a name without a final dot. */
static size_t
bare_size(const char *name, size_t size)
{
    return size > 0 && name[size - 1] == '.' ? size - 1 : size;
}

/** 1 for labels with single dots between them, of which the last is no number: that would be a
 * part of an address. */
static int
is_name(const char *name, size_t size)
{
    size_t label = 0, numeric = 1;

    size = bare_size(name, size);
    if (size == 0 || size > TARGET_NAME_MOST)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (name[i] == 0 || strchr(name_bytes, name[i]) == NULL)
            return 0;
        if (name[i] == '.') {
            if (label == 0)
                return 0;
            label = 0;
            numeric = 1;
            continue;
        }
        label++;
        numeric = numeric && strchr(digits, name[i]) != NULL;
    }
    return label > 0 && !numeric;
}

int
target_is_name(const char *text)
{
    return is_name(text, strlen(text));
}

static int
same_name(const char *a, size_t a_size, const char *b, size_t b_size)
{
    return a_size == b_size && strncasecmp(a, b, a_size) == 0;
}

int
target_rule_names(const struct target_rule *rule, const char *name, unsigned port)
{
    size_t size = bare_size(name, strlen(name)), rule_size = bare_size(rule->name, rule->name_size);

    if (rule->is_network || port < rule->least_port || port > rule->most_port)
        return 0;
    if (rule->name[0] != '*')
        return same_name(rule->name, rule_size, name, size);
    if (rule_size == 1)
        return 1;
    /* "*.example.org" ends as "a.example.org" does, which is longer by one byte at least */
    return size > rule_size - 1 &&
           same_name(rule->name + 1, rule_size - 1, name + size - (rule_size - 1), rule_size - 1);
}

/* ---- Networks ---- */

int
target_rule_holds(const struct target_rule *rule, const uint8_t address[NETWORK_ADDRESS],
                  unsigned port)
{
    return rule->is_network && port >= rule->least_port && port <= rule->most_port &&
           network_holds(&rule->network, address);
}

/* ---- Reading ---- */

/** Read PORT or PORT-PORT; "" is every port. Returns 0, or -1. */
static int
parse_ports(struct target_rule *rule, const char *text)
{
    char first[8];
    const char *dash = strchr(text, '-');
    size_t size = dash != NULL ? (size_t)(dash - text) : strlen(text);
    uint64_t least, most;

    if (size >= sizeof first)
        return -1;
    memcpy(first, text, size);
    first[size] = 0;
    if (parse_number(&least, first, 1, PORT_MOST) != 0)
        return -1;
    most = least;
    if (dash != NULL && parse_number(&most, dash + 1, least, PORT_MOST) != 0)
        return -1;
    rule->least_port = (unsigned)least;
    rule->most_port = (unsigned)most;
    return 0;
}

/** Take the host and the ports apart. *ports: NULL: none are given. Returns the host's size; 0:
 * they cannot be told apart. */
static size_t
split(const char **host, const char **ports, const char *text)
{
    const char *colon = strchr(text, ':');

    *host = text;
    *ports = NULL;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        if (end == NULL || (end[1] != 0 && end[1] != ':'))
            return 0;
        *host = text + 1;
        *ports = end[1] == ':' ? end + 2 : NULL;
        return (size_t)(end - text) - 1;
    }
    if (colon == NULL || strchr(colon + 1, ':') != NULL)
        return strlen(text); /* without a port, or IPv6 */
    *ports = colon + 1;
    return (size_t)(colon - text);
}

int
target_rule_parse(struct target_rule *rule, const char *text)
{
    char copy[RULE_MOST];
    const char *host, *ports;
    size_t size = split(&host, &ports, text);

    memset(rule, 0, sizeof *rule);
    rule->most_port = PORT_MOST;
    if (size == 0 || size >= sizeof copy || (ports != NULL && parse_ports(rule, ports) != 0))
        return -1;
    memcpy(copy, host, size);
    copy[size] = 0;
    rule->name = host;
    rule->name_size = (unsigned)size;
    rule->is_network = network_parse(&rule->network, copy) == 0;
    if (rule->is_network)
        return 0;
    if (text[0] == '[')
        return -1;
    if (strcmp(copy, "*") == 0)
        return 0;
    return target_is_name(strncmp(copy, "*.", 2) == 0 ? copy + 2 : copy) ? 0 : -1;
}

const char *
target_rule_fault(const char *text)
{
    return target_rule_parse(&(struct target_rule){0}, text) == 0
               ? NULL
               : "must be a name, *.NAME, an address or a network, and may have a port or "
                 "PORT-PORT, such as *.example.org:443, 10.0.0.0/8:80-89 or [2001:db8::/32]:22";
}
