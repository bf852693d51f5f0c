/*
 * Wires in memory (see wires.h). Defines all functions of the four files of src/os that the library
 * uses, so that the linker never links those.
 */
#include "wires.h"
#include "fuzz.h"

#include "os/os.h"

#include <duet/error.h>
#include <string.h>

enum { RING = 1 << 18 }; /* bytes that a wire holds */

struct wire wires[WIRES];
int wires_no_memory;
void (*wires_in_vain)(unsigned end);
static uint32_t drawn; /* random bytes so far */
static uint64_t now;   /* milliseconds */
static uint8_t rings[WIRES][RING];

static size_t
least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- The target's side ---- */

void
wires_begin(unsigned tcp)
{
    for (unsigned i = 0; i < WIRES; i++)
        wires[i] = (struct wire){.room = SIZE_MAX,
                                 .mark = 1,
                                 .holds = 40000,
                                 .damage = SIZE_MAX,
                                 .tcp = (tcp >> i / 2 & 1) != 0};
    wires_no_memory = 0;
    drawn = 0;
    now = 1;
}

void
wires_carry(unsigned end, size_t n)
{
    struct wire *wire = &wires[end];

    if (!wire->cut)
        wire->carried += least_of(n, wire->written - wire->carried);
}

void
wires_damage(unsigned end, size_t ahead, uint8_t mask)
{
    struct wire *wire = &wires[end];
    size_t left = wire->written - wire->taken;

    if (left == 0 || mask == 0)
        return;
    size_t at = wire->taken + ahead % left;
    if (at == wire->damage)
        return; /* the same again would mend it */
    rings[end][at % RING] ^= mask;
    wire->damage = least_of(wire->damage, at);
}

int
wires_readable(unsigned end)
{
    const struct wire *wire = &wires[end];

    return wire->cut || wire->carried - wire->taken >= wire->mark;
}

/* ---- The system's side ---- */

static struct wire *
wire_of(int fd)
{
    need(fd >= 0 && fd < WIRES);
    return &wires[fd];
}

/** What is there for a reader. Returns DUET_OK, DUET_AGAIN, DUET_CLOSED. */
static int
there(const struct wire *wire, size_t *size)
{
    *size = wire->carried - wire->taken;
    if (*size > 0)
        return DUET_OK;
    return wire->cut ? DUET_CLOSED : DUET_AGAIN;
}

static void
copy_out(uint8_t *out, int fd, size_t from, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t at = (from + done) % RING, n = least_of(size - done, RING - at);
        memcpy(out + done, rings[fd] + at, n);
        done += n;
    }
}

static void
copy_in(int fd, size_t to, const uint8_t *in, size_t size)
{
    for (size_t done = 0; done < size;) {
        size_t at = (to + done) % RING, n = least_of(size - done, RING - at);
        memcpy(rings[fd] + at, in + done, n);
        done += n;
    }
}

int
duet__os_kind(enum duet__os_kind *kind, int fd)
{
    *kind = wire_of(fd)->tcp ? DUET__OS_TCP : DUET__OS_SOCKET;
    return 0;
}

int
duet__os_carries_stream(int fd, int write, int file)
{
    (void)fd;
    (void)write;
    (void)file;
    return 1;
}

int
duet__os_is_tcp(int fd)
{
    return wire_of(fd)->tcp;
}

int
duet__os_random(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++, drawn++)
        out[i] = (uint8_t)((drawn * 2654435761u) >> 24);
    return 0;
}

int
duet__os_result(int reason)
{
    (void)reason;
    return DUET_E_IO;
}

int
duet__os_readable(int fd)
{
    return wires_readable((unsigned)fd);
}

int
duet__os_read(int fd, enum duet__os_kind kind, const struct duet__os_piece *pieces, unsigned count,
              size_t *got)
{
    struct wire *wire = wire_of(fd);
    size_t left;
    int result = there(wire, &left);

    (void)kind;
    *got = 0;
    for (unsigned i = 0; result == DUET_OK && i < count; i++) {
        size_t n = least_of(left, pieces[i].size);
        copy_out(pieces[i].at, fd, wire->taken, n);
        wire->taken += n;
        left -= n;
        *got += n;
    }
    return result;
}

int
duet__os_peek(int fd, int patient, uint8_t *at, size_t size, size_t *got)
{
    const struct wire *wire = wire_of(fd);
    size_t left;
    int result = there(wire, &left);

    need(!patient); /* a polled call never waits */
    *got = least_of(left, size);
    if (at != NULL)
        copy_out(at, fd, wire->taken, *got);
    return result;
}

int
duet__os_drop(int fd, uint8_t *at, size_t size)
{
    (void)at;
    struct wire *wire = wire_of(fd);

    need(size <= wire->carried - wire->taken);
    wire->taken += size;
    return DUET_OK;
}

int
duet__os_limit_peeks(int fd, int on)
{
    (void)fd;
    (void)on;
    return -1;
}

int
duet__os_low_water(int fd, size_t size)
{
    struct wire *wire = wire_of(fd);

    if (size > wire->holds)
        return -1;
    wire->mark = size;
    return 0;
}

int
duet__os_write(int fd, enum duet__os_kind kind, const uint8_t *data, size_t size, size_t *put)
{
    struct wire *far = wire_of(fd ^ 1);
    size_t n = least_of(least_of(size, far->room), RING - (far->written - far->taken));

    (void)kind;
    copy_in(fd ^ 1, far->written, data, n);
    far->written += n;
    if (far->room != SIZE_MAX)
        far->room -= n;
    *put = n;
    return n > 0 ? DUET_OK : DUET_AGAIN;
}

/** While a call waits, all bytes on their way to it arrive; when poll() would not report them, its
 * time passes. */
int
duet__os_wait(int rfd, int wfd, int woken, unsigned want, int timeout_ms)
{
    struct wire *far = wire_of(wfd ^ 1);

    (void)woken;
    need(timeout_ms > 0);
    wires_carry((unsigned)rfd, SIZE_MAX);
    far->room = SIZE_MAX;
    if ((want & DUET__OS_READ) && wires_readable((unsigned)rfd))
        return 0;
    if ((want & DUET__OS_WRITE) && far->written - far->taken < RING)
        return 0;
    if (want & DUET__OS_READ)
        wires_in_vain((unsigned)rfd);
    now += (uint64_t)timeout_ms;
    return 0;
}

int
duet__os_wake_new(int ends[2])
{
    ends[0] = ends[1] = -1;
    return -1;
}

void
duet__os_wake(int end)
{
    (void)end;
}

void
duet__os_wake_free(const int ends[2])
{
    (void)ends;
}

uint64_t
duet__os_now_ms(void)
{
    return now;
}

uint64_t
duet__os_coarse_ms(void)
{
    return now;
}

uint64_t
duet__os_now_us(void)
{
    return now * 1000;
}

uint64_t
duet__os_unix_ms(void)
{
    return now;
}

void
duet__os_reason(char *out, size_t cap, int reason)
{
    (void)reason;
    if (cap > 0)
        out[0] = 0;
}

/** The linker has what the library allocates pass here (--wrap). */
void *
__wrap_malloc(size_t size)
{
    if (wires_no_memory != 1)
        return __real_malloc(size);
    wires_no_memory = 2;
    return NULL;
}
