"""Features on other data (Appendix B): how a study settles what the paper leaves open, and which rows it asks for."""

import shlex
from dataclasses import dataclass

from verydeep.errors import UnknownName, VerydeepError
from verydeep.studies.names import RunName, seed_of
from verydeep.studies.plan import Run, named_run
from verydeep.studies.recorded import OfSeveral
from verydeep.studies.schema import Study
from verydeep.studies.targets import JITTERED, SHALLOW, TARGETS, TargetDataset

#: The ways of joining the descriptors of several scales.
JOINS = ("average", "stack", "max")
#: What needs no training: the same network with random weights by its recipe's scheme, and the pixels themselves.
UNTRAINED, PIXELS = "untrained", "pixels"
#: Between the networks and the data set in a row's name.
ON = "-on-"
#: The keys of a protocol that :func:`resampling` may give.
RESAMPLING = ("absent", "drawn")


@dataclass(frozen=True)
class Features:
    """One way of describing an image by a network: the descriptors of some scales, joined.

    ``of`` is ``""`` for the trained network, ``untrained`` or ``pixels``. ``view`` is ``image``, or ``image+box``.
    """

    join: str
    scales: tuple[int, ...]
    of: str = ""
    view: str = ""

    @property
    def name(self) -> str:
        """``stack-256+384+512``, ``untrained-average-256``, ``pixels``; ``image-average-256+384`` without the box."""
        if self.of == PIXELS:
            return PIXELS
        return "-".join(filter(None, (self.of, self.view, self.join, "+".join(map(str, self.scales)))))


@dataclass(frozen=True)
class Transfer(OfSeveral):
    """The features of one network, or of several stacked, with a linear classifier on another data set.

    Make one with :func:`find_transfer`, which checks every part.
    """

    members: tuple[Run, ...]
    source: str

    kind = "transfer"

    @property
    def target(self) -> TargetDataset:
        """What the paper does on that data set."""
        return TARGETS[self.source]

    @property
    def average_precision(self) -> str:
        """``"eleven"`` or ``"area"``: by the data set's own definition where it has one, else as the study says."""
        return "area" if self.target.area else self.study.transfer.average_precision

    @property
    def row(self) -> str:
        """Its members' rows and the data set, without seeds: ``D-jitter-on-caltech101``."""
        return f"{'+'.join(run.row for run in self.members)}{ON}{self.source}"

    @property
    def name(self) -> str:
        """Its folder: the row and the seed, or every member's seed where they differ."""
        seeds = {run.seed for run in self.members}
        if len(seeds) == 1:
            return f"{self.row}-s{self.members[0].seed}"
        return f"{'+'.join(run.name for run in self.members)}{ON}{self.source}-s{self.members[0].seed}"

    @property
    def command(self) -> str:
        """What does it; every member must have been trained before."""
        return shlex.join(["verydeep", "transfer", self.source, *self.addresses])

    @property
    def parameters(self) -> dict:
        """The papermill parameters that ask a template for it."""
        return {"data": self.source, "members": self.addresses}

    @property
    def in_words(self) -> str:
        """``the features of D-jitter on caltech101, of a network``."""
        return f"the features of {' and '.join(run.row for run in self.members)} on {self.source}, of a network"

    @property
    def scales(self) -> tuple[int, ...]:
        """The Qs of its row: the paper's, or those that its study takes."""
        return tuple(self.study.transfer.scales.get(self.source, self.target.scales))

    @property
    def usual(self) -> Features:
        """How the paper describes an image of that data set."""
        return Features(self.target.join, self.scales, view="image+box" if self.target.boxes else "")

    def at_lowest(self, of: str = "") -> Features:
        """The whole image at the lowest scale: by the trained network, or by an ``of`` that needs no training."""
        return Features("average", self.scales[:1], of, "image" if self.target.boxes else "")

    def measured(self) -> list[Features]:
        """Every way of describing images that is tried; the paper's first, and beside it what gives it a meaning."""
        features = [self.usual]
        if self.target.boxes:
            features.append(Features(self.target.join, self.scales, view="image"))
        if len(self.members) > 1:
            return features
        first = self.members[0]
        if first.train_scale in JITTERED:
            joins = JOINS if self.target.metric == "recall" else JOINS[:2]
            view = "image" if self.target.boxes else ""
            features += [Features(join, self.scales, view=view) for join in joins]
            features += [Features(self.target.join, self.scales[:3], view=view)] if len(self.scales) > 3 else []
        features += [self.at_lowest(), self.at_lowest(UNTRAINED), Features("", (), PIXELS)]
        return list(dict.fromkeys(features))

    @property
    def asked(self) -> list[str]:
        """The name of every measurement that its record is to have."""
        return [features.name for features in self.measured()]

    @property
    def protocol(self) -> dict:
        """How its study settles what the paper leaves open; its record states it."""
        keys = self.study.transfer.model_dump(mode="json", exclude={"data", "scales"})
        if self.target.boxes:
            keys["kept_together"] = "objects of an image"  # where C is chosen on images kept aside
        return (
            keys
            | resampling(self.target)
            | {
                "metric": self.target.metric,
                "average_precision": self.average_precision,
                "train_per_class": self.target.train,
                "test_per_class": self.target.test,
                "crop": self.study.crop,
                "length_divisor": self.study.network.length_divisor,
            }
            | _described(self.members[0])
        )


