"""Listeners and clients with one planted fault each, which duet probe must find (42-probe.sh).

    probe_faults.py FAULT [FILE|PORT]

Reports the port. All but the fault is as a listener of duet's: it reads in silence, and closes by FIN
at a time that does not depend on what came. FILE: the recorded flight, or the key; PORT:
where a client dials.
"""
import asyncio
import base64
import os
import random
import re
import socket
import struct
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop"))
sys.dont_write_bytecode = True

FAULT = sys.argv[1]
FILE = sys.argv[2] if len(sys.argv) > 2 else None
SILENCE = 1.37  # seconds, no whole number
OFFSET = 50
LEAST, MOST = 0.3, 1.7  # seconds after a violation


async def drop_until(reader, end, on_bytes=lambda seen: False):
    """Read and drop until the loop's time is `end`, or until on_bytes() says so."""
    loop, seen, ended = asyncio.get_running_loop(), b"", False
    while (left := end - loop.time()) > 0:
        if ended:
            await asyncio.sleep(left)
            return
        try:
            part = await asyncio.wait_for(reader.read(65536), left)
        except TimeoutError:
            return
        except ConnectionError:
            part = b""
        ended = not part
        seen += part
        if on_bytes(seen):
            return


def reset(writer):
    """Closing sends RST from now on."""
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def close_orderly(reader, writer):
    """Send FIN; bytes that are still on their way must not make an RST of it."""
    try:
        writer.write_eof()
        while await asyncio.wait_for(reader.read(65536), 60):
            pass
    except (OSError, TimeoutError):
        pass
    writer.close()


served = []


async def unproven(reader, writer):
    loop = asyncio.get_running_loop()
    begin = loop.time()
    stop = lambda seen: False
    if FAULT == "gone":
        served.append(1)
        if len(served) > 30:
            os._exit(0)
    if FAULT == "banner":
        writer.write(b"220 mail.example.org ESMTP\r\n")
    if FAULT == "offset":
        stop = lambda seen: len(seen) >= OFFSET
    if FAULT == "replay":
        flight = open(FILE, "rb").read()

        def stop(seen):
            if seen.startswith(flight) and not hasattr(writer, "answered"):
                writer.answered = True
                writer.write(random.randbytes(300))
            return False
    if FAULT == "constant":
        # To the millisecond, on a machine whose timers are coarse as well.
        await drop_until(reader, begin + 0.97)
        while loop.time() < begin + 1:
            await asyncio.sleep(0)
    else:
        await drop_until(reader, begin + SILENCE, stop)
    if FAULT == "reset":
        reset(writer)
        writer.close()
    else:
        await close_orderly(reader, writer)


async def live(reader, writer):
    """One that authenticates its peers: after a wrong CHECKSUM it closes sooner (flips), by RST
    (live-reset) or not without a byte (live-speaks), or always after the same time (live-constant)."""
    from duet import BOTTOM, Session, Violation

    text = open(FILE, encoding="utf-8").read()
    secret = base64.b64decode("".join(re.search(r"Secret = (.*)", text, re.S).group(1).split()))
    session, loop = Session(BOTTOM, secret, max_payload=65536), asyncio.get_running_loop()
    end, at_fault = loop.time() + SILENCE, None
    try:
        while left := max(0, end - loop.time()) if not session.ready else 60:
            part = await asyncio.wait_for(reader.read(65536), left)
            if not part:
                break
            session.receive(part)
            writer.write(session.out)
            session.out = b""
    except (Violation, TimeoutError, ConnectionError) as error:
        if session.ready:
            drawn = random.uniform(LEAST, MOST)
            if str(error) == "checksum":
                drawn = LEAST / 6 if FAULT == "flips" else drawn
                at_fault = FAULT
            end = loop.time() + (1.2 if FAULT == "live-constant" else drawn)
    if at_fault == "live-speaks":
        writer.write(b"?")
    await drop_until(reader, end)
    if at_fault == "live-reset":
        reset(writer)
        writer.close()
    else:
        await close_orderly(reader, writer)


async def record(reader, writer):
    """Not a fault: keeps the first flight of the first peer, and leaves it unanswered."""
    flight = await reader.read(65536)
    try:
        while part := await asyncio.wait_for(reader.read(65536), 0.5):
            flight += part
    except TimeoutError:
        pass
    with open(FILE + ".part", "wb") as file:
        file.write(flight)
    os.rename(FILE + ".part", FILE)
    writer.close()


async def client(port):
    """Clients that dial `port` again and again: they close after a constant time, whatever came
    (client-constant), or send something after an answer (client-answers)."""
    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        loop = asyncio.get_running_loop()
        writer.write(random.randbytes(500))
        drawn = 1.4 if FAULT == "client-constant" else 0.6 + random.uniform(LEAST, MOST)

        def stop(seen):
            if FAULT == "client-answers" and seen and not hasattr(writer, "answered"):
                writer.answered = True
                writer.write(b"\x15\x03\x01\x00\x02\x02\x28")
            return False

        await drop_until(reader, loop.time() + drawn, stop)
        writer.close()

    async def some():
        while True:
            try:
                await one()
            except OSError:
                await asyncio.sleep(0.1)

    await asyncio.gather(*(some() for _ in range(100)))


async def main():
    if FAULT.startswith("client"):
        await client(int(FILE))
        return
    take = {"flips": live, "record": record}.get(FAULT, live if FAULT.startswith("live") else unproven)
    server = await asyncio.start_server(take, "127.0.0.1", 0, backlog=1000)
    print("listening on", server.sockets[0].getsockname()[1], file=sys.stderr, flush=True)
    await server.serve_forever()


asyncio.run(main())
