"""The parts of a study file, each with its keys; the defaults of :class:`Recipe` are the paper's."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from verydeep.data.images import FILTERS, ROUNDINGS
from verydeep.data.sources import SOURCES
from verydeep.networks.choices import HEADS, LRN_ALPHAS, POOLING_WINDOWS, POOLINGS, PRECISIONS, SCHEMES
from verydeep.networks.configurations import configuration
from verydeep.networks.published import AUTHORS, TORCHVISION
from verydeep.studies.keys import require_keys
from verydeep.studies.names import SEEDS, TRAIN_SCALES
from verydeep.studies.strict import Strict

#: The paper's training scales by name, (Smin, Smax) in its own pixels (Sect. 3.1).
PAPER_SCALES = {"256": (256, 256), "384": (384, 384), "jitter": (256, 512)}
PAPER_CROP = 224
#: What stands for the training scale of weights that were not trained here: who published them.
RELEASED = (TORCHVISION, AUTHORS)

Scale = Literal[TRAIN_SCALES]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=SEEDS)]
Count = Annotated[int, Field(gt=0)]
Precision = Literal[PRECISIONS]


def _said(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "nothing is said; say it in words")
    return text


def _in_one_line(text: str) -> str:
    if not _said(text).isprintable():
        raise PydanticCustomError("unprintable", "a character that cannot be printed; leave it out")
    return text


#: Why something departs from the paper, in words.
Reason = Annotated[str, AfterValidator(_said)]
Title = Annotated[str, AfterValidator(_in_one_line)]


class Recipe(Strict):
    """How one network is trained. Defaults are the paper's (Sect. 3.1); where it is silent, see the chapter on gaps."""

    batch: Count = Field(256, description="images in a mini-batch, over all devices and accumulation steps")
    learning_rate: Positive = Field(1e-2, description="starting rate")
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(0.9, description="momentum of SGD")
    weight_decay: Annotated[float, Field(ge=0)] = Field(5e-4, description="L2 multiplier; here on weights and biases")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="dropped share of FC6 and FC7")
    epochs: Count = Field(74, description="passes over the training images")
    schedule: Literal["plateau", "cosine"] = Field("plateau", description="how the rate falls")
    plateau_patience: Count = Field(3, description="plateau: epochs without a better held-out top-1 before a drop")
    rate_drops: Count = Field(3, description="plateau: how often the rate is divided by 10")
    warmup_epochs: Annotated[float, Field(ge=0)] = Field(0, description="epochs over which the rate rises linearly")
    initialisation: Literal[tuple(SCHEMES)] = Field("paper", description="how random weights are drawn")
    transfer_from_a: bool = Field(True, description="start other networks from A's first four conv and three FC layers")
    colour_shift: Annotated[float, Field(ge=0)] = Field(0.1, description="strength of the RGB shift; 0 is none")
    flip: bool = Field(
        True, description="mirror half of the training images, and average both mirror images in testing"
    )
    unit_variance: bool = Field(False, description="divide the mean-subtracted pixels by their standard deviation")
    crops: Literal["scaled", "resized"] = Field(
        "scaled",
        description="training crops: of the image rescaled to S, or of any 8 to 100 % of it, stretched (Inception)",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = Field(
        0, description="share of the right answer that is spread over all classes in the training loss"
    )
    weight_average: Annotated[float, Field(ge=0, lt=1)] = Field(
        0, description="decay a step of the exponential average of weights that is tested; 0 is the weights themselves"
    )
    clip_norm: Positive | None = Field(None, description="largest gradient norm; none is no clipping")
    precision: Precision = Field("float32", description="arithmetic of training")
    trained_layers: Literal["all", "fc"] = Field("all", description="layers that learn; fc: FC layers only")


#: The keys of a recipe that count for weights of others too: by them these are tested, and tuned to other images.
WITHOUT_TRAINING = ("batch", "learning_rate", "momentum", "weight_decay", "dropout", "flip", "clip_norm", "precision")


def require_recipe(where: str, keys: dict, train: bool) -> None:
    """Refuse keys that a recipe has not, and those that change nothing in a study that does not ``train``.

    Raises
    ------
    ValueError
        Says ``where`` and the key, and what to do.
    """
    require_keys(where, keys, Recipe)
    if not train and (idle := sorted({*keys} - {*WITHOUT_TRAINING})):
        raise ValueError(
            f"{where}.{idle[0]}: changes nothing in a study that trains nothing (train: false); leave it out"
        )


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
    longer_side: Literal[tuple(ROUNDINGS)] = Field("round", description="rounding of the rescaled longer side")
    interpolation: Literal[tuple(FILTERS)] = Field("bilinear", description="filter of the rescaling")
    antialias: bool = Field(True, description="widen the filter when an image shrinks")
    precision: Precision = Field("float32", description="arithmetic of the convolutions; class scores stay in float32")


class Data(Strict):
    """The data set of a study."""

    source: str = Field(description="name of the data set")
    held_out_per_class: Count | None = Field(
        None, description="training images of each class kept for choosing hyper-parameters"
    )
    why: Reason = Field("", description="the reason for another data set than the paper's")

    @model_validator(mode="after")
    def _leaves_some(self):
        """Of a source that has training images, some are left to train on."""
        images = SOURCES[self.source].counts.get("train") if self.source in SOURCES else None
        a_class = images / SOURCES[self.source].num_classes if images else 0
        if self.held_out_per_class and self.held_out_per_class >= a_class >= 1:  # a rehearsal has not one of each
            raise ValueError(
                f"data.held_out_per_class: {self.held_out_per_class} leaves nothing to train on; {self.source} has "
                f"about {a_class:.0f} training images a class"
            )
        return self


class NetworkKeys(Strict):
    """The size of the study's networks and how the open points of the architecture are settled."""

    length_divisor: Count = Field(1, description="every length in pixels of the paper is divided by it")
    width_divisor: Count = Field(1, description="every width of Table 1 is divided by it")
    pooling: Literal[POOLINGS] = Field("ceil", description="rounding of pooled sizes; Caffe rounds up")
    pooling_window: Literal[POOLING_WINDOWS] = Field(2, description="side of the pooled squares, at stride 2")
    lrn_alpha: Literal[LRN_ALPHAS] = Field(
        "caffe",
        description="whether A-LRN's alpha is divided by 5; or made larger too, for pixels divided by their deviation",
    )
    batch_norm: bool = Field(False, description="normalise over the batch after every convolution")
    head: Literal[HEADS] = Field(
        "fc", description="what makes class scores of the last map: FC6 to FC8, or its averages and FC8 alone"
    )


class Settings(Strict):
    """What is otherwise for the networks of one training scale, as those of another publisher."""

    network: dict = Field(default={}, description="keys of network")
    testing: dict = Field(default={}, description="keys of Testing")


class Variant(Strict):
    """A deliberate deviation from the study's own recipe, for the named networks."""

    networks: list[str] = Field(description="as <config>-<scale>, for example A-256")
    why: Reason
    pilot: bool = Field(False, description="short, measured on held-out images only, its weights not kept")
    boxes: Literal["scr", "pcr"] | None = Field(
        None, description="gives boxes in place of classes: one for all classes, or one a class (Appendix A)"
    )
    set: dict = Field(default={}, description="keys of the recipe")
    network: dict = Field(default={}, description="keys of the network, all but the divisors of its size")
    localisation: dict = Field(default={}, description="keys of localisation, of a variant that gives boxes")


class FurtherSeeds(Strict):
    """Seeds beyond the study's, for the named networks."""

    seeds: list[Seed]
    networks: list[str] = Field(description="as <config>-<scale>, or <config>-<scale>-<variant>")


def starts_from(config: str, train_scale: str, recipe: Recipe) -> tuple[str, str] | None:
    """The network, as (configuration, scale), from which one starts (Sect. 3.1); ``None`` for random weights.

    S=384 starts from S=256 of the same network and jitter from S=384; at S=256 every network of the paper but A
    takes A's first four convolutions and three FC layers. The paper says so of deeper ones; A-LRN and B-5x5, which are
    no deeper, are taken to do the same.
    """
    match train_scale:
        case "384":
            return config, "256"
        case "jitter":
            return config, "384"
        case "256" if configuration(config).from_a and recipe.transfer_from_a:
            return "A", "256"
    return None
