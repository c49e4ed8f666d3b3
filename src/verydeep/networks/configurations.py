"""The configurations of Table 1, read from the paper's table, the in-text 5x5 variant of B (Sect. 4.1), and AlexNet."""

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

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
    """One convolution followed by a ReLU: a square kernel.

    In Table 1 the stride is 1 and the padding keeps the size (Sect. 2.1); ``pad`` is another padding than that.
    """

    kernel: int
    channels: int
    stride: int = 1
    pad: int | None = None

    @property
    def padding(self) -> int:
        return self.kernel // 2 if self.pad is None else self.pad

    def output(self, side: int) -> int:
        """Side of the map that it makes of one of so many units."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class Configuration:
    """One column of Table 1 at the paper's size, or another network that is a chain of the same kinds of layers.

    ``blocks`` holds the convolutions between two max-poolings, ``lrn`` says whether Krizhevsky's
    normalisation follows the first convolution, ``fc`` the outputs of the three fully connected layers.
    ``pooling_window`` is given where it is the network's own, whatever a study says; ``from_a`` says whether it may
    start from layers of A (Sect. 3.1).
    """

    name: str
    blocks: tuple[tuple[Convolution, ...], ...]
    fc: tuple[int, int, int]
    lrn: bool = False
    pooling_window: int | None = None
    from_a: bool = True

    #: Whether every convolution is normalised, whatever a study says; and the layer that a position of the scores sees.
    normalises: ClassVar[bool] = False
    window_layer: ClassVar[str] = "fc6"

    @property
    def stride(self) -> int:
        """Distance in input pixels of two neighbouring positions of the last map: 32 for every network here."""
        return math.prod(conv.stride for block in self.blocks for conv in block) * 2 ** len(self.blocks)

    @property
    def weight_layers(self) -> int:
        """Layers with weights, as the paper counts depth: 11 (A) to 19 (E)."""
        return sum(map(len, self.blocks)) + len(self.fc)

    def conv_names(self) -> list[str]:
        """``conv<block>_<position>``, in order: the names used for VGG's layers since its release."""
        return [f"conv{b}_{i}" for b, block in enumerate(self.blocks, 1) for i in range(1, len(block) + 1)]


@dataclass(frozen=True)
class Residual:
    """A residual network of basic blocks, two 3x3 convolutions each (He et al. 2016), at its paper's size.

    ``blocks`` are counted by stage, ``widths`` are the channels of each. Every stage but the first halves its maps.
    """

    name: str
    blocks: tuple[int, int, int, int]
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)

    normalises: ClassVar[bool] = True
    window_layer: ClassVar[str] = "avgpool"
    from_a: ClassVar[bool] = False
    stride: ClassVar[int] = 32

    @property
    def weight_layers(self) -> int:
        """Layers with weights on the longest way, as its paper counts depth: the shortcuts' are not among them."""
        return 2 * sum(self.blocks) + 2


AnyConfiguration = Configuration | Residual


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
        from_a=name != "A",
    )


#: AlexNet as its author rebuilt it for one card (Krizhevsky 2014) and torchvision has it: one tower, without response
#: normalisation and without the halves of channels that each of the two cards of Krizhevsky et al. (2012) saw. Its
#: large first filters and its pooling of 3x3 at stride 2 are those of 2012, and so is its dropout, after FC6 and FC7.
ALEXNET = Configuration(
    "AlexNet",
    (
        (Convolution(11, 64, stride=4, pad=2),),
        (Convolution(5, 192),),
        (Convolution(3, 384), Convolution(3, 256), Convolution(3, 256)),
    ),
    (4096, 4096, 1000),
    pooling_window=3,
    from_a=False,
)

#: ResNet-18 and ResNet-34 (He et al. 2016, Table 1).
RESIDUAL = (Residual("ResNet-18", (2, 2, 2, 2)), Residual("ResNet-34", (3, 4, 6, 3)))


@cache
def all_configurations() -> dict[str, AnyConfiguration]:
    """Every configuration by name: A, A-LRN, B, C, D, E of Table 1, B-5x5, AlexNet, ResNet-18 and ResNet-34.

    B-5x5 is the shallow net of Sect. 4.1: B with each pair of 3x3 convolutions replaced by one 5x5.
    """
    table = paper.table(1)
    by_name = {name: _from_table1(name, rows) for name, rows in table.groupby("config", sort=False)}
    b = by_name["B"]
    shallow = tuple((Convolution(5, block[0].channels),) for block in b.blocks)
    return (
        by_name
        | {"B-5x5": Configuration("B-5x5", shallow, b.fc), ALEXNET.name: ALEXNET}
        | {net.name: net for net in RESIDUAL}
    )


def chains() -> list[str]:
    """The names of the configurations that are chains of layers, as those of Table 1 are."""
    return [name for name, config in all_configurations().items() if isinstance(config, Configuration)]


def configuration(name: str) -> AnyConfiguration:
    """The configuration called ``name``.

    Raises
    ------
    UnknownName
        When there is none of that name.
    """
    by_name = all_configurations()
    if name not in by_name:
        raise UnknownName("config", name, by_name)
    return by_name[name]
