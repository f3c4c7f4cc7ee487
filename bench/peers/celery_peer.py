"""Celery as a peer.

    celery_peer.py enqueue N     puts N no-op tasks into the queue, prints tasks a second
    celery_peer.py latency N     puts N stamped tasks into the queue at 100 a second
    celery -A celery_peer worker …   the worker: see `run`

Late acknowledgement is on: without it Celery loses the tasks of a killed worker, and that is not what it is compared with.
Results, events and gossip are off, prefetching is on: the fastest setting that keeps the tasks.
"""

import os
import sys
import time

import redis
from celery import Celery

URL = os.environ["PEERS_REDIS"]

app = Celery("celery_peer", broker=URL)
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)

_stamps = None


def stamps():
    """A connection for each worker process, made when it is first needed: processes are forked."""
    global _stamps
    if _stamps is None:
        _stamps = redis.Redis.from_url(URL)
    return _stamps


@app.task
def noop(n, to):
    pass


@app.task
def stamp(sent):
    stamps().rpush("peers:waits", (time.time() - sent) * 1000)


def enqueue(count, task=noop, *more):
    began = time.perf_counter()
    with app.producer_pool.acquire(block=True) as producer:
        for n in range(count):
            task.apply_async((n, f"u{n}@example.com", *more), producer=producer)
    print(round(count / (time.perf_counter() - began)))


def latency(count):
    began = time.perf_counter()
    with app.producer_pool.acquire(block=True) as producer:
        for n in range(count):
            time.sleep(max(0.0, began + n / 100 - time.perf_counter()))
            stamp.apply_async((time.time(),), producer=producer)


if __name__ == "__main__":
    {"enqueue": enqueue, "latency": latency}[sys.argv[1]](int(sys.argv[2]))
