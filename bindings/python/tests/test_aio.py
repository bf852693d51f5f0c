"""asyncio: streams, messages, cancellation, and a server of 1,000 clients."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import unittest
from typing import Any

import duet
from duet import aio
from support import CLIENT, SECRET, Case


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def port_of(server: aio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


async def start(handler: Any = echo, config: Any = SECRET) -> aio.Server:
    return await aio.start_server(handler, "127.0.0.1", 0, config)


async def serve(handler: Any) -> aio.Server:
    return await aio.serve(handler, "127.0.0.1", 0, SECRET)


async def connect(server: aio.Server, config: Any = SECRET) -> aio.Channel:
    return await aio.connect("127.0.0.1", port_of(server), config, replay=CLIENT)


async def open_connection(server: aio.Server, config: Any = SECRET) -> Any:
    return await aio.open_connection("127.0.0.1", port_of(server), config, replay=CLIENT)


class AsyncCase(unittest.IsolatedAsyncioTestCase, Case):
    pass


class Streams(AsyncCase):
    async def test_echo(self) -> None:
        async with await start() as server:
            reader, writer = await open_connection(server)
            writer.write(b"one\ntwo\n")
            self.assertEqual([line async for line in lines(reader, 2)], [b"one\n", b"two\n"])
            self.assertEqual(writer.get_extra_info("duet").info.pattern, "ephemeral")
            writer.write_eof()
            self.assertEqual(await reader.read(), b"")
            writer.close()
            await writer.wait_closed()

    async def test_backpressure(self) -> None:
        """drain() waits while the peer does not read, and the rest is not lost."""
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await go.wait()
            await echo(reader, writer)

        async with await start(slow) as server:
            reader, writer = await open_connection(server)
            data, sent = os.urandom(1 << 20), 0
            with self.assertRaises(asyncio.TimeoutError):
                for _ in range(64):
                    writer.write(data)
                    sent += len(data)
                    await asyncio.wait_for(writer.drain(), 0.3)
            self.assertLess(writer.transport.get_write_buffer_size(), 3 << 20)
            go.set()
            writer.write_eof()
            got = await reader.read()
            self.assertEqual((len(got), got[-len(data):]), (sent, data))
            writer.close()
            await writer.wait_closed()

    async def test_truncated(self) -> None:
        async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"half")
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.transport.abort()

        async with await start(break_off) as server:
            reader, writer = await open_connection(server)
            self.assertEqual(await reader.readexactly(4), b"half")
            with self.assertRaises(duet.TruncatedError):
                await reader.read()
            with self.assertRaises(duet.TruncatedError):
                await writer.wait_closed()

    async def test_handler_that_fails(self) -> None:
        async def fail(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            raise KeyError("a test")

        async with await start(fail) as server:
            reader, writer = await open_connection(server)
            with self.assertLogs("duet", "ERROR"), self.assertRaises(duet.TruncatedError):
                await reader.read()
            with self.assertRaises(duet.TruncatedError):
                await writer.wait_closed()


async def lines(reader: asyncio.StreamReader, count: int) -> Any:
    for _ in range(count):
        yield await reader.readline()


class Messages(AsyncCase):
    async def test_async_for(self) -> None:
        async def answer(channel: aio.Channel) -> None:
            async for code, data in channel:
                await channel.send_message(code + 1, data)

        async with await serve(answer) as server:
            async with await connect(server) as channel:
                for size in (0, 1, 16385, 3 << 20):
                    data = os.urandom(size)
                    _, got = await asyncio.gather(channel.send_message(1, data),
                                                  channel.recv_message())
                    self.assertEqual(got, (2, data))
                await channel.end()
                self.assertEqual([message async for message in channel], [])

    async def test_cancelled_receive_loses_nothing(self) -> None:
        numbers = list(range(300))

        async def send(channel: aio.Channel) -> None:
            for number in numbers:
                await channel.send_message(1, bytes(number * 100))
                await asyncio.sleep(0.0005)

        async with await serve(send) as server, await connect(server) as channel:
            got, cancelled = [], 0
            while len(got) < len(numbers):
                try:
                    message = await asyncio.wait_for(channel.recv_message(), 0.0003)
                    got.append(len(message.data) // 100)
                except asyncio.TimeoutError:
                    cancelled += 1
            self.assertEqual(got, numbers)
            self.assertGreater(cancelled, 0)

    async def test_cancelled_send_goes_on(self) -> None:
        go, got = asyncio.Event(), []

        async def receive(channel: aio.Channel) -> None:
            await go.wait()
            got.append(await channel.recv_message(64 << 20))
            got.append(await channel.recv_message())

        data = os.urandom(32 << 20)
        async with await serve(receive) as server:
            async with await connect(server) as channel:
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(channel.send_message(1, data), 0.3)
                go.set()
                await channel.send_message(2, b"next")
        self.assertEqual(got, [(1, data), (2, b"next")])

    async def test_closed_while_another_task_receives(self) -> None:
        async def idle(channel: aio.Channel) -> None:
            await channel.recv()

        async with await serve(idle) as server:
            channel = await connect(server)
            task = asyncio.create_task(channel.recv())
            await asyncio.sleep(0.05)
            await channel.close()
            with self.assertRaises(duet.MisuseError):
                await task

    async def test_connect_that_is_cancelled(self) -> None:
        async with await start() as server:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(connect(server, os.urandom(64)), 0.3)

    async def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
        with self.assertRaises(ConnectionRefusedError):
            await aio.connect("127.0.0.1", port, SECRET)


class Strangers(AsyncCase):
    async def test_no_answer(self) -> None:
        loop = asyncio.get_running_loop()
        async with await start() as server:
            probers = []
            for _ in range(100):
                prober = socket.socket()
                prober.setblocking(False)
                await loop.sock_connect(prober, ("127.0.0.1", port_of(server)))
                await loop.sock_sendall(prober, os.urandom(2000))
                probers.append(prober)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(loop.sock_recv(probers[0], 1), 1.5)
            await asyncio.wait_for(loop.sock_sendall(probers[0], bytes(8 << 20)), 20)
            reader, writer = await open_connection(server)
            writer.write(b"x")
            self.assertEqual(await reader.readexactly(1), b"x")
            writer.close()
            await writer.wait_closed()
            for prober in probers:
                prober.close()


class Many(AsyncCase):
    COUNT, SIZE = 1000, 1 << 20

    async def test_clients(self) -> None:
        """1,000 clients at once, each gets its MiB back."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 2 * self.COUNT + 100
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"{needed} open files are needed, the limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
        asyncio.get_running_loop().set_debug(False)  # it would tell of every slow step
        config, met = duet.Config(SECRET), asyncio.Event()
        connected = 0

        async def client() -> bool:
            nonlocal connected
            data = os.urandom(self.SIZE)
            reader, writer = await open_connection(server, config)
            connected += 1
            if connected == self.COUNT:
                met.set()
            await met.wait()

            async def send() -> None:
                writer.write(data)
                await writer.drain()
                writer.write_eof()

            _, got = await asyncio.gather(send(), reader.read())
            writer.close()
            await writer.wait_closed()
            return bool(got == data)

        async with await start() as server:
            done = await asyncio.gather(*(client() for _ in range(self.COUNT)))
        self.assertEqual(sum(done), self.COUNT)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


if __name__ == "__main__":
    unittest.main()
