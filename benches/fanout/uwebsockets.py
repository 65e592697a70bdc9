"""uWebSockets, PyPI's socketify, as a server that sends one mail to all its clients for each byte on stdin:
python uwebsockets.py SIZE

All clients are subscribed to one topic. libuv's loop alone runs, without asyncio, and reads stdin too, so that Python
runs once for each mail and never for a client.
"""
import os
import sys

import cffi
from socketify import App, OpCode

MAIL = b"m" * int(sys.argv[1])
UV_READABLE = 1
ENOUGH_FOR_UV_POLL = 1024  # bytes

app = App()
# No client is closed or pinged because it is silent.
app.ws("/*", {"idle_timeout": 0, "max_backpressure": 1 << 20, "open": lambda client: client.subscribe("mail")})

ffi = cffi.FFI()
ffi.cdef("int uv_poll_init(void *loop, void *poll, int fd);")
ffi.cdef("int uv_poll_start(void *poll, int events, void (*callback)(void *, int, int));")
uv = ffi.dlopen("libuv.so.1")  # which socketify has loaded


@ffi.callback("void(void *, int, int)")
def obey(_poll, _status, _events):
    orders = os.read(0, 4096)
    if not orders:
        os._exit(0)
    for _ in orders:
        app.publish("mail", MAIL, OpCode.TEXT)


poll = ffi.new("long long[]", ENOUGH_FOR_UV_POLL // 8)
uv.uv_poll_init(ffi.cast("void *", app.loop.get_native_loop()), poll, 0)
uv.uv_poll_start(poll, UV_READABLE, obey)
app.listen({"host": "127.0.0.1", "port": 0}, lambda listening: print(listening.port, flush=True))
app.loop.uv_loop.run()
