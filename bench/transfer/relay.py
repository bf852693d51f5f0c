#!/usr/bin/env python3
"""A TCP relay that holds every byte for so many milliseconds each way: relay.py PORT TARGET MS."""

import asyncio
import sys

CHUNK = 1 << 20  # bytes of one read
PORT, TARGET, DELAY = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) / 1000


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


async def carry(reader, writer):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()
    late = asyncio.create_task(write_late(queue, writer))
    try:
        while data := await reader.read(CHUNK):
            queue.put_nowait((loop.time() + DELAY, data))
    except OSError:
        pass
    queue.put_nowait((loop.time() + DELAY, b""))
    try:
        await late
    except OSError:
        pass


async def serve(reader, writer):
    await asyncio.sleep(2 * DELAY)  # the connection's own round trip
    there, back = await asyncio.open_connection("127.0.0.1", TARGET)
    await asyncio.gather(carry(reader, back), carry(there, writer))
    for end in (writer, back):
        end.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    await server.serve_forever()


asyncio.run(main())
