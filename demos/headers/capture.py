"""Captures what a browser sends for fetch, POST, EventSource and WebSocket: see README.md.

Serves a page that makes one request of each kind, and writes the heads into browser/ beside this
file. Stops when the page is through.
"""

import base64
import hashlib
import pathlib
import socketserver
import threading

PORT = 8025
KINDS = {b"/poll?after=0": "fetch", b"/read": "post", b"/events": "eventsource", b"/ws": "websocket"}
SESSION = hashlib.md5(b"mailcall").hexdigest()
PAGE = b"""<!doctype html><title>capture</title><script>
(async () => {
  await (await fetch("/poll?after=0")).text();
  await (await fetch("/read", {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({read: 1})
  })).text();
  await new Promise(done => {
    const source = new EventSource("/events");
    source.onmessage = () => { source.close(); done(); };
  });
  await new Promise(done => {
    const socket = new WebSocket("ws://" + location.host + "/ws", "mailcall");
    socket.onopen = socket.onerror = done;
  });
  await fetch("/done");
})();
</script>"""


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while lines := self.head():
            target = lines[0].split(b" ")[1]
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
            if kind := KINDS.get(target):
                keep(kind, lines)
            self.rfile.read(int(fields.get(b"content-length", 0)))
            if kind == "websocket":
                self.upgrade(fields[b"sec-websocket-key"])
                return
            self.answer(target)

    def head(self):
        """The lines of one head without their ends; none when the browser has closed."""
        lines = []
        while (line := self.rfile.readline()).strip():
            lines.append(line.rstrip(b"\r\n"))
        return lines

    def upgrade(self, key):
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # RFC 6455, 1.3
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: mailcall\r\nSec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )
        self.rfile.read()

    def answer(self, target):
        media, body = {
            b"/": (b"text/html\r\nSet-Cookie: session=" + SESSION.encode(), PAGE),
            b"/events": (b"text/event-stream", b"data: 1\n\n"),
        }.get(target, (b"application/json", b"[]"))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (media, len(body), body))
        if target == b"/done":
            threading.Thread(target=self.server.shutdown).start()


def keep(kind, lines):
    """A browser with a window does not call itself headless; nothing else differs."""
    text = b"\n".join(lines + [b"", b""]).replace(b"HeadlessChrome", b"Chrome")
    (pathlib.Path(__file__).parent / "browser" / f"{kind}.http").write_bytes(text)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    with Server(("127.0.0.1", PORT), Handler) as server:
        server.serve_forever()
