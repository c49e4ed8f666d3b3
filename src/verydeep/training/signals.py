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
    def listening(self, launched: bool) -> Iterator[None]:
        """Within the block signals are noted; a thread other than the main one hears none.

        ``launched`` says that a launcher has started this process and others: with the first of them that ends it ends
        them all, by SIGTERM. After an error that is ignored, so that each process can say why it ends.
        """
        with restored(STOPS) as before:
            for number in before:
                signal.signal(number, self._note)
            try:
                yield
            except BaseException:
                if launched and before:
                    before[signal.SIGTERM] = signal.SIG_IGN
                raise

    def _note(self, number, frame) -> None:
        self.number = number


@contextlib.contextmanager
def restored(numbers: tuple[signal.Signals, ...]) -> Iterator[dict[signal.Signals, object]]:
    """After the block these signals have the handlers that they had before it, which it gives and which can be changed;
    none in a thread other than the main one, which can set no handler."""
    of_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers if of_main_thread}
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: not set by Python


def ignore_stops(worker: int) -> None:
    """Ignore them, in a worker that prepares batches."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
