"""PyPI's `stomp.py` over WebSocket as a client: python stomp_client.py URL

Tells on stdout what happens, a line each, and is told what to do on stdin: `close` leaves in order. When its
connection breaks it connects again, and subscribes behind the last mail it has.
"""

import json
import logging
import sys
import threading
import time
from urllib.parse import urlsplit

import stomp

# What it logs of a broken connection is what the test is about.
logging.disable(logging.CRITICAL)

url = urlsplit(sys.argv[1])
leaving = threading.Event()
gone = threading.Event()


def tell(line):
    print(line, flush=True)


class Listener(stomp.ConnectionListener):
    cursor = 0

    def on_connected(self, frame):
        tell(f"open {frame.headers['version']}")

    def on_message(self, frame):
        mail = json.loads(frame.body)
        if "gap" in mail:
            return tell(f"gap {mail['gap']}")
        Listener.cursor = mail["id"]
        tell(f"mail {frame.body}")
        connection.send("/app/read", json.dumps({"read": mail["id"]}), content_type="application/json")

    def on_error(self, frame):
        tell(f"error {frame.headers['message']}")

    def on_disconnected(self):
        gone.set()


connection = stomp.WSConnection(
    [(url.hostname, url.port)],
    ws_path=url.path,
    heartbeats=(1000, 1000),
    header=["Sec-WebSocket-Protocol: v12.stomp"],
    reconnect_attempts_max=1,
)
connection.set_listener("", Listener())


def obey():
    for order in sys.stdin:
        if order == "close\n":
            leaving.set()
            connection.disconnect(receipt="bye")


threading.Thread(target=obey, daemon=True).start()
while not leaving.is_set():
    gone.clear()
    try:
        connection.connect("guest", "guest", wait=True)
        connection.subscribe("/topic/inbox", id="sub-0", ack="auto", headers={"after": str(Listener.cursor)})
        gone.wait()
    except Exception:  # Whatever a broken connection is called here.
        time.sleep(0.02)
    tell("close" if leaving.is_set() else "lost")
