"""PyPI's `python-socketio` as a client: python socketio_client.py "polling|websocket|upgrade URL"

Reconnects with its cursor whenever it is disconnected. Tells on stdout what happens, a line each, and
leaves when its stdin says `close`.
"""

import base64
import json
import sys
import threading

import engineio
import socketio


class Engine(engineio.Client):
    """Has each message handled before the next: in threads of their own they would overtake each other."""

    def _trigger_event(self, event, *args, **kwargs):
        return super()._trigger_event(event, *args, **{**kwargs, "run_async": False})


class Client(socketio.Client):
    def _engineio_client_class(self):
        return Engine


mode, url = sys.argv[1].split(" ")
transports = ["polling", "websocket"] if mode == "upgrade" else [mode]
cursor = 0
leaving = threading.Event()
left = threading.Event()
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


@client.event
def disconnect(reason=None):
    tell(f"left {reason}")
    left.set()


def obey():
    for order in sys.stdin:
        if order == "close\n":
            leaving.set()
            client.disconnect()


threading.Thread(target=obey, daemon=True).start()
while not leaving.is_set():
    left.clear()
    try:
        client.connect(url, transports=transports, auth={"after": cursor})
        left.wait()
    except socketio.exceptions.ConnectionError as error:
        tell(f"failed {error}")
        leaving.wait(0.05)
