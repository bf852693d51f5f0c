/*
 * What the command's exit code says, one list for the programs, the manual and `duet explain`.
 */
#ifndef DUET_TOOL_EXITS_H
#define DUET_TOOL_EXITS_H

/* X(name, number, sentence, cure) */
#define EXITS(X)                                                                                   \
    X(DONE, 0, "done, and the peer closed with an authenticated CLOSE", "nothing to do")           \
    X(FAILED, 1, "another failure", "read the line above it")                                      \
    X(USAGE, 2, "usage or configuration: a flag, an address, a peers or a profile file",           \
      "compare with duet SUBCOMMAND --help, or with the line that the message names")              \
    X(CONNECT, 3, "could not connect, or could not listen",                                        \
      "is the address right, is something listening there, is the port free?")                     \
    X(STRANGER, 4,                                                                                 \
      "the peer is not authenticated: it was silent, closed, or sent what nothing "                \
      "opens",                                                                                     \
      "compare secret id (duet key show), profile, pattern and identities at both "                \
      "ends; is it duet at all?")                                                                  \
    X(INTEGRITY, 5, "after authentication: an integrity failure or a violation of the protocol",   \
      "what was written is verified; find what alters the stream, then start again")               \
    X(TRUNCATED, 6, "truncated: the stream ended without CLOSE",                                   \
      "what was written is verified but not complete; start again, a transfer resumes")            \
    X(SLOW, 7, "timeout: the peer is slow", "try again, or give a longer timeout")                 \
    X(KEY, 8, "key file: missing, mode, expired, malformed",                                       \
      "chmod 600, or copy it anew from the other end, or make one with duet keygen")               \
    X(LOCAL, 9, "local input or output: disk full, broken pipe, no permission",                    \
      "make room, or look at where the output goes")                                               \
    X(LIMIT, 10, "a local limit: memory, descriptors, connections", "raise it, or free some")      \
    X(POLICY, 11, "refused: the peer is not in the peers file, or others may write to a folder",   \
      "to trust the peer, add the public key that the message shows to the peers file; "           \
      "chmod go-w the folder")                                                                     \
    X(INTERRUPTED, 12, "interrupted, can be resumed", "run the same command again at both ends")   \
    X(ANSWERS, 13, "probe: it answers what did not prove the secret",                              \
      "find what answers there: it is not duet, or stands before it")                              \
    X(REPLAYS, 14, "probe: it answers a recorded first flight again",                              \
      "share the replay cache between all that listen there, and compare clocks")                  \
    X(RESETS, 15, "probe: it ends connections by RST",                                             \
      "find what closes with unread data, or a firewall on the way that rejects")                  \
    X(TELLS, 16, "probe: the time of its closes tells what was sent",                              \
      "find what stands before the listener; report it if nothing does")                           \
    X(CONSTANT, 17, "probe: it closes after a constant time",                                      \
      "give a range to --drain-timeout and --linger")

#define EXITS_ENUM(name, number, sentence, cure) EXIT_##name = (number),
enum exits { EXITS(EXITS_ENUM) };
#undef EXITS_ENUM

/** The exit code for a result of the library's that ended something. */
int exit_of(int result);

#endif
