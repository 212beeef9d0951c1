"""Many threads that call an API with one key and never see a 429. Python 3.9 or later, standard library alone.

    python3 examples/governor.py URL KEY CALLERS CALLS

The threads share one Governor. It reads RateLimit-Limit, RateLimit-Remaining and RateLimit-Reset by int(), lets a call
go while 5 % of the limit are left, those included that are under way, and else sleeps until the reset and a second
more. The last line of its output says what happened: calls, answers by status, and seconds.
"""
import http.client
import json
import random
import sys
import threading
import time
import urllib.parse


class Governor:
    """What is known of one key's limit, shared by all threads that use the key."""

    def __init__(self):
        self.changed = threading.Condition()
        self.windows = {}  # by limit: [remaining, time of the end]; an answer tells of the tightest one only
        self.in_flight = 0
        self.asking = False  # one call finds out what nobody knows
        self.informed = False  # something was answered since the last reset

    def enter(self):
        """Returns when a call may be sent."""
        with self.changed:
            while (seconds := self._wait_seconds()) > 0:
                self.changed.wait(seconds)
            self.in_flight += 1
            self.asking = self.asking or not self.informed

    def leave(self, headers):
        """An answer has come; headers is None if there was none."""
        with self.changed:
            self.in_flight -= 1
            self.asking = False
            if headers is not None:
                self.informed = True
                if "RateLimit-Limit" in headers:
                    self._learn(int(headers["RateLimit-Limit"]), int(headers["RateLimit-Remaining"]),
                                time.monotonic() + int(headers["RateLimit-Reset"]))
            self.changed.notify_all()

    def _learn(self, limit, remaining, end):
        known = self.windows.get(limit)
        # An end more than two seconds later is that of the next window: one for rounding, one for the way.
        if known is None or end > known[1] + 2:
            self.windows[limit] = [remaining, end]
        else:  # answers come out of order: the least that was told in a window is what is left
            self.windows[limit] = [min(known[0], remaining), max(known[1], end)]

    def _wait_seconds(self):
        now = time.monotonic()
        wait = 0.0
        for limit, (remaining, end) in list(self.windows.items()):
            low = (remaining - self.in_flight) / limit < 0.05
            if now >= end + low:  # a second more after a pause
                del self.windows[limit]
                self.informed = False
            elif low:  # until then, or until an answer says more
                wait = max(wait, end + 1 - now)
        if wait == 0 and not self.informed and self.asking:
            return 5.0
        return wait


def call(connection, path, key, governor, statuses, attempts=10):
    for attempt in range(attempts):
        governor.enter()
        response = None
        try:
            connection.request("GET", path, headers={"X-API-Key": key})
            response = connection.getresponse()
            response.read()
        finally:
            governor.leave(response and response.headers)
        with governor.changed:
            statuses[response.status] = statuses.get(response.status, 0) + 1
        if response.status not in (429, 503):
            return response
        # At least what is asked for, and a backoff with full jitter on top.
        time.sleep(int(response.headers.get("Retry-After", 0)) + random.uniform(0, min(30, 0.5 * 2**attempt)))
    raise RuntimeError(f"refused {attempts} times")


def main(url, key, callers, calls):
    address = urllib.parse.urlsplit(url)
    connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    governor, statuses, numbers = Governor(), {}, iter(range(calls))

    def caller():
        connection = connect(address.netloc, timeout=30)
        while True:
            with governor.changed:
                if next(numbers, None) is None:
                    return
            call(connection, address.path or "/", key, governor, statuses)

    started = time.monotonic()
    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"calls": calls, "statuses": statuses, "seconds": round(time.monotonic() - started, 3)}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit("usage: python3 examples/governor.py URL KEY CALLERS CALLS")
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
