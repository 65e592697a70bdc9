"""PyPI's `websockets` as a client: python websockets_client.py URL

Tells on stdout what happens, a line each, and is told what to do on stdin: `close` starts the
closing handshake, `ping` sends a ping and waits for its pong.
"""

import asyncio
import json
import sys

import websockets


def tell(line):
    print(line, flush=True)


async def obey(socket):
    orders = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(orders)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    async for order in orders:
        if order == b"close\n":
            await socket.close(1000)
        if order == b"ping\n":
            await (await socket.ping(b"are you there?"))
            tell("pong")


async def listen(socket):
    async for text in socket:
        message = json.loads(text)
        if "gap" in message:
            tell(f"gap {message['gap']}")
        else:
            tell(f"mail {text}")
            await socket.send(json.dumps({"read": message["id"]}))


async def main(url):
    try:
        async with websockets.connect(url, subprotocols=["mailcall"], ping_interval=None, proxy=None) as socket:
            tell(f"open {socket.subprotocol}")
            obeying = asyncio.create_task(obey(socket))
            try:
                await listen(socket)
            except websockets.ConnectionClosedError:
                pass  # Its code is told below.
            tell(f"close {socket.close_code}")
            obeying.cancel()
    except (websockets.InvalidHandshake, OSError, EOFError):
        tell("close 1006")


asyncio.run(main(sys.argv[1]))
