/*
 * Fuzzes the reader of duet.conf: any text is refused with errors of one line each that name the
 * file, or gives settings within their bounds.
 */
#include "fuzz.h"
#include "record.h"
#include "settings.h"

#include <string.h>

static void
ignore_fault(void *context, const char *fault)
{
    char line[RECORD_LINE];

    (void)context;
    need(strncmp(fault, "/a/b.conf:", 10) == 0 || strstr(fault, "control socket") != NULL);
    for (enum log_format format = LOG_TEXT; format <= LOG_JSON; format++) {
        size_t size = record_format(line, format, 1, RECORD_ERROR, NULL, fault);
        need(size < RECORD_LINE && size == strlen(line) && strpbrk(line, "\r\n\x1b") == NULL);
    }
}

static void
check_tunnel(const struct tunnel_settings *t)
{
    need(t->name[0] != 0 && strlen(t->name) <= TUNNEL_NAME_MOST);
    need(t->side == TUNNEL_CLIENT || t->side == TUNNEL_SERVER);
    need(t->listen.count > 0 && t->files.keys.count > 0);
    need(t->targets.count + t->allow_targets.count > 0);
    need(t->connect_ms > 0 && t->handshake_ms > 0 && t->handshake_ms < 30000);
    need(t->idle_ms == -1 || t->idle_ms > 0);
    need(t->ping_ms == -1 || t->ping_ms > 0);
    need(t->drain_least_ms <= t->drain_most_ms);
    need(t->most_connections > 0 && t->most_half_open > 0);
    need(t->proxy <= (PROXY_IN | PROXY_OUT) && t->unsafe_listen <= 1 && t->unsafe_target <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct faults faults = {ignore_fault, NULL, 0};
    struct settings *settings;

    int result = settings_parse(&settings, "/a/b.conf", (const char *)data, size, &faults);
    need((result == 0) == (faults.count == 0));
    if (result == 0) {
        need(settings->tunnel_count > 0 && settings->tunnel_count <= TUNNELS_MOST);
        need(settings->workers >= 1 && settings->workers <= WORKERS_MOST);
        need(settings->metrics_ms > 0 && settings->drain_ms >= 0);
        for (size_t i = 0; i < settings->tunnel_count; i++)
            check_tunnel(&settings->tunnels[i]);
    }
    settings_free(settings);
    return 0;
}
