"""What the Python clients of test/kafka share: records to send, comparison, and the loop over the steps."""

import sys
import time
import traceback

# Seconds that a step waits for the server on a busy machine.
PATIENCE = 30

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

# The first record's time, in milliseconds; an hour ago, so that no retention takes the records away.
START = (int(time.time()) - 3600) * 1000


def records(name, count):
    """count records (key, value, headers, milliseconds): binary headers, a header twice, compressible values."""
    return [
        (f"{name}-{i}".encode(), f"{name} {i} ".encode() * 20, [("codec", name.encode()), ("n", bytes([i % 256, 0])), ("n", b"")],
         START + 1000 * i)
        for i in range(count)
    ]


def expect(what, got, want):
    if got == want:
        return
    if isinstance(got, dict) and isinstance(want, dict):
        missing = {k: v for k, v in want.items() if got.get(k) != v}
        extra = {k: v for k, v in got.items() if want.get(k) != v}
        raise AssertionError(f"{what}: got {len(got)}, want {len(want)}; missing or different {str(missing)[:600]}, instead {str(extra)[:600]}")
    raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def until(what, condition):
    """Asks again and again; the conditions call the server, which paces the loop."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.02)


def run(*steps):
    """Plays the steps; prints a line for each, and the reason of those that fail."""
    failed = False
    for step in steps:
        try:
            begun = time.monotonic()
            step()
            print(f"{step.__name__}: {time.monotonic() - begun:.1f} s", file=sys.stderr)
            print("ok", step.__name__.replace("_", "-"), flush=True)
        except Exception as e:  # a failed step must not hide the others
            failed = True
            print(f"{step.__name__}: {type(e).__name__}: {e}".replace("\n", " "), flush=True)
            traceback.print_exc()
    sys.exit(1 if failed else 0)
