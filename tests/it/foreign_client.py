"""A program that knows only docs/reference/wire.md: enqueues, waits for outcomes, respects a key."""

import asyncio
import base64
import datetime
import hashlib
import json
import sys
import zlib

import nats
from nats.js.errors import APIError

PREFIX = "naq"


def envelope(kind, payload, **more):
    return json.dumps({"v": 1, "kind": kind, "payload": payload, **more}).encode()


async def outcome(nc, js, job_id, within):
    """The four steps of "Waiting for it"."""
    subject = f"{PREFIX}.result.{job_id}"
    listening = await nc.subscribe(subject)

    async def read(verb, body):
        reply = await nc.request(verb, body, timeout=10)
        return reply

    found = await read(f"$JS.API.DIRECT.GET.{PREFIX}_results.{subject}", b"")
    if not (found.headers or {}).get("Status"):
        return json.loads(found.data)
    await js.publish(f"{PREFIX}.barrier", b"")
    ask = json.dumps({"last_by_subj": subject}).encode()
    found = json.loads((await read(f"$JS.API.STREAM.MSG.GET.{PREFIX}_results", ask)).data)
    if "message" in found:
        return json.loads(base64.b64decode(found["message"]["data"]))
    return json.loads((await listening.next_msg(timeout=within)).data)


async def unique(nc, js, queue, job_id, key_text, body):
    """The id of the job that has the key, and whether it is this one."""
    digest = hashlib.sha256(key_text.encode()).digest()[:16]
    key = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    tree = f"{PREFIX}.unique.{queue}.*.{key}.*"
    headers = {
        "Nats-Msg-Id": job_id,
        "Naq-Unique": key_text,
        "Nats-Expected-Last-Subject-Sequence": "0",
        "Nats-Expected-Last-Subject-Sequence-Subject": tree,
    }
    try:
        await js.publish(f"{PREFIX}.unique.{queue}.normal.{key}.{job_id}", body, headers=headers)
        return job_id, True
    except APIError as error:
        assert error.err_code == 10071, error
    ask = json.dumps({"last_by_subj": tree}).encode()
    reply = await nc.request(f"$JS.API.STREAM.MSG.GET.{PREFIX}_jobs", ask, timeout=10)
    return json.loads(reply.data)["message"]["subject"].rsplit(".", 1)[1], False


async def main(url):
    nc = await nats.connect(url)
    js = nc.jetstream()
    plain = {"Nats-Msg-Id": "py-1", "traceparent": "00-1-2-01"}
    first = await js.publish(f"{PREFIX}.queue.mail.py-1", envelope("echo", "Zoë"), headers=plain)
    again = await js.publish(f"{PREFIX}.queue.mail.py-1", envelope("echo", "Zoë"), headers=plain)
    due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    await js.publish(
        f"{PREFIX}.schedule.mail.py-2",
        envelope("echo", {"due": True}, retry={"retries": 2, "delay_ms": 50}),
        headers={
            "Nats-Msg-Id": "py-2",
            "Nats-Schedule": f"@at {due.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": f"{PREFIX}.queue.mail.py-2",
        },
    )
    taken = await unique(nc, js, "held", "py-3", "invoice 17", envelope("echo", 3))
    refused = await unique(nc, js, "held", "py-4", "invoice 17", envelope("echo", 4))
    text = zlib.compress(json.dumps(["Zoë"] * 2000).encode())
    packed = {"v": 1, "kind": "echo", "payload_zlib": base64.b64encode(text).decode()}
    await js.publish(f"{PREFIX}.queue.mail.py-5", json.dumps(packed).encode())
    packed = await outcome(nc, js, "py-5", 60)
    unpacked = json.loads(zlib.decompress(base64.b64decode(packed["result_zlib"])))
    wrong = "accepted"
    try:
        await js.publish(f"{PREFIX}.queue.mail.one.too.many", b"{}")
    except Exception as error:  # the client's own words for "no responders"
        wrong = type(error).__name__
    ended = [await outcome(nc, js, job_id, 60) for job_id in ("py-1", "py-2")]
    print(json.dumps({
        "duplicate": [bool(first.duplicate), bool(again.duplicate)],
        "unique": [taken, refused],
        "wrong": wrong,
        "packed": [len(unpacked), unpacked[0]],
        "ended": [[end["id"], end["status"], end["result"]] for end in ended],
    }))
    await nc.close()


asyncio.run(main(sys.argv[1]))
