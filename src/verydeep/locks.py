"""One process at a time on one run: locks that die with the process that holds them."""

import contextlib
import os
import platform
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from verydeep.errors import Busy, StorageError

#: How long a lock is waited for: a notebook's kernel notices within a second that what started it was killed.
PATIENCE = 5.0
#: Environment variable: while it is set, a lock is waited for as long as it takes. A notebook's kernel inherits it.
WAITS = "VERYDEEP_WAIT"


@contextlib.contextmanager
def hold(path: Path, what: str, patience: float | None = None) -> Iterator[None]:
    """Hold the lock at ``path`` within the block.

    Parameters
    ----------
    what
        What is locked, for the message.
    patience
        Seconds to wait for it; -1 waits for as long as it takes. By default :data:`PATIENCE`, or for as long as it
        takes where the variable :data:`WAITS` is set.

    Raises
    ------
    Busy
        When another process holds it; says which, and since when.
    """
    if patience is None:
        patience = -1 if os.environ.get(WAITS) else PATIENCE
    owner = path.with_name(f"{path.name}.owner")
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=patience)
        owner.write_text(f"process {os.getpid()} on {platform.node()} since {datetime.now():%Y-%m-%d %H:%M:%S}")
    except Timeout:
        raise Busy(f"{what} is in the hands of {_read(owner)}; wait until that is done, or stop it") from None
    except OSError as error:
        lock.release()
        raise StorageError(path, error) from error
    try:
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process of this machine holds the lock at ``path``; not where it cannot be told."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _read(owner: Path) -> str:
    try:
        return owner.read_text() or "another process"
    except OSError:
        return "another process"