def find_transfer(members: list[str], source: str) -> Transfer:
    """The transfer of the networks named, for example ``["narrow/D-jitter"]``, to a data set.

    Raises
    ------
    UnknownName
        For a data set, study, configuration, scale or variant that does not exist.
    VerydeepError
        When a name is malformed or given twice, networks are of different studies, or give boxes.
    """
    if not isinstance(source, str) or source not in TARGETS:
        raise UnknownName("data set", source, TARGETS)
    if isinstance(members, str) or not isinstance(members, list | tuple) or not members:
        raise VerydeepError(f"give one network or more, as study/config-scale, not {members!r}")
    runs = tuple(named_run(name) for name in members)
    if len({run.study.name for run in runs}) > 1:
        raise VerydeepError("features of networks of different studies are not stacked: name networks of one study")
    if boxes := next((run.name for run in runs if run.boxes), None):
        raise VerydeepError(
            f"{boxes} gives boxes and not classes: take the network of the same scale that names classes"
        )
    if twice := sorted({run.name for run in runs if runs.count(run) > 1}):
        raise VerydeepError(f"{twice[0]} is given twice; stack different networks")
    first = _described(runs[0])
    for run in runs[1:]:
        if unlike := [key for key, value in _described(run).items() if value != first[key]]:
            raise VerydeepError(
                f"{runs[0].name} and {run.name} describe images by different settings ({', '.join(unlike)}); stack "
                f"networks of like settings"
            )
    return Transfer(runs, source)


def _described(run: Run) -> dict:
    """The settings of a network by which it describes images, as a protocol states them."""
    kept = {"positions", "longer_side", "interpolation", "antialias", "precision"}
    testing = run.testing.model_dump(mode="json", include=kept)
    return {"pooling": run.size.pooling, "flip": run.recipe.flip, **testing}


def describing_protocol(run: Run) -> dict:
    """The settings on which what a network says of an image hangs, of all of :attr:`Transfer.protocol`."""
    study = run.study
    return {
        "hidden": study.transfer.hidden,
        "crop": study.crop,
        "length_divisor": study.network.length_divisor,
        **_described(run),
    }


def named_transfer(study: Study, name: str) -> Transfer:
    """The transfer whose folder is called ``name``; raises as :func:`find_transfer` does."""
    networks, on, rest = name.partition(ON)
    if not on:
        raise VerydeepError(f"{name!r} names no transfer: write <networks>{ON}<data set>-s<seed>")
    seed = seed_of(name)
    parsed = [RunName.parse(network, seed=seed) for network in networks.split("+")]
    return find_transfer([f"{study.name}/{run_name}" for run_name in parsed], rest.removesuffix(f"-s{seed}"))


def planned_transfers(study: Study) -> list[Transfer]:
    """Every transfer that a study asks for: to each data set D, E and both; to VOC-2007 also B-5x5 and D at S=256."""
    seed, planned = study.seeds[0], []
    for source in study.transfer.data:
        rows = [(config, scale) for scale in JITTERED for config in ("D", "E")]
        there = [Run(study, config, scale, seed) for config, scale in rows if config in study.networks.get(scale, [])]
        pairs = [there[k : k + 2] for k in range(len(there) - 1) if there[k].train_scale == there[k + 1].train_scale]
        groups = [*([run] for run in there), *pairs]
        if TARGETS[source].compared and all(config in study.networks.get(scale, []) for config, scale in SHALLOW):
            groups += [[Run(study, config, scale, seed)] for config, scale in SHALLOW]
        planned += [Transfer(tuple(group), source) for group in groups]
    return planned


def resampling(target: TargetDataset) -> dict:
    """By what rule images are drawn again for the intervals; a record states it, and no number hangs on it."""
    rule = {}
    if target.metric == "recall":
        rule["absent"] = "left out"  # a class without an image of a split
    if target.boxes:
        rule["drawn"] = "images"  # each with every object in it
    return rule
