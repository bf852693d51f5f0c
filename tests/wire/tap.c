/*
 * The wire for other programs to look at: wire_tap stream BYTES writes one direction that carries
 * zeros to standard output; wire_tap pcap SESSIONS a capture of so many sessions of each pattern as
 * TCP flows, and one of HTTP, which shows that the reader would notice; wire_tap noise SESSIONS the
 * same flows with random bytes in place of the sessions'.
 */
#include "wire/flights.h"

#include "os/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ETHERNET = 14, IP = 20, TCP = 20, HEADERS = ETHERNET + IP + TCP, SEGMENT = 1460 };
enum { FIN = 1, SYN = 2, PUSH = 8, ACK = 16 };

/** One flow: what each end has sent, and the client's port. */
struct flow {
    uint32_t next[2];
    unsigned port;
};

static unsigned packets; /* their times: a millisecond apart */
static int noise;        /* 1: random bytes in place of what was seen */

static void
put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

static void
write_all(const void *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, stdout) != size)
        exit(1);
}

/** The checksum of the IP header, which readers hold it to. */
static void
sum_ip(uint8_t *ip)
{
    uint32_t sum = 0;

    for (int i = 0; i < IP; i += 2)
        sum += (uint32_t)ip[i] << 8 | ip[i + 1];
    sum = (sum & 0xFFFF) + (sum >> 16);
    put16(ip + 10, ~((sum & 0xFFFF) + (sum >> 16)) & 0xFFFF);
}

static void
write_packet(struct flow *flow, int from, unsigned flags, const uint8_t *bytes, size_t size)
{
    static const uint8_t addresses[2][4] = {{10, 0, 0, 1}, {10, 0, 0, 2}};
    uint8_t packet[HEADERS] = {0};
    uint8_t *ip = packet + ETHERNET, *tcp = ip + IP;
    uint32_t record[4] = {packets / 1000, packets % 1000 * 1000, (uint32_t)(HEADERS + size),
                          (uint32_t)(HEADERS + size)};

    packets++;
    put16(packet + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IP + TCP + size));
    ip[8] = 64;
    ip[9] = 6;
    memcpy(ip + 12, addresses[from], 4);
    memcpy(ip + 16, addresses[1 - from], 4);
    sum_ip(ip);
    put16(tcp, from == 0 ? flow->port : 4000);
    put16(tcp + 2, from == 0 ? 4000 : flow->port);
    put32(tcp + 4, flow->next[from]);
    put32(tcp + 8, flags == SYN ? 0 : flow->next[1 - from]);
    tcp[12] = 5 << 4;
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, 65535);
    flow->next[from] += (uint32_t)size + ((flags & (SYN | FIN)) != 0);
    write_all(record, sizeof record);
    write_all(packet, sizeof packet);
    write_all(bytes, size);
}

static void
write_flight(void *context, enum duet_role from, const uint8_t *bytes, size_t size)
{
    uint8_t drawn[SEGMENT];

    for (size_t n; size > 0; bytes += n, size -= n) {
        n = size < SEGMENT ? size : SEGMENT;
        if (noise && duet__os_random(drawn, n) != 0)
            exit(1);
        write_packet(context, (int)from, PUSH | ACK, noise ? drawn : bytes, n);
    }
}

static void
begin_flow(struct flow *flow)
{
    static unsigned port = 20000;

    *flow = (struct flow){{1000, 2000}, port++};
    write_packet(flow, 0, SYN, NULL, 0);
    write_packet(flow, 1, SYN | ACK, NULL, 0);
    write_packet(flow, 0, ACK, NULL, 0);
}

static void
end_flow(struct flow *flow)
{
    write_packet(flow, 0, FIN | ACK, NULL, 0);
    write_packet(flow, 1, FIN | ACK, NULL, 0);
    write_packet(flow, 0, ACK, NULL, 0);
}

static void
capture(int sessions, int with_noise)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\n\r\n";
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                             "Content-Length: 2\r\n\r\nhi";
    const uint32_t head[6] = {0xA1B2C3D4, 2 | 4 << 16, 0, 0, 65535, 1}; /* pcap 2.4, Ethernet */
    struct flow flow;

    write_all(head, sizeof head);
    noise = 0;
    begin_flow(&flow);
    write_flight(&flow, DUET_TOP, (const uint8_t *)get, sizeof get - 1);
    write_flight(&flow, DUET_BOTTOM, (const uint8_t *)ok, sizeof ok - 1);
    end_flow(&flow);
    noise = with_noise;
    for (int i = 0; i < sessions * 3; i++) {
        begin_flow(&flow);
        flights_session((enum duet_pattern)(i % 3), write_flight, &flow);
        end_flow(&flow);
    }
}

static void
write_stream(void *context, enum duet_role from, const uint8_t *bytes, size_t size)
{
    (void)context;
    if (from == DUET_TOP)
        write_all(bytes, size);
}

int
main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "stream") == 0)
        flights_stream((size_t)strtoull(argv[2], NULL, 10), write_stream, NULL);
    else if (argc == 3 && strcmp(argv[1], "pcap") == 0)
        capture((int)strtol(argv[2], NULL, 10), 0);
    else if (argc == 3 && strcmp(argv[1], "noise") == 0)
        capture((int)strtol(argv[2], NULL, 10), 1);
    else
        return 2;
    return fflush(stdout) == 0 ? 0 : 1;
}
