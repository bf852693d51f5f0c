"""A bad network: passes connections on to 127.0.0.1:TARGET, and delays, cuts, alters or refuses them.

  bad_network.py LISTEN TARGET [--delay SECONDS] [--cut BYTES] [--fin] [--flip BYTES] [--refuse PERCENT]

--cut ends a connection after 1 to BYTES bytes in either direction, by a reset, or in order with
--fin; --flip changes one bit somewhere there; --refuse resets so many of those who come. Choices are
drawn from one seed, so that a run can be repeated.
"""

import argparse
import asyncio
import random
import socket
import struct

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("listen", type=int)
options.add_argument("target", type=int)
options.add_argument("--delay", type=float, default=0)
options.add_argument("--cut", type=int, default=0)
options.add_argument("--fin", action="store_true")
options.add_argument("--flip", type=int, default=0)
options.add_argument("--refuse", type=int, default=0)
settings = options.parse_args()
draw = random.Random(1)


def reset(writer):
    """Close at once, so that the other end sees a reset."""
    plug = writer.get_extra_info("socket")
    if plug is not None and not settings.fin:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if not settings.fin else writer.close()


async def carry(reader, writer, cut, flip):
    """One direction; returns True where it was cut and False where it came to its end."""
    passed = 0
    queue = asyncio.Queue(maxsize=64)  # what is under way on a slow network

    async def deliver():
        while True:
            due, piece = await queue.get()
            if piece is None:
                break
            await asyncio.sleep(max(0, due - asyncio.get_running_loop().time()))
            writer.write(piece)
            await writer.drain()

    delivery = asyncio.ensure_future(deliver())
    try:
        while piece := await reader.read(65536):
            if flip and passed <= flip < passed + len(piece):
                piece = bytearray(piece)
                piece[flip - passed] ^= 1 << draw.randrange(8)
            passed += len(piece)
            late = cut and passed >= cut
            if late:
                piece = piece[: len(piece) - (passed - cut)]
            await queue.put((asyncio.get_running_loop().time() + settings.delay, bytes(piece)))
            if late:
                await queue.put((0, None))
                await delivery
                return True
        await queue.put((0, None))
        await delivery
        if writer.can_write_eof():
            writer.write_eof()
        return False
    finally:
        delivery.cancel()


async def meet(reader, writer):
    """A connection that came."""
    if draw.randrange(100) < settings.refuse:
        reset(writer)
        return
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", settings.target)
    for end in (writer, there_writer):
        end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    places = [draw.randrange(1, most + 1) if most else 0 for most in
              (settings.cut, settings.cut, settings.flip)]
    ways = [asyncio.ensure_future(carry(reader, there_writer, places[0], places[2])),
            asyncio.ensure_future(carry(there_reader, writer, places[1], 0))]
    try:
        waiting = set(ways)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(way.exception() or way.result() for way in done):
                break
    finally:
        for way in ways:
            way.cancel()
        reset(writer)
        reset(there_writer)


async def main():
    """Serve until killed."""
    server = await asyncio.start_server(meet, "127.0.0.1", settings.listen, backlog=1024)
    async with server:
        await server.serve_forever()


asyncio.run(main())
