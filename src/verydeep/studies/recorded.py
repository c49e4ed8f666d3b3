"""What a run, a fusion, a transfer and a tuning have in common: a command does them, and a folder keeps a record."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from verydeep import paths
from verydeep.studies.schema import Study


class Recorded(ABC):
    """What leaves a record, and where; its classes say of which study it is, and how it is called."""

    study: Study
    kind: ClassVar[str]
    """The kind of the record with which its work ends."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of all its records, in the order of the work."""
        return (self.kind,)

    @property
    @abstractmethod
    def row(self) -> str:
        """Its name in the tables."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its folder's."""

    @property
    @abstractmethod
    def command(self) -> str:
        """What does it, from a terminal."""

    @property
    @abstractmethod
    def parameters(self) -> dict:
        """The papermill parameters by which a template is asked for it."""

    @property
    @abstractmethod
    def in_words(self) -> str:
        """What it is, as a sentence says it before "of the study"."""

    @property
    def boxes(self) -> str | bool | None:
        """Whether it gives boxes in place of classes (Appendix A)."""
        return None

    @property
    def address(self) -> str:
        """How it is called outside of its study: ``quarter/D-jitter-s0``, which ``named_run`` reads back of a run."""
        return f"{self.study.name}/{self.name}"

    @property
    def folder(self) -> Path:
        """Where it leaves its record: ``runs/<study>/<name>``."""
        return paths.runs() / self.address

    @property
    def workspace(self) -> Path:
        """Where it keeps what can be made again, outside git: ``artifacts/<study>/<name>``."""
        return paths.artifacts() / self.address


class OfSeveral(Recorded):
    """What is made of networks that were trained before, its ``members``, all of one study."""

    made_from: ClassVar[str] = "train"
    """The kind of the record that each member must have."""

    @property
    def study(self) -> Study:
        """The study of its members, which is one."""
        return self.members[0].study

    @property
    def addresses(self) -> list[str]:
        """Its members as a command takes them: ``quarter/D-jitter-s0``."""
        return [run.address for run in self.members]
