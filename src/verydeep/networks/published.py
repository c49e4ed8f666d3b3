"""VGG weights that others published: of which configurations they are, where their files lie, and their checksums.

torchvision's were trained anew; the authors' are the paper's own D and E, as Caffe files from Oxford and as the HDF5
files that Keras made of these. Read without importing torch; the tests hold torchvision's against its own metadata.
"""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

TORCHVISION, AUTHORS = "torchvision", "authors"


@dataclass(frozen=True)
class Origin:
    """One file as it is handed out.

    ``layout`` is ``torchvision``, ``keras`` or ``caffe``. ``checksum`` is ``algorithm:hex``, of torchvision's the
    first eight digits, which are all that it states.
    """

    layout: str
    url: str
    checksum: str

    @property
    def file(self) -> str:
        """Its name."""
        return self.url.rsplit("/", 1)[-1]

    def fault(self, path: Path) -> str:
        """What is wrong with ``path``: that it is another file than this. Empty where nothing is."""
        algorithm, _, stated = self.checksum.partition(":")
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, algorithm).hexdigest()
        return "" if digest.startswith(stated) else f"its {algorithm} does not begin {stated[:8]}"


@dataclass(frozen=True)
class Published:
    """The weights of one network, in one or several files that hold the same.

    ``publisher`` is the training scale by which studies call them. Errors are the publisher's own, in percent, on the
    50,000 centre crops at 256; ``None`` where it states none.
    """

    publisher: str
    config: str
    batch_norm: bool
    name: str
    origins: tuple[Origin, ...]
    top1_error: float | None
    top5_error: float | None

    @property
    def file(self) -> str:
        """The name of the file that is tested: torchvision's own, or what the authors' was converted to."""
        return self.origins[0].file if self.publisher == TORCHVISION else f"{self.name}.safetensors"

    @property
    def file_sha256(self) -> str:
        """How the sha256 of :attr:`file` begins, as far as its publisher states it; that of no converted file is."""
        return self.origins[0].checksum.removeprefix("sha256:") if self.publisher == TORCHVISION else ""

    @property
    def url(self) -> str:
        """Where the file comes from that is downloaded if none is there."""
        return self.origins[0].url


@cache
def published_weights() -> dict[tuple[str, str, bool], Published]:
    """Every published network by (publisher, configuration, whether it has batch normalisation)."""
    made: dict[tuple[str, str, bool], Published] = {}
    with files(__package__).joinpath("published_weights.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            key = (row["publisher"], row["config"], row["batch_norm"] == "1")
            origin = Origin(row["layout"], row["url"], row["checksum"])
            before = made[key].origins if key in made else ()
            errors = (float(row[f"top{k}_error"]) if row[f"top{k}_error"] else None for k in (1, 5))
            made[key] = Published(*key, row["name"], (*before, origin), *errors)
    return made
