"""The identity of a number, parsed in this one place, exactly or not at all."""

import re
from dataclasses import dataclass

from verydeep.errors import VerydeepError
from verydeep.studies.names import STUDY

_PARTS = {
    "study": STUDY,
    "table": STUDY,
    "row": re.compile("[A-Za-z0-9]+(?:[.+-][A-Za-z0-9]+)*"),
    "metric": re.compile("[a-z][a-z0-9_]*"),
}


@dataclass(frozen=True)
class NumberId:
    """The identity of a number, ``<study>.<table>.<row>.<metric>``; only the row may contain dots.

    Raises
    ------
    VerydeepError
        When a part is not of this form.
    """

    study: str
    table: str
    row: str
    metric: str

    def __post_init__(self):
        for name, form in _PARTS.items():
            if not form.fullmatch(getattr(self, name)):
                raise VerydeepError(f"{getattr(self, name)!r} cannot be the {name} in a number's identity")

    def __str__(self) -> str:
        return f"{self.study}.{self.table}.{self.row}.{self.metric}"

    @classmethod
    def parse(cls, text: str) -> "NumberId":
        """The identity written as ``text``.

        Raises
        ------
        VerydeepError
            When it is not of the form; the message shows it.
        """
        parts = str(text).split(".")
        try:
            return cls(parts[0], parts[1], ".".join(parts[2:-1]), parts[-1])
        except (IndexError, VerydeepError):
            raise VerydeepError(
                f"{text!r} is no number's identity: write <study>.<table>.<row>.<metric>, for example "
                f"quarter.table3.D-384.top1"
            ) from None
