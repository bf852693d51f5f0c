/*
 * Results: the closed list of what a duet call can return, each with its class, a sentence and a
 * cure.
 *
 * Zero is success and failures are negative; counts come back through size_t pointers, so that one
 * call can return verified data and a failure. No number is ever added to a minor release.
 */
#ifndef DUET_ERROR_H
#define DUET_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DUET_API __attribute__((visibility("default")))
#define DUET_CHECKED                                                                               \
    __attribute__((warn_unused_result)) /* an unchecked result is a security hole */
#else
#define DUET_API
#define DUET_CHECKED
#endif

/** What a result means for the object that gave it. */
enum duet_class {
    DUET_CLASS_DONE,    /**< success */
    DUET_CLASS_NOT_YET, /**< nothing is wrong; call again later */
    DUET_CLASS_END,     /**< the peer has closed its direction in the proper way */
    DUET_CLASS_YOURS,   /**< a mistake of the caller, or no memory; nothing changed */
    DUET_CLASS_FATAL,   /**< this side failed; the object is dead and its keys are wiped */
    DUET_CLASS_THEIRS   /**< the peer or the network failed; the object is dead, its keys are wiped,
                           and each later call returns the same */
};

/* X(name, number, class, sentence, cure) */
#define DUET_RESULTS(X)                                                                            \
    X(OK, 0, DONE, "done", "nothing to do")                                                        \
    X(AGAIN, -1, NOT_YET, "not yet: the call would block",                                         \
      "poll for what duet_channel_state() names, then call again")                                 \
    X(SLOW, -2, NOT_YET, "timed out: the peer is slow",                                            \
      "what was counted is verified; call again, or give a longer timeout")                        \
    X(CLOSED, -3, END, "the peer has closed its direction",                                        \
      "no more data follows; what was counted is complete")                                        \
    X(E_MISUSE, -10, YOURS, "the call does not fit the object's state or its arguments",           \
      "read the function's comment; nothing changed")                                              \
    X(E_MEMORY, -11, YOURS, "out of memory", "free some memory and call again")                    \
    X(E_ROOM, -12, YOURS, "the buffer is too small for the next frame",                            \
      "call again with the size that was returned; nothing is lost")                               \
    X(E_LENGTH, -13, YOURS, "the payload is longer than the peer accepts",                         \
      "split it, or raise the limit that the peer announces")                                      \
    X(E_CODE, -14, YOURS, "the next frame has another code than this call accepts",                \
      "receive it with duet_channel_recv_message()")                                               \
    X(E_FORMAT, -15, YOURS, "a text or file is malformed",                                         \
      "the detail names the line; correct it, or make the file again")                             \
    X(E_CRYPTO, -20, FATAL, "libcrypto failed", "check for a broken or restricted libcrypto")      \
    X(E_IO, -21, FATAL, "a read or write failed", "the detail has the system's error")             \
    X(E_FORKED, -22, FATAL, "the process was forked while it used this object",                    \
      "use an object only in the process that made it: a copy would reuse its keystream")          \
    X(E_CALLBACK, -23, FATAL, "a function of the application's own failed",                        \
      "the detail says which; own.h says what it must guarantee")                                  \
    X(E_UNAUTHENTICATED, -30, THEIRS, "the peer did not prove that it holds the secret",           \
      "compare secret id (duet key show), profile, pattern and identities at both "                \
      "ends; is it duet at all?")                                                                  \
    X(E_TRUNCATED, -31, THEIRS, "truncated: the stream ended without CLOSE",                       \
      "what was counted is verified but not complete; connect again and resume")                   \
    X(E_FORGED, -32, THEIRS, "a frame's MAC is wrong: the frame was altered or forged",            \
      "what was counted is verified; find what alters the stream, then connect again")             \
    X(E_SEQUENCE, -33, THEIRS,                                                                     \
      "a sequence number is wrong: a frame was dropped, replayed or reordered",                    \
      "what was counted is verified; find what alters the stream, then connect again")             \
    X(E_CHECKSUM, -34, THEIRS, "a header's checksum is wrong: it was altered, or the keys differ", \
      "what was counted is verified; find what alters the stream, then connect again")             \
    X(E_TOO_LONG, -35, THEIRS, "a frame is longer than this side accepts",                         \
      "the peer ignores the announced limit, or the stream was altered")                           \
    X(E_PROTOCOL, -36, THEIRS, "the peer violated the protocol",                                   \
      "the detail names the rule; compare the versions at both ends")                              \
    X(E_UNTRUSTED, -37, THEIRS, "the peer's identity is not trusted",                              \
      "the detail names its public key; add it to the peers file if you trust it")

#define DUET__ENUM(name, number, class, sentence, cure) DUET_##name = (number),
/** Every result. */
enum duet_result { DUET_RESULTS(DUET__ENUM) DUET__RESULT_END = 1 };
#undef DUET__ENUM

/** One line of the list. */
typedef struct duet_result_info {
    int number;
    enum duet_class kind;
    const char *name;     /**< as in the source, such as "DUET_E_FORGED" */
    const char *sentence; /**< what it means */
    const char *cure;     /**< what to do */
} duet_result_info;

/**
 * Look up a result.
 *
 * Returns its line of the list, static and constant; NULL for a number that is not in the list.
 * Since 0.1.
 */
DUET_API const duet_result_info *duet_explain(int result);

#ifdef __cplusplus
}
#endif

#endif
