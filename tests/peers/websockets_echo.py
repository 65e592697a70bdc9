"""PyPI's `websockets` against a server that echoes: python websockets_echo.py URL

Sends messages of every kind and tells on stdout what came back, a line each: the type, the length in bytes
and whether it is what was sent; the pongs, too.
"""

import asyncio
import sys

import websockets


def tell(line):
    print(line, flush=True)


async def say(socket, data, pieces=1):
    """Sends a message in pieces, with a ping behind each but the last, and hears what comes back."""
    size = -(-len(data) // pieces)

    async def cut():
        for n in range(pieces):
            yield data[n * size : (n + 1) * size]
            if n < pieces - 1:
                await (await socket.ping(str(n)))
                tell(f"pong {n}")

    await socket.send(data if pieces == 1 else cut())
    heard = await socket.recv()
    kind, length = ("text", len(heard.encode())) if isinstance(heard, str) else ("binary", len(heard))
    tell(f"{kind} {length} {'as sent' if heard == data else 'not as sent'}")


async def main(url):
    async with websockets.connect(url, ping_interval=None, proxy=None, max_size=None) as socket:
        await say(socket, "")
        await say(socket, b"")
        await say(socket, "κόσμε 📨")
        await say(socket, bytes(range(256)))
        await say(socket, "in pieces " * 20, 5)
        await say(socket, b"bytes" * 14_000, 3)
        await say(socket, "*" * 2**20)
        await say(socket, b"\xff" * 2**22)
        await socket.close(1000, "that was all")
        tell(f"close {socket.close_code} {socket.close_reason}")


asyncio.run(main(sys.argv[1]))
