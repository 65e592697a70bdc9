"""PyPI's `httpx` over HTTP/2 alone: python httpx_client.py ORIGIN

Told what to do on stdin, a line each: `get TARGET`, `post JSON`, `follow TARGET [LAST-EVENT-ID]`.
Tells on stdout what happens, a line each.
"""

import json
import sys

import httpx


def tell(line):
    print(line, flush=True)


def answered(response):
    if response.status_code == 200:
        for mail in response.json():
            tell("mail " + json.dumps(mail, separators=(",", ":"), ensure_ascii=False))
    tell(f"answer {response.status_code}")


def get(client, target):
    answered(client.get(target))


def post(client, body):
    answered(client.post("/read", content=body, headers={"Content-Type": "application/json"}))


def follow(client, target, last=None):
    fields = {"Accept": "text/event-stream"}
    if last is not None:
        fields["Last-Event-ID"] = last
    with client.stream("GET", target, headers=fields) as response:
        event = {}
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            event[name] = value
            if not line and "data" in event:
                right = event["id"].partition(".")[0] == str(json.loads(event["data"])["id"])
                tell(f"mail {event['data']}" if right else f"wrong id {event['id']}")
                event = {}
    tell("ended")


def main(origin):
    orders = {"get": get, "post": post, "follow": follow}
    with httpx.Client(base_url=origin, http1=False, http2=True, timeout=60) as client:
        for line in sys.stdin:
            order, *words = line.split()
            try:
                orders[order](client, *words)
            except httpx.TransportError as error:
                tell(f"error {error}")
                tell("broken")


main(sys.argv[1])
