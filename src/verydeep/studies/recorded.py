"""What a run and a fusion of runs have in common: they are done by a command and leave a record in a folder."""

from pathlib import Path
from typing import Protocol

from verydeep.studies.schema import Study


class Recorded(Protocol):
    """A run or a fusion: what leaves records, and where."""

    @property
    def study(self) -> Study: ...

    @property
    def row(self) -> str:
        """Its name in the tables."""

    @property
    def name(self) -> str:
        """Its folder's."""

    @property
    def command(self) -> str:
        """What does it, from a terminal."""

    @property
    def boxes(self) -> str | bool | None:
        """Whether it gives boxes in place of classes (Appendix A)."""

    @property
    def folder(self) -> Path:
        """Where it leaves its record: ``runs/<study>/<name>``."""

    @property
    def workspace(self) -> Path:
        """Where it keeps what can be made again, outside git."""
