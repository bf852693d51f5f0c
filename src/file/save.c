/*
 * Writes a key into a new file that nobody else reads, all of it or nothing.
 */
#include "file/file.h"

#include "os/os.h"
#include "secret/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REASON_SIZE = 80 }; /* bytes of the system's reason */

static int
write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

int
duet__file_write(const char *path, const char *text, size_t size, duet_where *where)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    char reason[REASON_SIZE];

    if (fd < 0 && errno == EEXIST)
        return duet__file_refuse(where, DUET_E_IO,
                                 "already exists; a key is never overwritten, so choose another "
                                 "name or move it away");
    if (fd < 0) {
        duet__os_reason(reason, sizeof reason, errno);
        return duet__file_refuse(where, DUET_E_IO, "%s; choose another place for the key", reason);
    }
    int bad = fchmod(fd, 0600) != 0 || write_all(fd, text, size) != 0 || fsync(fd) != 0;
    int error = errno;
    if (close(fd) == 0 && !bad)
        return DUET_OK;
    duet__os_reason(reason, sizeof reason, bad ? error : errno);
    unlink(path);
    return duet__file_refuse(where, DUET_E_IO, "%s; nothing is left of the key", reason);
}

/** The text of a key, to be released by duet__owned_text_free(). */
static int
format_key(struct duet__owned_text *text, const duet_key *key)
{
    *text = (struct duet__owned_text){0};
    int result = duet_key_format(key, NULL, 0, &text->size);
    if (result != DUET_E_ROOM)
        return result;
    text->text = malloc(text->size);
    if (text->text == NULL)
        return DUET_E_MEMORY;
    return duet_key_format(key, text->text, text->size, &text->size);
}

static int
seal_text(struct duet__owned_text *text, const char *passphrase, size_t size, duet_where *where)
{
    struct duet__owned_text sealed;
    uint8_t salt[DUET__SALT];

    if (duet__os_random(salt, sizeof salt) != 0)
        return duet__file_refuse(where, DUET_E_IO, "the system has no randomness");
    int result = duet__sealed_make(&sealed, (struct duet__bytes){text->text, text->size},
                                   (struct duet__bytes){passphrase, size}, salt, DUET__WORK);
    if (result == DUET_OK) {
        duet__owned_text_free(text);
        *text = sealed;
    }
    return result;
}

int
duet_key_save(const duet_key *key, const char *path, const char *passphrase, size_t size,
              duet_where *where)
{
    struct duet__owned_text text;
    duet_where room;

    where = duet__where(where, &room);
    int result = format_key(&text, key);
    if (result == DUET_OK && passphrase != NULL)
        result = seal_text(&text, passphrase, size, where);
    if (result == DUET_OK)
        result = duet__file_write(path, text.text, text.size, where);
    duet__owned_text_free(&text);
    return result;
}
