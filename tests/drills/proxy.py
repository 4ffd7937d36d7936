"""A TCP proxy that spoils a share of the exchanges: it delays, truncates, cuts or resets them."""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 65536
LONGEST_BODY = 2**22  # a fault happens before so many bytes of a response, or else at its end
LONGEST_DELAY = 2.0  # seconds
FAULTS = ("cut", "truncate", "reset", "delay")


class FaultProxy:
    """Forwards connections to a port. Each request on them meets a fault with a probability.

    `cut` closes before the response, `truncate` and `reset` within it, the latter with RST. `delay` pauses.
    """

    def __init__(self, target: int, probability: float, seed: int = 1) -> None:
        self.target, self.probability = target, probability
        self.numbers = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.port = 0
        self.connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(self, ready: threading.Event, stopped: asyncio.Event) -> None:
        """Serve until stopped."""
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0, limit=PIECE)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stopped.wait()
        server.close()
        for writer in self.connections.values():
            writer.transport.abort()
        await asyncio.gather(*self.connections)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection, and know of it until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self.connections[task] = writer
        await self.forward(reader, writer)
        del self.connections[task]

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection in both directions until one of them ends."""
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.target, limit=PIECE)
        except OSError:
            writer.close()
            return
        exchange = Exchange(self, writer, upstream[1])
        directions = [
            asyncio.create_task(exchange.send_requests(reader)),
            asyncio.create_task(exchange.send_responses(upstream[0])),
        ]
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)
        for end in (writer, upstream[1]):
            end.close()

    def draw_fault(self) -> tuple[str, int]:
        """Return the fault of the next exchange, or "", and the bytes of the response before it."""
        self.counts["exchanges"] += 1
        if self.numbers.random() >= self.probability:
            return "", 0
        fault = self.numbers.choice(FAULTS)
        self.counts[fault] += 1
        # Sizes of every magnitude: within the head, within small bodies, within large ones.
        return fault, 0 if fault == "cut" else int(LONGEST_BODY ** self.numbers.random())


class Exchange:
    """The request and response that a connection is at."""

    def __init__(
        self, proxy: FaultProxy, client: asyncio.StreamWriter, service: asyncio.StreamWriter
    ) -> None:
        self.proxy, self.client, self.service = proxy, client, service
        self.responding = True  # the first bytes of a client begin an exchange
        self.fault, self.rest = "", 0

    async def send_requests(self, reader: asyncio.StreamReader) -> None:
        """Forward what the client sends. Bytes that follow a response begin an exchange."""
        with suppress(OSError):
            while data := await reader.read(PIECE):
                if self.responding:
                    self.responding = False
                    self.fault, self.rest = self.proxy.draw_fault()
                self.service.write(data)
                await self.service.drain()

    async def send_responses(self, reader: asyncio.StreamReader) -> None:
        """Forward what the service sends, until the fault."""
        with suppress(OSError):
            while data := await reader.read(PIECE):
                self.responding = True
                if self.fault and len(data) >= self.rest:
                    self.client.write(data[: self.rest])
                    await self.client.drain()
                    if await self.spoil():
                        return
                    data, self.fault = data[self.rest :], ""
                self.rest -= len(data)
                self.client.write(data)
                await self.client.drain()

    async def spoil(self) -> bool:
        """Let the fault happen. Return whether the connection ends."""
        if self.fault == "delay":
            await asyncio.sleep(self.proxy.numbers.uniform(0, LONGEST_DELAY))
            return False
        if self.fault == "reset":
            # Closing a socket whose linger time is 0 sends RST (socket(7)).
            linger = struct.pack("ii", 1, 0)
            self.client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.client.transport.abort()
        return True


@contextmanager
def run_proxy(target: int, probability: float) -> Iterator[FaultProxy]:
    """Run a proxy in a thread."""
    proxy, ready, stopped = FaultProxy(target, probability), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.serve(ready, stopped)))
    thread.start()
    try:
        assert ready.wait(10), "the proxy does not listen"
        yield proxy
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        loop.close()
