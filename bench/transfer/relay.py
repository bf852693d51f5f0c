#!/usr/bin/env python3
"""A TCP relay that holds every byte for so many milliseconds each way: relay.py PORT TARGET MS [LOSS].

With LOSS, a share of packets such as 0.0001, each direction of a connection carries no more than a TCP
without selective acknowledgement would (Reno): it begins with 10 packets a round trip, doubles them until
the first loss, then sends one more each round trip; a round trip with a loss halves them, and what follows
the lost packet comes a round trip later. Which packets are lost is the same in each run.
"""

import asyncio
import random
import sys

CHUNK = 1 << 20  # bytes of one read
PACKET = 1448  # bytes of content in a packet
PACKETS_MOST = 4096  # in a round trip: a receiver's window of 5.9 MB
PORT, TARGET, DELAY = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000
LOSS = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
ROUND = 2 * DELAY


async def write_late(queue, writer):
    """Write what was queued when its time has come; an empty entry is the end."""
    loop = asyncio.get_running_loop()
    while True:
        due, data = await queue.get()
        await asyncio.sleep(max(0.0, due - loop.time()))
        if not data:
            if writer.can_write_eof():
                writer.write_eof()
            return
        writer.write(data)
        await writer.drain()


async def queue_all(reader, queue):
    """Queue what comes as it comes. Returns when the last byte is due."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(CHUNK):
        queue.put_nowait((loop.time() + DELAY, data))
    return loop.time() + DELAY


async def read_until(reader, most, end):
    """Up to `most` bytes that come before the loop's time `end`. None: there are none yet."""
    try:
        return await asyncio.wait_for(reader.read(most), max(0.001, end - asyncio.get_running_loop().time()))
    except asyncio.TimeoutError:
        return None


async def queue_as_reno(reader, queue, draw):
    """Queue what comes, as much in each round trip as the window allows. Returns as queue_all()."""
    loop = asyncio.get_running_loop()
    window, threshold, late = 10, PACKETS_MOST, 0.0
    while True:
        end, room, over = loop.time() + ROUND, window * PACKET, False
        packets = 0
        lost = False
        while room > 0 and loop.time() < end and not over:
            data = await read_until(reader, room, end)
            if data is None:
                break
            over = not data
            room -= len(data)
            count = -(-len(data) // PACKET)
            packets += count
            if draw.random() >= (1 - LOSS) ** count:
                lost, late = True, max(late, loop.time() + DELAY + ROUND)
            late = max(late, loop.time() + DELAY)
            if data:
                queue.put_nowait((late, data))
        if over:
            return late
        if lost:
            window = threshold = max(2, window // 2)
        elif room <= 0:
            window = min(PACKETS_MOST, 2 * window if window < threshold else window + 1)
        await asyncio.sleep(max(0.0, end - loop.time()))


async def carry(reader, writer, draw):
    queue = asyncio.Queue()
    writing = asyncio.create_task(write_late(queue, writer))
    last = 0.0
    try:
        last = await (queue_as_reno(reader, queue, draw) if LOSS else queue_all(reader, queue))
    except OSError:
        pass
    queue.put_nowait((last, b""))
    try:
        await writing
    except OSError:
        pass


async def serve(reader, writer):
    serve.count += 1
    draws = random.Random(2 * serve.count), random.Random(2 * serve.count + 1)
    await asyncio.sleep(ROUND)  # the connection's own round trip
    there, back = await asyncio.open_connection("127.0.0.1", TARGET)
    await asyncio.gather(carry(reader, back, draws[0]), carry(there, writer, draws[1]))
    for end in (writer, back):
        end.close()


async def main():
    serve.count = 0
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, limit=CHUNK)
    await server.serve_forever()


asyncio.run(main())
