"""The schema of a study file. The defaults of :class:`Recipe` are the paper's; each departure must be explained."""

import difflib
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from verydeep import paper
from verydeep.data.sources import SOURCES
from verydeep.errors import StudyError, UnknownName
from verydeep.files import listed
from verydeep.networks.configurations import Size, all_configurations
from verydeep.studies.localisation import RATE, Localisation
from verydeep.studies.names import TRAIN_SCALES, study_fault, variant_fault
from verydeep.studies.strict import Strict

#: The paper's training scales by name, (Smin, Smax) in its own pixels (Sect. 3.1).
PAPER_SCALES = {"256": (256, 256), "384": (384, 384), "jitter": (256, 512)}
PAPER_CROP = 224
#: The training scale of weights that were not trained here: torchvision crops a random area of any shape.
RELEASED = "torchvision"

Scale = Literal[TRAIN_SCALES]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Precision = Literal["float32", "bfloat16", "float16"]

#: Where the studies that ship with the package lie.
FOLDER = Path(__file__).parent


class Recipe(Strict):
    """How one network is trained. Defaults are the paper's (Sect. 3.1); where it is silent, see the chapter on gaps."""

    batch: Count = Field(256, description="images in a mini-batch, over all devices and accumulation steps")
    learning_rate: Positive = Field(1e-2, description="starting rate")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum of SGD")
    weight_decay: Annotated[float, Field(ge=0)] = Field(5e-4, description="L2 multiplier, on weights and biases")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="dropped share of FC6 and FC7")
    epochs: Count = Field(74, description="passes over the training images")
    schedule: Literal["plateau", "cosine"] = Field("plateau", description="how the rate falls")
    plateau_patience: Count = Field(3, description="plateau: epochs without a better held-out top-1 before a drop")
    rate_drops: Count = Field(3, description="plateau: how often the rate is divided by 10")
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(0, description="epochs over which the rate rises linearly")
    initialisation: Literal["paper", "paper-std", "notes", "glorot", "he"] = Field(
        "paper", description="how random weights are drawn"
    )
    transfer_from_a: bool = Field(True, description="start other networks from A's first four conv and three FC layers")
    colour_shift: Annotated[float, Field(ge=0)] = Field(0.1, description="strength of the RGB shift; 0 is none")
    flip: bool = Field(
        True, description="mirror half of the training images, and average both mirror images in testing"
    )
    unit_variance: bool = Field(False, description="divide the mean-subtracted pixels by their standard deviation")
    clip_norm: Positive | None = Field(None, description="largest gradient norm; none is no clipping")
    precision: Precision = Field("float32", description="arithmetic of training")
    trained_layers: Literal["all", "fc"] = Field("all", description="layers that learn; fc: FC layers only")


#: What the paper gives for each training scale, where it differs from the defaults above.
PAPER_STAGES: dict[str, dict] = {"256": {}, "384": {"learning_rate": 1e-3}, "jitter": {"learning_rate": 1e-3}}


class Testing(Strict):
    """How networks are tested (Sect. 3.2). Each key settles what the paper leaves open; defaults are our reading."""

    average: Literal["scores", "posteriors"] = Field(
        "scores", description="what is averaged over the positions of a score map: before or after the soft-max"
    )
    positions: Literal["whole", "all"] = Field(
        "whole", description="positions of the score map that count: those that see a whole training crop, or all"
    )
    crops_per_side: Count = Field(5, description="side of the grid of crops")
    grid: Literal["edges", "cells"] = Field(
        "edges", description="where crops lie: evenly from edge to edge, or in the middles of equal cells"
    )
    longer_side: Literal["round", "floor", "ceil"] = Field("round", description="rounding of the rescaled longer side")
    interpolation: Literal["bilinear", "bicubic"] = Field("bilinear", description="filter of the rescaling")
    antialias: bool = Field(True, description="widen the filter when an image shrinks")
    precision: Precision = Field("float32", description="arithmetic of the convolutions; class scores stay in float32")


class Data(Strict):
    """The data set of a study."""

    source: str = Field(description="name of the data set")
    held_out_per_class: Count | None = Field(
        None, description="training images of each class kept for choosing hyper-parameters"
    )
    why: str = Field("", description="the reason for another data set than the paper's")


class Network(Strict):
    """The size of the study's networks and how the open points of the architecture are settled."""

    length_divisor: Count = Field(1, description="every length in pixels of the paper is divided by it")
    width_divisor: Count = Field(1, description="every width of Table 1 is divided by it")
    pooling: Literal["ceil", "floor"] = Field("ceil", description="rounding of pooled sizes; Caffe rounds up")
    lrn_alpha: Literal["caffe", "krizhevsky"] = Field("caffe", description="whether A-LRN's alpha is divided by 5")


