/*
 * What all of the store uses (see store.h): refusals, names, and what a file or folder gets when it
 * is whole.
 */
#include "store.h"

#include "log.h"
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <openssl/evp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHORT_HASH = 8 }; /* bytes */

/* ---- Refusals ---- */

int
store_refuse(struct store *store, const struct store_item *item, const char *format, ...)
{
    va_list arguments;
    int size = snprintf(store->why, sizeof store->why, "%.300s: ", printable(item->name));

    if (size >= 0 && (size_t)size < sizeof store->why) {
        va_start(arguments, format);
        vsnprintf(store->why + size, sizeof store->why - (size_t)size, format, arguments);
        va_end(arguments);
    }
    return -1;
}

int
store_fail(struct store *store, const struct store_item *item)
{
    const char *cure = errno == ENOSPC || errno == EDQUOT || errno == EFBIG
                           ? "; make room and run the same command again at both ends to resume"
                           : "";

    store->code = EXIT_LOCAL;
    return store_refuse(store, item, "%s%s", errno_text(), cure);
}

void
store_lacks(struct store *store, enum store_step step, const struct store_item *item)
{
    static const char *const texts[] = {[STEP_LOCK] =
                                            "no locks, so do not receive it twice at once",
                                        [STEP_MODE] = "no modes, so it has the file system's",
                                        [STEP_TIME] = "no times, so it has the time of now",
                                        [STEP_SYNC] = "no sync, so a power cut may lose it",
                                        [STEP_OWNER] = "no owner, so it has this user's",
                                        [STEP_ATTRIBUTE] = "not all extended attributes"};

    if ((store->warned & step) == 0)
        log_warning("%s: this file system takes %s (%s); the same goes for other files",
                    printable(item->name), texts[step], errno_text());
    store->warned |= step;
}

/* ---- Names ---- */

int
name_check(const char *name)
{
    const size_t part = sizeof STORE_PART - 1;

    if (*name == 0)
        return -1;
    while (*name != 0) {
        size_t size = strcspn(name, "/");
        if (size == 0 || size > NAME_MAX)
            return -1;
        /* public: names */
        if (size >= part && memcmp(name + size - part, STORE_PART, part) == 0)
            return -1;
        if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.')))
            return -1;
        name += size;
        if (*name == '/' && *++name == 0)
            return -1;
    }
    return 0;
}

const char *
item_base(const struct store_item *item, const char *base)
{
    return item->as != NULL ? item->as : base;
}

void
part_name(char out[NAME_MAX + 1], const char *base)
{
    uint8_t hash[EVP_MAX_MD_SIZE] = {0};
    char digits[2 * SHORT_HASH + 1];
    size_t size = strlen(base), most = NAME_MAX - (sizeof STORE_PART - 1);

    if (size <= most) {
        snprintf(out, NAME_MAX + 1, "%.*s%s", (int)most, base, STORE_PART);
        return;
    }
    /* Too long with the ending: its beginning, and a hash of the whole name. */
    (void)EVP_Digest(base, size, hash, NULL, EVP_sha256(), NULL);
    to_hex(digits, hash, SHORT_HASH);
    size = most - sizeof digits;
    while (size > 0 && ((unsigned char)base[size] >> 6) == 2) /* in the middle of a character */
        size--;
    snprintf(out, NAME_MAX + 1, "%.*s~%s%s", (int)size, base, digits, STORE_PART);
}

int
part_is_ours(const struct stat *status)
{
    return S_ISREG(status->st_mode) && status->st_uid == geteuid() && status->st_nlink == 1;
}

/* ---- Comparing and counting ---- */

int
is_equal_file(const struct store_item *item, const struct stat *status)
{
    /* A file system that keeps whole seconds shows no nanoseconds. */
    return S_ISREG(status->st_mode) && (uint64_t)status->st_size == item->size &&
           status->st_mtim.tv_sec == item->seconds &&
           (status->st_mtim.tv_nsec == (long)item->nanoseconds || status->st_mtim.tv_nsec == 0);
}

int
store_count_bytes(struct store *store, const struct store_item *item, uint64_t size)
{
    uint64_t most = store->most_bytes != 0 ? store->most_bytes : UINT64_MAX;

    if (size > most - store->bytes)
        return store_refuse(store, item, "more bytes than --max-size allows");
    store->bytes += size;
    return 0;
}

/* ---- What is whole ---- */

void
store_owner(const struct store_item *item, uid_t *owner, gid_t *group)
{
    const struct passwd *user = *item->owner_name != 0 ? getpwnam(item->owner_name) : NULL;
    const struct group *members = *item->group_name != 0 ? getgrnam(item->group_name) : NULL;

    *owner = user != NULL ? user->pw_uid : item->owner;
    *group = members != NULL ? members->gr_gid : item->group;
}

/** Set an item's extended attributes. Returns 0, or -1 where one could not be set. */
static int
set_attributes(const struct store_item *item, int fd)
{
    struct fields fields = {item->attributes, item->attributes_size, 0};
    char name[256]; /* the most that Linux takes is 255 */
    int bad = 0;

    while (fields.left > 0) {
        size_t size = (size_t)field(&fields, 2);
        if (fields.bad || size >= sizeof name || size > fields.left)
            return -1;
        memcpy(name, fields.at, size);
        name[size] = 0;
        fields.at += size;
        fields.left -= size;
        size = (size_t)field(&fields, 2);
        if (fields.bad || size > fields.left)
            return -1;
        /* Of the system's, only access lists: security.* and trusted.* could give rights. */
        int may = strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0;
        bad |= !may || duet__os_set_attribute(fd, name, fields.at, size) != 0;
        fields.at += size;
        fields.left -= size;
    }
    return bad ? -1 : 0;
}

void
store_dress(struct store *store, const struct store_item *item, int fd)
{
    const struct timespec times[2] = {
        {.tv_sec = 0, .tv_nsec = UTIME_NOW},
        {.tv_sec = (time_t)item->seconds, .tv_nsec = (long)item->nanoseconds}};
    mode_t mode = item->mode;
    uid_t owner;
    gid_t group;

    if (store->owner && (item->flags & OFFER_OWNED) != 0) {
        store_owner(item, &owner, &group);
        if (fchown(fd, owner, group) != 0)
            store_lacks(store, STEP_OWNER, item);
    }
    if ((item->flags & OFFER_NO_MODE) != 0 || store->no_perms)
        mode = item->kind == OFFER_FILE ? 0666 : 0777;
    if (fchmod(fd, mode & ~store->umask) != 0)
        store_lacks(store, STEP_MODE, item);
    if (store->xattrs && set_attributes(item, fd) != 0)
        store_lacks(store, STEP_ATTRIBUTE, item);
    if (futimens(fd, times) != 0)
        store_lacks(store, STEP_TIME, item);
}

void
store_note_mount(struct store *store, int folder)
{
    struct stat status;

    if (store->dry || fstat(folder, &status) != 0 || status.st_dev == store->device)
        return;
    for (unsigned i = 0; i < store->mount_count; i++)
        if (store->mounts[i].device == status.st_dev)
            return;
    int copy = store->mount_count < STORE_MOUNTS ? fcntl(folder, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0) {
        store->many_mounts = 1;
        return;
    }
    store->mounts[store->mount_count].device = status.st_dev;
    store->mounts[store->mount_count++].fd = copy;
}
