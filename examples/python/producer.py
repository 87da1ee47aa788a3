"""Enqueues jobs and waits for their results, with nothing but nats-py and docs/reference/wire.md.

    pip install nats-py
    python3 producer.py nats://127.0.0.1:4222 "the quick brown fox" "jumps over"

A worker with a handler for text.stats has to run; naq.yaml beside this file is one.
"""

import asyncio
import base64
import json
import sys
import uuid

import nats

QUEUE = "naq_default_queue"


async def enqueue(js, kind, payload):
    """When this returns, the server has stored the job. Repeated with the same id it is still one job."""
    job_id = uuid.uuid4().hex
    envelope = {"v": 1, "kind": kind, "payload": payload, "retry": {"retries": 3, "delay_ms": 1000}}
    await js.publish(f"naq.queue.{QUEUE}.{job_id}", json.dumps(envelope).encode(), headers={"Nats-Msg-Id": job_id})
    return job_id


async def outcome(nc, js, job_id, within):
    """Waits for the end of a job: "Waiting for it" in the reference."""
    subject = f"naq.result.{job_id}"
    pushed = await nc.subscribe(subject)
    found = await nc.request(f"$JS.API.DIRECT.GET.naq_results.{subject}", b"", timeout=10)
    if not (found.headers or {}).get("Status"):
        return json.loads(found.data)
    # An outcome may be on its way to the store: what is acknowledged now comes after it.
    await js.publish("naq.barrier", b"")
    newest = json.dumps({"last_by_subj": subject}).encode()
    found = json.loads((await nc.request("$JS.API.STREAM.MSG.GET.naq_results", newest, timeout=10)).data)
    if "message" in found:
        return json.loads(base64.b64decode(found["message"]["data"]))
    return json.loads((await pushed.next_msg(timeout=within)).data)


async def main(url, texts):
    nc = await nats.connect(url)
    js = nc.jetstream()
    ids = [await enqueue(js, "text.stats", {"text": text}) for text in texts]
    ends = await asyncio.gather(*(outcome(nc, js, job_id, 60) for job_id in ids))
    for end in ends:
        print(json.dumps({key: end[key] for key in ("status", "result", "error") if key in end}))
    await nc.close()
    return 0 if all(end["status"] == "completed" for end in ends) else 1


if len(sys.argv) < 3:
    sys.exit("usage: producer.py SERVER TEXT...")
sys.exit(asyncio.run(main(sys.argv[1], sys.argv[2:])))