class Variant(Strict):
    """A deliberate deviation from the study's own recipe, for the named networks."""

    networks: list[str] = Field(description="as <config>-<scale>, for example A-256")
    why: str
    pilot: bool = Field(False, description="short, measured on held-out images only, its weights not kept")
    boxes: Literal["scr", "pcr"] | None = Field(
        None, description="gives boxes in place of classes: one for all classes, or one a class (Appendix A)"
    )
    set: dict = Field(description="keys of the recipe")


class FurtherSeeds(Strict):
    """Seeds beyond the study's, for the named networks."""

    seeds: list[Annotated[int, Field(ge=0)]]
    networks: list[str] = Field(description="as <config>-<scale>, or <config>-<scale>-<variant>")


class Study(Strict):
    """One study file."""

    name: str
    title: str
    purpose: str
    where: str
    data: Data
    network: Network = Network()
    recipe: dict = Field(default={}, description="keys of Recipe that differ from the paper's")
    stages: dict[Scale, dict] = Field(default={}, description="keys of Recipe for one training scale")
    testing: Testing = Testing()
    localisation: Localisation = Localisation()
    multi_crop: Literal["paper", "all"] = Field(
        "paper", description="networks tested on many crops: those that the paper tests so (Table 5), or all"
    )
    why: dict[str, str] = Field(default={}, description="the reason for each key that departs from the paper")
    networks: dict[Scale, list[str]] = Field(default_factory=lambda: dict(paper_networks()))
    variants: dict[str, Variant] = Field(default={}, description="deliberate deviations, by name")
    assumed_rate: Positive = Field(1e11, description="multiply-adds a second, until runs of the study tell")
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], description="seeds of every network")
    further_seeds: list[FurtherSeeds] = Field([], description="planned after all else, in this order")
    publish_weights: bool = Field(
        True, description="keep half-precision weights in the run folder, of the first seed: a clone must stay small"
    )
    train: bool = Field(True, description="false for a study that only evaluates weights of others")

    @model_validator(mode="after")
    def _consistent(self):
        if fault := study_fault(self.name):
            raise ValueError(f"name: {fault}")
        if self.data.source not in SOURCES:
            raise ValueError(f"data.source: {UnknownName('data set', self.data.source, SOURCES)}")
        for scale in self.networks:
            for config in self.networks[scale]:
                if config not in all_configurations():
                    raise ValueError(f"networks.{scale}: {UnknownName('config', config, all_configurations())}")
        self._check_keys("recipe", self.recipe)
        departed = {key for key, default in Network() if getattr(self.network, key) != default}
        for name, papers in (("testing", Testing()), ("localisation", Localisation())):
            departed |= {f"{name}.{key}" for key, default in papers if getattr(getattr(self, name), key) != default}
        self._check_purpose()
        for scale in self.networks if self.train else ():
            self._check_keys(f"stages.{scale}", self.stages.get(scale, {}))
            ours, papers = self.resolve(scale), paper_recipe(scale)
            departed |= {key for key, value in ours if getattr(papers, key) != value}
        self._check_variants()
        self._check_further_seeds()
        if unexplained := sorted(departed - set(self.why)):
            raise ValueError(f"why: says no reason for {', '.join(unexplained)}, which departs from the paper")
        if idle := sorted(set(self.why) - departed):
            raise ValueError(f"why: gives a reason for {', '.join(idle)}, which does not depart from the paper")
        return self

    def _check_purpose(self) -> None:
        """A study either trains, at the paper's scales, or tests weights that others have published."""
        if self.train and self.data.held_out_per_class is None:
            raise ValueError("data.held_out_per_class: this key is missing; hyper-parameters need images of their own")
        if not self.train and (faulty := sorted(set(self.networks) - {RELEASED})):
            raise ValueError(f"networks.{faulty[0]}: a study that trains nothing has weights of scale {RELEASED} only")
        if self.train and RELEASED in self.networks:
            raise ValueError(f"networks.{RELEASED}: no training gives this scale; it is for a study with train: false")

    def _check_variants(self) -> None:
        for name, variant in self.variants.items():
            if fault := variant_fault(name):
                raise ValueError(f"variants: {fault}")
            self._check_keys(f"variants.{name}.set", variant.set)
            for network in variant.networks:
                if network not in self._names():
                    raise ValueError(f"variants.{name}.networks: {UnknownName('network', network, self._names())}")
            if variant.boxes and not SOURCES[self.data.source].has_boxes:
                raise ValueError(f"variants.{name}.boxes: the data set {self.data.source} has no boxes")

    def _names(self) -> list[str]:
        """Every network that the study trains, by configuration and scale: ``D-384``."""
        return [f"{config}-{scale}" for scale, configs in self.networks.items() for config in configs]

    def _check_further_seeds(self) -> None:
        rows = self._names()
        for name, variant in self.variants.items():
            rows += [] if variant.pilot else [f"{network}-{name}" for network in variant.networks]
        planned = {(network, seed) for network in rows for seed in self.seeds}
        for number, further in enumerate(self.further_seeds):
            for network, seed in ((network, seed) for seed in further.seeds for network in further.networks):
                if network not in rows:
                    raise ValueError(f"further_seeds.{number}.networks: {UnknownName('network', network, rows)}")
                if (network, seed) in planned:
                    raise ValueError(f"further_seeds.{number}: {network} with seed {seed} is planned already")
                planned.add((network, seed))

    @staticmethod
    def _check_keys(where: str, keys: dict) -> None:
        for key in keys:
            if key not in Recipe.model_fields:
                raise ValueError(f"{where}.{key}: {_unknown_key(key, Recipe.model_fields)}")
        Recipe.model_validate(keys)

    @property
    def num_classes(self) -> int:
        return SOURCES[self.data.source].num_classes

    def pixels(self, length: int) -> int:
        """A length of the paper in this study's pixels: the one place where lengths are scaled."""
        return round(length / self.network.length_divisor)

    @property
    def crop(self) -> int:
        """Side of the training crop in pixels; 224 in the paper."""
        return self.pixels(PAPER_CROP)

    @property
    def size(self) -> Size:
        """How large this study builds its networks."""
        return Size(self.network.width_divisor, self.num_classes, self.crop, self.network.pooling)

    def resolve(self, train_scale: str, variant: str | None = None) -> Recipe:
        """The full recipe for one training scale: the paper's, the study's, the stage's, the variant's."""
        keys = PAPER_STAGES.get(train_scale, {}) | self.recipe | self.stages.get(train_scale, {})
        if variant is not None:
            keys |= ({"learning_rate": RATE} if self.variants[variant].boxes else {}) | self.variants[variant].set
        return Recipe.model_validate(keys)

    @property
    def localises(self) -> bool:
        """Whether any of its networks gives boxes."""
        return any(variant.boxes for variant in self.variants.values())


