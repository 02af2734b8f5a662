"""L4. Ctrl-C and SIGTERM as a request that a run serves between two steps."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Was a stop asked for? Call it to know; `signal` is the signal's number, 0 before."""

    signal = 0

    def __call__(self) -> bool:
        """True once asked."""
        return self.signal != 0


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Ctrl-C and SIGTERM set a flag instead of interrupting a step; a second one interrupts."""
    request = StopRequest()

    def ask(number: int, frame: object) -> None:
        if request():
            raise KeyboardInterrupt
        request.signal = number

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
