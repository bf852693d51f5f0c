/*
 * A recorded first flight: from a capture by tcpdump(8), of which the first TCP connection's
 * opening bytes count, up to the first that the listener sent; or from a file that holds nothing
 * else.
 */
#include "keys.h"
#include "log.h"
#include "probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CAPTURE_MOST = 64 << 20, GLOBAL_HEADER = 24, RECORD_HEADER = 16 };
enum { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_RAW = 101, LINK_SLL = 113, LINK_SLL2 = 276 };
enum { TCP_FIN = 1, TCP_SYN = 2, TCP_ACK = 16, PROTOCOL_TCP = 6 };
enum { WINDOW = 1 << 24 };

/** A part of the capture. */
struct part {
    const uint8_t *at;
    size_t size;
};

/** What is known of the first connection. */
struct flow {
    int begun, answered;
    uint16_t from, to; /* ports */
    uint32_t first;    /* SEQ of its first byte */
    uint8_t *bytes;    /* PROBE_FLIGHT_MOST of them */
    uint8_t *have;     /* 1: that byte has come */
};

static uint32_t
number(const uint8_t *at, unsigned size, int little)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value = value << 8 | at[little ? size - 1 - i : i];
    return value;
}

/** Remove the first bytes of a part. Returns 0, or -1: it is shorter. */
static int
skip(struct part *part, size_t size)
{
    if (part->size < size)
        return -1;
    part->at += size;
    part->size -= size;
    return 0;
}

/** Remove a packet's header of the link. Returns 0, or -1. */
static int
skip_link(struct part *packet, uint32_t link)
{
    size_t size = 14;

    if (link == LINK_ETHERNET && packet->size >= 18 && number(packet->at + 12, 2, 0) == 0x8100)
        size = 18; /* a VLAN's tag */
    else if (link == LINK_NULL)
        size = 4;
    else if (link == LINK_RAW)
        size = 0;
    else if (link == LINK_SLL)
        size = 16;
    else if (link == LINK_SLL2)
        size = 20;
    return skip(packet, size);
}

/** Remove a packet's header of IP, and what lies after its end. Returns 0, or -1: not of TCP. */
static int
skip_ip(struct part *packet)
{
    const uint8_t *at = packet->at;
    unsigned version = packet->size > 0 ? at[0] >> 4 : 0;
    size_t header = version == 4 ? 4u * (at[0] & 15) : 40, whole;

    if ((version != 4 && version != 6) || header < 20 || packet->size < header)
        return -1;
    if (at[version == 4 ? 9 : 6] != PROTOCOL_TCP)
        return -1;
    whole = version == 4 ? number(at + 2, 2, 0) : header + number(at + 4, 2, 0);
    if (whole < header || whole > packet->size)
        return -1;
    packet->size = whole;
    return skip(packet, header);
}

/** Take a segment of TCP. */
static void
take_segment(struct flow *flow, struct part segment)
{
    const uint8_t *at = segment.at;

    if (segment.size < 20)
        return;
    uint16_t from = (uint16_t)number(at, 2, 0), to = (uint16_t)number(at + 2, 2, 0);
    uint32_t seq = number(at + 4, 4, 0);
    unsigned flags = at[13];
    if (!flow->begun && (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) {
        flow->begun = 1;
        flow->from = from;
        flow->to = to;
        flow->first = seq + 1;
    }
    if (!flow->begun || skip(&segment, (size_t)(at[12] >> 4) * 4) != 0 || segment.size == 0)
        return;
    if (from == flow->to && to == flow->from)
        flow->answered = 1;
    if (from != flow->from || to != flow->to || flow->answered)
        return;
    uint32_t place = seq - flow->first;
    for (size_t i = 0; i < segment.size && place < WINDOW && place + i < PROBE_FLIGHT_MOST; i++) {
        flow->bytes[place + i] = segment.at[i];
        flow->have[place + i] = 1;
    }
}

/** Take all packets of a capture. Returns NULL, or what is wrong. */
static const char *
take_packets(struct flow *flow, struct part file)
{
    int little = file.at[0] == 0xd4 || file.at[0] == 0x4d;
    uint32_t link = number(file.at + 20, 4, little) & 0xffff;

    (void)skip(&file, GLOBAL_HEADER);
    while (file.size >= RECORD_HEADER && !flow->answered) {
        struct part packet = {file.at + RECORD_HEADER, number(file.at + 8, 4, little)};
        if (packet.size > file.size - RECORD_HEADER)
            break; /* the capture was cut */
        if (skip(&file, RECORD_HEADER + packet.size) == 0 && skip_link(&packet, link) == 0 &&
            skip_ip(&packet) == 0)
            take_segment(flow, packet);
    }
    return flow->begun ? NULL : "no TCP connection begins in it; record from before the connect";
}

/** 1 when a file begins as pcap does, in either order of bytes, with micro- or nanoseconds. */
static int
is_pcap(const struct part *file)
{
    static const uint8_t magics[][4] = {{0xd4, 0xc3, 0xb2, 0xa1},
                                        {0x4d, 0x3c, 0xb2, 0xa1},
                                        {0xa1, 0xb2, 0xc3, 0xd4},
                                        {0xa1, 0xb2, 0x3c, 0x4d}};

    for (unsigned i = 0; i < 4; i++)
        if (file->size >= GLOBAL_HEADER &&
            memcmp(file->at, magics[i], 4) == 0) /* public: a capture */
            return 1;
    return 0;
}

static const char *
take_pcap(struct probe *probe, struct part file)
{
    struct flow flow = {.bytes = probe->flight, .have = calloc(1, PROBE_FLIGHT_MOST)};
    const char *wrong = flow.have != NULL ? take_packets(&flow, file) : "no memory";

    while (wrong == NULL && probe->flight_size < PROBE_FLIGHT_MOST && flow.have[probe->flight_size])
        probe->flight_size++;
    free(flow.have);
    return wrong;
}

static const char *
take_file(struct probe *probe, struct part file)
{
    const char *wrong = NULL;

    if (file.size >= 4 && memcmp(file.at, "\x0a\x0d\x0d\x0a", 4) == 0) /* public: a capture */
        return "this is pcapng; write it by tcpdump -w, or turn it into pcap (editcap -F pcap)";
    if (is_pcap(&file)) {
        wrong = take_pcap(probe, file);
    } else {
        probe->flight_size = file.size < PROBE_FLIGHT_MOST ? file.size : PROBE_FLIGHT_MOST;
        memcpy(probe->flight, file.at, probe->flight_size);
    }
    if (wrong == NULL && probe->flight_size < 2)
        wrong = "there is no first flight in it";
    return wrong;
}

int
capture_read(struct probe *probe, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat status = {0};
    const char *wrong = NULL;
    uint8_t *bytes = NULL;
    size_t size = 0;

    if (file == NULL || fstat(fileno(file), &status) != 0)
        wrong = errno_text();
    else if (!S_ISREG(status.st_mode) || status.st_size > CAPTURE_MOST)
        wrong = "not a regular file, or larger than 64 MiB";
    else if ((bytes = malloc((size_t)status.st_size + 1)) == NULL ||
             (probe->flight = calloc(1, PROBE_FLIGHT_MOST)) == NULL)
        wrong = "no memory";
    if (wrong == NULL) {
        size = fread(bytes, 1, (size_t)status.st_size, file);
        wrong = take_file(probe, (struct part){bytes, size});
    }
    if (file != NULL)
        (void)fclose(file);
    free(bytes);
    return wrong == NULL ? EXIT_DONE
                         : log_error(EXIT_USAGE, "--capture %s: %s", printable(path), wrong);
}
