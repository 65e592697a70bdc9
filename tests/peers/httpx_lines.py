"""PyPI's `httpx` reads a response line by line while it arrives: python httpx_lines.py URL

Asks again where a stream ended, with the cursor in the URL. Tells on stdout what happens, a line each; ends when
its stdin does.
"""

import json
import os
import sys
import threading
import time

import httpx

after, epoch = 0, ""


def tell(line):
    print(line, flush=True)


def take(line):
    global after, epoch
    if not line:
        return
    value = json.loads(line)
    if "epoch" in value:
        epoch = value["epoch"]
    elif "gap" in value:
        tell(f"gap {value['gap']}")
        after += value["gap"]
    else:
        tell(f"mail {line}")
        after = value["id"]


def follow(client, url):
    with client.stream("GET", url, params={"after": f"{after}.{epoch}"}) as response:
        kind = response.headers["content-type"]
        if response.status_code != 200 or kind != "application/x-ndjson":
            tell(f"answer {response.status_code} {kind}")
            return
        for line in response.iter_lines():
            take(line)


def main(url):
    with httpx.Client(timeout=60) as client:
        while True:
            try:
                follow(client, url)
            except (httpx.TransportError, json.JSONDecodeError) as error:
                tell(f"error {error}")
            time.sleep(0.05)


def leave_with_stdin():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=leave_with_stdin, daemon=True).start()
main(sys.argv[1])
