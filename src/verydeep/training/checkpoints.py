"""Checkpoints of a training that goes on: everything needed to go on to the same bits."""

import io
from pathlib import Path

import torch

from verydeep import files
from verydeep.errors import VerydeepError


def save(path: Path, state: dict) -> None:
    """Write ``state`` to ``path``; a kill at any instant leaves the old checkpoint or the new one.

    Raises :class:`~verydeep.errors.StorageError` when it cannot be written.
    """
    buffer = io.BytesIO()  # written to a full disk, torch.save does not say that the disk is full
    torch.save(state, buffer)
    with files.atomic(path) as part:
        part.write_bytes(buffer.getbuffer())


def load(path: Path, identity: dict, unsaid: dict) -> dict | None:
    """The state saved at ``path``, on the CPU, or ``None`` where there is none.

    Parameters
    ----------
    identity
        What the run is now; a checkpoint of another recipe, other data or another seed is refused.
    unsaid
        What an older checkpoint was made with where it does not say, by the same keys; it is gone on with.

    Raises
    ------
    VerydeepError
        When the file is damaged or belongs to another recipe; says what differs and what to do.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        saved = _completed(state["identity"], unsaid)
    except Exception as error:  # torch.load raises whatever its unpickler and zip reader raise
        raise unreadable(path, error) from None
    if saved != identity:
        changed = sorted(key for key in saved.keys() | identity.keys() if saved.get(key) != identity.get(key))
        raise VerydeepError(
            f"{path}: was made with other {', '.join(changed)}; delete it to start again, or restore those"
        )
    return state


def _completed(saved: dict, unsaid: dict) -> dict:
    """What a checkpoint says of its run, with what it is too old to say."""
    said = unsaid | saved
    keys = {key: value for key, value in unsaid.items() if isinstance(value, dict) and isinstance(said[key], dict)}
    return said | {key: value | said[key] for key, value in keys.items()}


def unreadable(path: Path, error: Exception) -> VerydeepError:
    """The error of a file that is none of the checkpoints that are written here, or damaged."""
    return VerydeepError(f"{path}: not a readable checkpoint ({type(error).__name__}); delete it to start again")


def described(path: Path) -> str:
    """What is left of a training that ended early, for a message."""
    return f"state saved in {path}" if path.exists() else "no state saved yet"
