"""Small words of the stories."""

import contextlib
import time

from botocore.exceptions import ClientError


@contextlib.contextmanager
def refused(code, *words):
    """Something that has to fail with an error code, saying certain words."""
    try:
        yield
    except ClientError as e:
        got = e.response["Error"]
        if got["Code"] != code or not all(w in got["Message"] for w in words):
            raise AssertionError(f"refused with {got['Code']}: {got['Message']}; want {code} {words}") from e
        return
    raise AssertionError(f"not refused, want {code} {words}")


def pages(client, operation, key, size=1, **kw):
    """All there is, by pages as small as the service allows."""
    config = {"PageSize": size} if size else {}
    return [e for page in client.get_paginator(operation).paginate(PaginationConfig=config, **kw) for e in page.get(key, [])]


def soon(client, waiter, **kw):
    """A waiter that asks every half second, for half a minute."""
    client.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.5, "MaxAttempts": 60}, **kw)


def same(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def until(ask, want):
    """Asks every half second, for half a minute, until the answer is as wanted."""
    for _ in range(60):
        got = ask()
        if got == want:
            return
        time.sleep(0.5)
    raise AssertionError(f"still {got!r}, want {want!r}")
