"""torchvision's published VGG weights: which configurations they are of, where they lie, and their stated errors.

Read without importing torch; the tests hold the table against torchvision's own metadata.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """One file of weights. Errors are torchvision's own, in percent, on the 50,000 centre crops at 256."""

    config: str
    batch_norm: bool
    name: str
    url: str
    sha256_prefix: str
    top1_error: float
    top5_error: float

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[-1]


@cache
def published_weights() -> dict[tuple[str, bool], Published]:
    """Every published network by (configuration, whether it has batch normalisation)."""
    with files(__package__).joinpath("torchvision_weights.csv").open(encoding="utf-8") as stream:
        weights = [
            Published(
                row["config"],
                row["batch_norm"] == "1",
                row["name"],
                row["url"],
                row["sha256_prefix"],
                round(100 - float(row["acc1"]), 3),
                round(100 - float(row["acc5"]), 3),
            )
            for row in csv.DictReader(stream)
        ]
    return {(published.config, published.batch_norm): published for published in weights}
