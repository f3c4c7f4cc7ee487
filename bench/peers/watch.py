"""Looks at a peer from outside, so that its no-op really does nothing.

    watch.py drain PEER N    waits until PEER's queue is empty; prints jobs a second, from the first job gone to the last
    watch.py waits N         waits until N waits were written down; prints p50 and p99 in milliseconds

A queue that stands still for a minute ends it with exit code 1.
"""

import os
import sys
import time

import redis

PATIENCE = 60
server = redis.Redis.from_url(os.environ["PEERS_REDIS"])


def left(peer):
    """Jobs that wait or run, in the peer's own keys."""
    ask = server.pipeline(transaction=True)
    if peer == "celery":
        ask.llen("celery").hlen("unacked")
    elif peer == "bullmq":
        ask.llen("bull:peers:wait").llen("bull:peers:active").zcard("bull:peers:prioritized")
    elif peer == "sidekiq":
        # What runs is in no key: at most 10 jobs a process, which is not waited for.
        ask.llen("queue:default")
    else:
        sys.exit(f"no such peer: {peer}")
    return sum(ask.execute())


def drain(peer, count):
    began, at_begin, last, moved = None, count, count, time.perf_counter()
    while True:
        now, found = time.perf_counter(), left(peer)
        if began is None and found < count:
            began, at_begin = now, found
        if found != last:
            last, moved = found, now
        if found == 0:
            break
        if now - moved > PATIENCE:
            sys.exit(f"{peer} stands still with {found} jobs left")
        time.sleep(0.01)
    took = time.perf_counter() - began
    # A queue that was emptied between two looks cannot be timed.
    print(round(at_begin / took) if took > 0.05 else "too few jobs")


def waits(count):
    deadline = time.perf_counter() + PATIENCE
    while server.llen("peers:waits") < count:
        if time.perf_counter() > deadline:
            sys.exit(f"only {server.llen('peers:waits')} of {count} stamps came back")
        time.sleep(0.05)
    found = sorted(float(wait) for wait in server.lrange("peers:waits", 0, -1))
    at = lambda share: found[min(len(found) - 1, int(len(found) * share))]
    print(f"{at(0.50):.2f} {at(0.99):.2f}")


if __name__ == "__main__":
    if sys.argv[1] == "drain":
        drain(sys.argv[2], int(sys.argv[3]))
    else:
        waits(int(sys.argv[2]))
