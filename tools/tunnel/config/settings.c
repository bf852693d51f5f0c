/*
 * The settings of tunnels as values: made with their defaults, set and released (see settings.h).
 *
 * What they may be is in tools/common/option_table.c, what goes together in check.c.
 */
#include "settings.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char http_name[] = "http";

struct settings *
settings_new(void)
{
    struct settings *settings = malloc(sizeof *settings);

    if (settings == NULL)
        return NULL;
    memset(settings, 0, sizeof *settings);
    settings->http.name = http_name;
    settings->http.side = TUNNEL_CLIENT; /* what comes there is plain */
    settings->http.is_http = 1;
    option_defaults(IN_PROCESS, settings);
    settings->tunnels = calloc(TUNNELS_MOST, sizeof *settings->tunnels);
    if (settings->tunnels == NULL) {
        free(settings);
        return NULL;
    }
    return settings;
}

struct tunnel_settings *
settings_add(struct settings *settings, const char *name)
{
    struct tunnel_settings *tunnel = &settings->tunnels[settings->tunnel_count];

    if (settings->tunnel_count == TUNNELS_MOST)
        return NULL;
    memset(tunnel, 0, sizeof *tunnel);
    option_defaults(IN_TUNNEL, tunnel);
    tunnel->name = strdup(name);
    if (tunnel->name == NULL)
        return NULL;
    settings->tunnel_count++;
    return tunnel;
}

static void
free_tunnel(struct tunnel_settings *tunnel)
{
    duet_config_free(tunnel->config);
    key_facts_free(&tunnel->facts);
    route_wipe(&tunnel->route);
    option_free(IN_TUNNEL, tunnel);
    free(tunnel->name);
}

void
settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < settings->tunnel_count; i++)
        free_tunnel(&settings->tunnels[i]);
    free(settings->tunnels);
    free(settings->file);
    strlist_free(&settings->files);
    option_free(IN_PROCESS, settings);
    free(settings);
}

void
settings_refuse(const struct option *option, struct tunnel_settings *tunnel)
{
    tunnel->refused[option - option_table] = 1;
}

int
settings_refused(const struct tunnel_settings *tunnel, const char *name)
{
    return tunnel->refused[option_find(name, strlen(name)) - option_table];
}

int
settings_set(const struct option *option, struct settings *settings, struct tunnel_settings *tunnel,
             const char *folder, const char *value, char why[OPTION_WHY])
{
    int result = option->at[IN_PROCESS] != 0
                     ? option_set(option, IN_PROCESS, settings, folder, value, why)
                     : option_set(option, IN_TUNNEL, tunnel, folder, value, why);

    if (result != 0)
        settings_refuse(option, tunnel);
    return result;
}

void
settings_fault(struct faults *faults, const char *format, ...)
{
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    faults->count++;
    faults->report(faults->context, text);
}

const char *
settings_place(char room[512], const struct tunnel_settings *tunnel)
{
    room[0] = 0;
    if (tunnel->file != NULL)
        snprintf(room, 512, "%s:%u: ", tunnel->file, tunnel->line);
    return room;
}
