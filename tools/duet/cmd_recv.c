/*
 * duet recv: what duet send sends, into a folder or to standard output. How offers are answered is
 * in tools/transfer/receiver.c.
 */
#include "commands.h"
#include "interrupt.h"
#include "log.h"
#include "open_files.h"
#include "receiver.h"
#include "retry.h"

#include <signal.h>
#include <string.h>

static int failed_before; /* 1: the transfer before did not succeed */

/** One transfer: wait for a peer, and receive what it sends. Returns an exit code. */
static int
recv_once(void *context, const char *address)
{
    struct receiver *r = context;
    const struct options *o = r->carrier.options;

    memset(r, 0, sizeof *r);
    r->most_streams = o->streams;
    r->carrier = (struct carrier){.options = o, .work = receiver_work, .context = r};
    r->store = (struct store){.force = o->force,
                              .update = o->update,
                              .keep_both = o->keep_both,
                              .checksum = o->checksum,
                              .hidden = o->hidden,
                              .no_perms = o->no_perms,
                              .owner = o->owner,
                              .xattrs = o->xattrs,
                              .most_bytes = o->most_bytes,
                              .most_files = o->most_files,
                              .most_open = open_files_most(o->streams),
                              .on_settled = receiver_on_settled,
                              .is_stopped = receiver_is_stopped,
                              .context = r};
    if (receiver_init(r) != 0)
        return log_error(EXIT_LIMIT, "no memory");
    int code = store_open(&r->store, o->out != NULL ? o->out : ".");
    if (code == EXIT_DONE)
        code = carrier_run(&r->carrier, address);
    /* Stopped while it waits for a peer, as a service is: nothing is left undone. */
    if (interrupted() == SIGTERM && r->carrier.sent_ms == 0 && !failed_before)
        code = EXIT_DONE;
    failed_before = code != EXIT_DONE;
    if (!r->carrier.left_behind && !r->streams.left_behind) /* else the program ends now */
        receiver_free(r);
    return code;
}

static int
recv_run(struct options *o)
{
    static struct receiver receiver;

    failed_before = 0;

    if (o->stdio && o->out != NULL && strcmp(o->out, "-") == 0)
        return log_error(EXIT_USAGE, "recv: --stdio has taken standard output");
    if (o->force + o->update + o->keep_both > 1)
        return log_error(EXIT_USAGE, "--force, --update and --keep-both exclude each other");
    if (o->keep && !o->listen)
        return log_error(EXIT_USAGE, "--keep goes with -l");
    if (o->streams > 1 && (o->stdio || o->exec != NULL))
        return log_error(EXIT_USAGE, "--streams needs an address: each stream is a connection");
    if (o->streams > 1 && o->proxy_url != NULL)
        return log_error(EXIT_USAGE, "--streams does not go with --proxy");
    if (o->streams == 0)
        o->streams = o->stdio || o->exec != NULL || o->proxy_url != NULL || o->files.one_time
                         ? 1
                         : STREAMS_ACCEPTED;
    receiver.carrier.options = o;
    return retry_run(o, recv_once, &receiver, o->operand_count > 0 ? o->operands[0] : NULL);
}

const struct command cmd_recv = {
    .name = "recv",
    .user = FOR_RECV,
    .usage = "-k FILE -l [ADDR]:PORT [-o DIR|-]",
    .about = "Receive what duet send sends.",
    .notes = "Example, with the same secret.key at both ends:\n"
             "    here$  duet recv -k secret.key -l :4000 -o inbox\n"
             "    there$ duet send -k secret.key photos here:4000\n"
             "Nothing that exists is replaced without --force or --update. After a cut, run the\n"
             "same command again at both ends to resume, or give --retry.\n",
    .most = 1,
    .run = recv_run,
};