def paper_recipe(train_scale: str, boxes: bool = False) -> Recipe:
    """The paper's own recipe for a training scale; that of a network which gives boxes where ``boxes`` is true."""
    return Recipe.model_validate(PAPER_STAGES.get(train_scale, {}) | ({"learning_rate": RATE} if boxes else {}))


def paper_networks() -> dict[str, list[str]]:
    """Which configurations Table 3 trains at which scale, in its row order."""
    networks: dict[str, list[str]] = {scale: [] for scale in PAPER_SCALES}
    for row in paper.table(3).itertuples():
        networks[paper.scale_name(row.train_min, row.train_max)].append(row.config)
    return networks


def names() -> list[str]:
    """Names of the studies that ship with the package."""
    return [path.stem for path in listed(FOLDER, "*.yaml")]


@cache
def load(name: str) -> Study:
    """The study called ``name``.

    Raises
    ------
    UnknownName
        When there is none of that name.
    StudyError
        When its file does not fit the schema; the message names the file, the key and the reason.
    """
    if name not in names():
        raise UnknownName("study", name, names())
    file, path = FOLDER / f"{name}.yaml", f"studies/{name}.yaml"
    try:
        return parse(file.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not text in UTF-8") from None


def parse(text: str, path: str) -> Study:
    """Read a study from YAML ``text``; ``path`` is for messages. Raises as :func:`load` does."""
    try:
        keys = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(keys, dict):
        raise StudyError(f"{path}: a study is a mapping of keys, found {type(keys).__name__}")
    try:
        return Study.model_validate(keys)
    except ValidationError as error:
        raise StudyError("; ".join(f"{path}: {_describe(fault)}" for fault in error.errors())) from None


class _Loader(yaml.SafeLoader):
    """YAML without what would make a study mean something else than it shows: a key given twice, an alias."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"line {self.peek_event().start_mark.line + 1}: aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {key.value} is given twice")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _describe(fault: dict) -> str:
    where = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    match fault["type"]:
        case "extra_forbidden":
            return f"{where}: {_unknown_key(where.rsplit('.', 1)[-1], Study.model_fields)}"
        case "missing":
            return f"{where}: this key is missing"
        case "value_error":
            return str(fault["ctx"]["error"])
    return f"{where}: {fault['msg']} (found {fault['input']!r})"


def _unknown_key(key: str, known) -> str:
    close = difflib.get_close_matches(key, list(known), 1)
    return "unknown key" + (f", did you mean {close[0]}?" if close else "")
