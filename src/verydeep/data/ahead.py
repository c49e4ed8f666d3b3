"""Images prepared by threads while the network works on those before them: Pillow lets go of Python's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from verydeep import machine


def prepared(prepare: Callable, items: Iterable, most: int | None = None) -> Iterator:
    """``prepare`` of each of the items, in their order; what it raises is raised when that item's turn comes.

    A thread for every core, or ``most`` threads, and at most two items a thread ahead of who takes them, so that memory
    stays bounded.
    """
    threads = min(machine.cores(), most or machine.cores())
    waiting: deque = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append(pool.submit(prepare, item))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
