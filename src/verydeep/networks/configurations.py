"""The configurations of Table 1, read from the paper's table, and the in-text 5x5 variant of B (Sect. 4.1)."""

from dataclasses import dataclass
from functools import cache

from verydeep import paper
from verydeep.errors import UnknownName


@dataclass(frozen=True)
class Size:
    """How a network of Table 1 is built: how large, and in what it departs from the table; as the paper's by default.

    ``width_divisor`` divides every width of Table 1 but that of the class scores. ``crop`` is the side of the square
    training crop in pixels, which fixes how many inputs FC6 has. ``pooling`` is ``"ceil"`` (Caffe, in which the paper
    trained) or ``"floor"`` (torch's default): the same network at multiples of 32 pixels. ``pooling_window`` is the
    side of the pooled squares, at stride 2: 2 in Table 1, 3 in AlexNet. ``batch_norm`` normalises after every
    convolution, as torchvision's ``_bn`` networks do and the paper's do not.
    """

    width_divisor: int = 1
    num_classes: int = 1000
    crop: int = 224
    pooling: str = "ceil"
    pooling_window: int = 2
    batch_norm: bool = False


PAPER_SIZE = Size()


@dataclass(frozen=True)
class Convolution:
    """One convolution followed by a ReLU: a square kernel, stride 1, size-preserving padding (Sect. 2.1)."""

    kernel: int
    channels: int

    @property
    def padding(self) -> int:
        return self.kernel // 2


@dataclass(frozen=True)
class Configuration:
    """One column of Table 1 at the paper's size.

    ``blocks`` holds the convolutions between two max-poolings, ``lrn`` says whether Krizhevsky's
    normalisation follows the first convolution, ``fc`` the outputs of the three fully connected layers.
    """

    name: str
    blocks: tuple[tuple[Convolution, ...], ...]
    fc: tuple[int, int, int]
    lrn: bool = False

    @property
    def weight_layers(self) -> int:
        """Layers with weights, as the paper counts depth: 11 (A) to 19 (E)."""
        return sum(map(len, self.blocks)) + len(self.fc)

    def conv_names(self) -> list[str]:
        """``conv<block>_<position>``, in order: the names used for VGG's layers since its release."""
        return [f"conv{b}_{i}" for b, block in enumerate(self.blocks, 1) for i in range(1, len(block) + 1)]


def _from_table1(name: str, rows) -> Configuration:
    blocks: dict[int, list[Convolution]] = {}
    for row in rows.itertuples():
        if row.kind == "conv":
            blocks.setdefault(row.block, []).append(Convolution(int(row.kernel_size), int(row.out_channels)))
    return Configuration(
        name=name,
        blocks=tuple(tuple(block) for block in blocks.values()),
        fc=tuple(int(row.out_channels) for row in rows.itertuples() if row.kind == "fc"),
        lrn=bool((rows.kind == "lrn").any()),
    )


@cache
def all_configurations() -> dict[str, Configuration]:
    """Every configuration by name: A, A-LRN, B, C, D, E of Table 1, and B-5x5.

    B-5x5 is the shallow net of Sect. 4.1: B with each pair of 3x3 convolutions replaced by one 5x5.
    """
    table = paper.table(1)
    by_name = {name: _from_table1(name, rows) for name, rows in table.groupby("config", sort=False)}
    b = by_name["B"]
    shallow = tuple((Convolution(5, block[0].channels),) for block in b.blocks)
    return by_name | {"B-5x5": Configuration("B-5x5", shallow, b.fc)}


def configuration(name: str) -> Configuration:
    """The configuration called ``name``.

    Raises
    ------
    UnknownName
        When the paper has none of that name.
    """
    by_name = all_configurations()
    if name not in by_name:
        raise UnknownName("config", name, by_name)
    return by_name[name]
