"""SIGINT and SIGTERM, noted for the end of a step, so that the state saved is between two steps."""

import contextlib
import signal
import threading
from collections.abc import Iterator

STOPS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Whether this process was asked to stop: ``number`` is that of the signal, 0 while none came."""

    def __init__(self):
        self.number = 0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Within the block signals are noted; a thread other than the main one hears none."""
        with restored(STOPS) as is_main_thread:
            if is_main_thread:
                for number in STOPS:
                    signal.signal(number, self._note)
            yield

    def _note(self, number, frame) -> None:
        self.number = number


@contextlib.contextmanager
def restored(numbers: tuple[signal.Signals, ...]) -> Iterator[bool]:
    """After the block these signals have the handlers that they had before it; gives whether handlers can be set,
    which is for the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield True
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python


def ignore_stops(worker: int) -> None:
    """Ignore them, in a worker that prepares batches."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
