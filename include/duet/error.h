/*
 * Results: the closed list of what a duet call can answer, each with its class, its sentence and
 * its cure.
 *
 * Zero is success and failures are negative; counts come back through size_t pointers, so verified
 * data and a failure can both be told by one call. No number is ever added to a minor release.
 */
#ifndef DUET_ERROR_H
#define DUET_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DUET_API     __attribute__((visibility("default")))
#define DUET_CHECKED __attribute__((warn_unused_result)) /* to go on without looking is a hole */
#else
#define DUET_API
#define DUET_CHECKED
#endif

/** What a result means for the object that gave it. */
enum duet_class {
    DUET_CLASS_DONE,    /**< the call did what it was asked */
    DUET_CLASS_NOT_YET, /**< nothing is wrong; call again later */
    DUET_CLASS_END,     /**< the peer has closed its direction, as it should */
    DUET_CLASS_YOURS,   /**< this side's mistake or lack; nothing changed */
    DUET_CLASS_FATAL,   /**< this side failed; the object is dead and its keys are wiped */
    DUET_CLASS_THEIRS /**< the peer or the wire is at fault; dead, keys wiped, same answer from now
                         on */
};

/* X(name, number, class, sentence, cure) */
#define DUET_RESULTS(X)                                                                            \
    X(OK, 0, DONE, "done", "nothing to do")                                                        \
    X(AGAIN, -1, NOT_YET, "not yet: the call would have to wait",                                  \
      "poll for what duet_channel_state() names, then call again")                                 \
    X(SLOW, -2, NOT_YET, "the peer is slow: the time-out passed",                                  \
      "what was counted is verified; call again, or give a longer time-out")                       \
    X(CLOSED, -3, END, "the peer has closed its direction",                                        \
      "nothing more comes; what was counted is complete")                                          \
    X(E_MISUSE, -10, YOURS, "the call does not fit the object's state or its arguments",           \
      "read the function's comment; nothing changed")                                              \
    X(E_MEMORY, -11, YOURS, "memory could not be had", "free some memory and call again")          \
    X(E_ROOM, -12, YOURS, "the buffer is too small for the next frame",                            \
      "call again with the size that was named; nothing is lost")                                  \
    X(E_LENGTH, -13, YOURS, "the payload is longer than the peer accepts",                         \
      "split it, or let the peer announce a larger limit")                                         \
    X(E_CODE, -14, YOURS, "the next frame bears another code than this call takes",                \
      "take it with duet_recv_message()")                                                          \
    X(E_FORMAT, -15, YOURS, "a text or file is malformed",                                         \
      "the detail names the line; mend it or make the file anew")                                  \
    X(E_CRYPTO, -20, FATAL, "libcrypto failed", "look for a broken or restricted libcrypto")       \
    X(E_IO, -21, FATAL, "the system refused to read or write",                                     \
      "the detail names the system's error")                                                       \
    X(E_FORKED, -22, FATAL, "the process was forked with this object open",                        \
      "use an object only in the process that made it: a copy would repeat its keystream")         \
    X(E_UNAUTHENTICATED, -30, THEIRS, "the peer did not prove that it holds the secret",           \
      "compare secret id (duet key show), profile and pattern at both ends; is it duet at all?")   \
    X(E_TRUNCATED, -31, THEIRS, "the stream ended without CLOSE: it was cut",                      \
      "what was counted is verified but not complete; connect anew and resume")                    \
    X(E_FORGED, -32, THEIRS, "a frame's MAC is wrong: it was changed or forged",                   \
      "what was counted is verified; find what alters the stream, then connect anew")              \
    X(E_SEQUENCE, -33, THEIRS, "a frame's number is wrong: one was dropped, doubled or moved",     \
      "what was counted is verified; find what alters the stream, then connect anew")              \
    X(E_CHECKSUM, -34, THEIRS, "a header's checksum is wrong: it was changed or keys differ",      \
      "what was counted is verified; find what alters the stream, then connect anew")              \
    X(E_TOO_LONG, -35, THEIRS, "a frame is longer than this side accepts",                         \
      "the peer ignores the announced limit, or the stream was altered")                           \
    X(E_PROTOCOL, -36, THEIRS, "the peer broke the protocol",                                      \
      "the detail names the rule; compare both ends' versions")                                    \
    X(E_UNTRUSTED, -37, THEIRS, "the peer's identity is not trusted",                              \
      "the detail names its public key; add it to the peers file if it is meant")

#define DUET__ENUM(name, number, class, sentence, cure) DUET_##name = (number),
/** Every result. */
enum duet_result { DUET_RESULTS(DUET__ENUM) DUET__RESULT_END = 1 };
#undef DUET__ENUM

/** One line of the list. */
typedef struct duet_result_info {
    int number;
    enum duet_class kind;
    const char *name;     /**< as in the source, such as "DUET_E_FORGED" */
    const char *sentence; /**< what it says */
    const char *cure;     /**< what to do */
} duet_result_info;

/**
 * Look a result up.
 *
 * result   a number of the list.
 *
 * Returns its line, static and constant; NULL for a number that is not of the list.
 * Since 0.1.
 */
DUET_API const duet_result_info *duet_explain(int result);

#ifdef __cplusplus
}
#endif

#endif
