"""Errors whose message is written for the person who has to act on it."""

import copyreg


def in_one_line(error: Exception) -> str:
    """What an exception says, or its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: Exception) -> str:
    """The same of one whose further lines are no part of the reason, such as advice or a listing."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


class VerydeepError(Exception):
    """Something is wrong that the user can mend. The command line prints it as one line."""

    def __reduce__(self):
        """Pickled as what it says, whatever its class is made of: a worker process hands it to its parent."""
        return copyreg.__newobj__, (type(self), *self.args)


class UnknownName(VerydeepError):
    """A study, configuration, scale or parameter that does not exist.

    Says what was asked for and what there is.
    """

    def __init__(self, kind: str, name: object, names, listed_by: str = ""):
        names = ", ".join(map(str, names))
        if listed_by:  # too many to be named
            said = f"{listed_by} lists all" + (f"; like it are {names}" if names else "")
        else:
            said = f"choose one of {names}" if names else "there is none"
        super().__init__(f"unknown {kind} {name!r}: {said}")


class DataError(VerydeepError):
    """A data set that is absent, incomplete or not what its checksum says."""


class StudyError(VerydeepError):
    """A study file with an unknown, missing or contradictory key."""


class RecordError(VerydeepError):
    """A run folder whose record, hash or notebook does not hold."""


class StorageError(VerydeepError):
    """A file that cannot be written."""

    def __init__(self, path: object, error: OSError):
        reason = error.strerror or str(error)
        super().__init__(
            f"{path} cannot be written: {reason}. Nothing written before is lost; once that is put right, the same "
            f"command goes on"
        )


class Busy(VerydeepError):
    """Another process is at work on the same run."""


class TrainingDiverged(VerydeepError):
    """The loss stopped being a finite number."""


class OutOfMemory(VerydeepError):
    """The device has not the memory for so many images at once."""


class ProcessLost(VerydeepError):
    """Another process of the launch ended, or its host went away."""


class Interrupted(VerydeepError):
    """The run was asked to stop; its state is saved, and the same command continues it."""
