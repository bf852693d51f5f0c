/*
 * The subcommands: each is one cmd_*.c.
 */
#ifndef DUET_TOOL_COMMANDS_H
#define DUET_TOOL_COMMANDS_H

#include "options.h"

extern const struct command cmd_keygen, cmd_key, cmd_pipe, cmd_send, cmd_recv;
extern const struct command cmd_client, cmd_server, cmd_run, cmd_ctl;
extern const struct command cmd_ping, cmd_probe, cmd_explain, cmd_version;

#endif
