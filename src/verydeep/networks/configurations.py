"""The configurations of Table 1, read from the paper's table, the 5x5 variant of B (Sect. 4.1), and other networks."""

import math
from dataclasses import dataclass, replace
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
    convolution, as torchvision's ``_bn`` networks do and the paper's do not. ``head`` is ``"fc"``, or ``"average"``:
    the averages of the last map in place of FC6 and FC7, as in GoogLeNet and ResNet, and nothing to drop. ``lrn_alpha``
    is how A-LRN's alpha is meant: ``"caffe"`` divides it by the window of 5, ``"krizhevsky"`` does not,
    ``"unit-variance"`` makes it as much larger as pixels that were divided by their deviation are smaller.
    """

    width_divisor: int = 1
    num_classes: int = 1000
    crop: int = 224
    pooling: str = "ceil"
    pooling_window: int = 2
    batch_norm: bool = False
    head: str = "fc"
    lrn_alpha: str = "caffe"


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
        """Pixels of zeros at each side of the map."""
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
    start from layers of A, as the deeper ones do (Sect. 3.1).
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

    lrn: ClassVar[bool] = False
    normalises: ClassVar[bool] = True
    window_layer: ClassVar[str] = "avgpool"
    from_a: ClassVar[bool] = False
    stride: ClassVar[int] = 32

    @property
    def weight_layers(self) -> int:
        """Layers with weights on the longest way, as its paper counts depth: the shortcuts' are not among them."""
        return 2 * sum(self.blocks) + 2


def share(width: int, divisor: int) -> int:
    """A width divided and rounded to the nearest whole number, upwards from the middle, and never none."""
    return max(1, (2 * width + divisor) // (2 * divisor))


@dataclass(frozen=True)
class Module:
    """One inception module (Szegedy et al. 2015, Fig. 2b): the channels of its convolutions, by branch.

    ``reduced`` are the 1x1 convolutions before the 3x3 and the 5x5, ``pooled`` the one after the 3x3 pooling.
    """

    name: str
    one: int
    three_reduced: int
    three: int
    five_reduced: int
    five: int
    pooled: int

    @property
    def channels(self) -> int:
        """Channels of its output, in which the four branches lie one after the other."""
        return self.one + self.three + self.five + self.pooled

    def divided(self, divisor: int) -> "Module":
        """The module with every branch's widths divided (:func:`share`)."""
        name, *widths = vars(self).values()
        return Module(name, *(share(width, divisor) for width in widths))


@dataclass(frozen=True)
class Inception:
    """A network of inception modules (Szegedy et al. 2015, Table 1), at its paper's size.

    ``stem`` are the channels of the convolutions before the modules: 7x7 at stride 2, 1x1, 3x3. The modules of a group
    work on maps of one size; a max-pooling, 3x3 at stride 2, stands before each group. ``sides`` are the modules after
    which a side classifier stands in training, whose loss counts ``side_weight`` times, with a convolution and a hidden
    layer as wide as ``side_widths`` says. ``dropout`` and ``side_dropout`` are its own, before the class scores.
    ``large`` is the side of the 5x5 filters, 3 in torchvision's.
    """

    name: str
    stem: tuple[int, int, int]
    groups: tuple[tuple[Module, ...], ...]
    sides: tuple[str, ...]
    side_widths: tuple[int, int] = (128, 1024)
    side_weight: float = 0.3
    dropout: float = 0.4
    side_dropout: float = 0.7
    large: int = 5

    lrn: ClassVar[bool] = True
    normalises: ClassVar[bool] = False
    window_layer: ClassVar[str] = "avgpool"
    from_a: ClassVar[bool] = False
    stride: ClassVar[int] = 32

    @property
    def weight_layers(self) -> int:
        """Layers with weights on the longest way, as its paper counts depth: two a module, and 22 in all."""
        return len(self.stem) + 2 * sum(map(len, self.groups)) + 1

    def divided(self, divisor: int) -> "Inception":
        """The network with every width divided (:func:`share`), so that no branch is left without channels."""
        return replace(
            self,
            stem=tuple(share(width, divisor) for width in self.stem),
            groups=tuple(tuple(module.divided(divisor) for module in group) for group in self.groups),
            side_widths=tuple(share(width, divisor) for width in self.side_widths),
        )


AnyConfiguration = Configuration | Residual | Inception


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

#: GoogLeNet (Szegedy et al. 2015, Table 1): without batch normalisation, with filters of 5x5, response normalisation
#: before and after the second and third convolution, and two side classifiers.
GOOGLENET = Inception(
    "GoogLeNet",
    (64, 64, 192),
    (
        (Module("3a", 64, 96, 128, 16, 32, 32), Module("3b", 128, 128, 192, 32, 96, 64)),
        (
            Module("4a", 192, 96, 208, 16, 48, 64),
            Module("4b", 160, 112, 224, 24, 64, 64),
            Module("4c", 128, 128, 256, 24, 64, 64),
            Module("4d", 112, 144, 288, 32, 64, 64),
            Module("4e", 256, 160, 320, 32, 128, 128),
        ),
        (Module("5a", 256, 160, 320, 32, 128, 128), Module("5b", 384, 192, 384, 48, 128, 128)),
    ),
    sides=("4a", "4d"),
)


#: Who published what is no network of the paper.
OTHERS = {"AlexNet": "Krizhevsky 2014", "GoogLeNet": "Szegedy et al. 2015"} | {
    net.name: "He et al. 2016" for net in RESIDUAL
}


@cache
def all_configurations() -> dict[str, AnyConfiguration]:
    """Every configuration by name: A, A-LRN, B, C, D, E of Table 1, B-5x5, AlexNet, GoogLeNet, ResNet-18 and -34.

    B-5x5 is the shallow net of Sect. 4.1: B with each pair of 3x3 convolutions replaced by one 5x5.
    """
    table = paper.table(1)
    by_name = {name: _from_table1(name, rows) for name, rows in table.groupby("config", sort=False)}
    b = by_name["B"]
    shallow = tuple((Convolution(5, block[0].channels),) for block in b.blocks)
    return (
        by_name
        | {"B-5x5": Configuration("B-5x5", shallow, b.fc), ALEXNET.name: ALEXNET, GOOGLENET.name: GOOGLENET}
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
