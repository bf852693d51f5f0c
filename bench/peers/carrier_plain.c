/*
 * TCP alone as a carrier: the cost of the connection itself.
 */
#include "bench/peers/carrier.h"

#include <stdlib.h>
#include <sys/socket.h>

static void *
open_end(const struct carrier *carrier, int fd, int far)
{
    int *end = malloc(sizeof *end);
    (void)carrier;
    (void)far;
    if (end != NULL)
        *end = fd;
    return end;
}

static int
send_all(void *end, const uint8_t *data, size_t size, size_t count)
{
    size_t left = size * count;
    while (left > 0) {
        ssize_t put = send(*(int *)end, data, left, MSG_NOSIGNAL);
        if (put <= 0)
            return -1;
        data += put;
        left -= (size_t)put;
    }
    return 0;
}

static int
receive(void *end, uint8_t *buffer, size_t size, size_t least, size_t *got)
{
    for (*got = 0; *got < least;) {
        ssize_t put = recv(*(int *)end, buffer + *got, size - *got, 0);
        if (put <= 0)
            return -1;
        *got += (size_t)put;
    }
    return 0;
}

const struct carrier carrier_plain = {
    .name = "plain",
    .open = open_end,
    .send = send_all,
    .recv = receive,
    .close = free,
};
