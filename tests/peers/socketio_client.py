"""PyPI's `python-socketio` as a client: python socketio_client.py "polling|websocket|upgrade URL"

Reconnects with its cursor whenever it is disconnected. Tells on stdout what happens, a line each, and
leaves when its stdin says `close`.
"""

import base64
import json
import queue
import sys
import threading

import engineio
import socketio


class Packets(queue.Queue):
    """Hands out the end alone: what takes it along with packets overlooks it, for 25 s."""

    def get(self, block=True, timeout=None):
        if not block and self.queue and self.queue[0] is None:
            raise queue.Empty
        return super().get(block, timeout)

    def get_nowait(self):
        return super().get(block=False)


class Engine(engineio.Client):
    """Has each message handled before the next: in threads of their own they would overtake each other. And
    tells when it ends: the client above says nothing of an end that comes before `connect` has returned."""

    def create_queue(self, *args, **kwargs):
        return Packets(*args, **kwargs)

    def _trigger_event(self, event, *args, **kwargs):
        done = super()._trigger_event(event, *args, **{**kwargs, "run_async": False})
        if event == "disconnect":
            tell(f"left {args[0]}")
        return done


class Client(socketio.Client):
    def _engineio_client_class(self):
        return Engine


mode, url = sys.argv[1].split(" ")
transports = ["polling", "websocket"] if mode == "upgrade" else [mode]
cursor = 0
leaving = threading.Event()
client = Client(reconnection=False)


def tell(line):
    print(line, flush=True)


@client.on("mail")
def mail(mail, attachment=None):
    global cursor
    if attachment is not None:
        mail["attachment"] = base64.b64encode(attachment).decode()
    cursor = mail["id"]
    tell("mail " + json.dumps(mail, separators=(",", ":"), ensure_ascii=False))
    return {"read": cursor}


@client.on("gap")
def gap(told):
    global cursor
    cursor += told["gap"]
    tell(f"gap {told['gap']}")


@client.event
def connect():
    tell(f"open {client.transport()}")


def obey():
    for order in sys.stdin:
        if order == "close\n":
            leaving.set()


threading.Thread(target=obey, daemon=True).start()
while not leaving.is_set():
    try:
        client.connect(url, transports=transports, auth={"after": cursor})
        # It is over with the thread that reads: only that has forgotten all of the connection.
        reading = client.eio.read_loop_task
        while reading.is_alive() and not leaving.is_set():
            reading.join(0.02)
        if leaving.is_set():
            client.disconnect()
        client.connected = False
    except socketio.exceptions.ConnectionError as error:
        tell(f"failed {error}")
        leaving.wait(0.05)
