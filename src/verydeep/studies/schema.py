"""The schema of a study file: its parts fit each other, and each departure from the paper is explained."""

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from verydeep import paper
from verydeep.data.sources import SOURCES, unfit
from verydeep.errors import StudyError, UnknownName, in_one_line
from verydeep.files import listed
from verydeep.networks import anatomy
from verydeep.networks.configurations import Size, all_configurations
from verydeep.networks.published import published_weights
from verydeep.studies.keys import describe, require_keys
from verydeep.studies.localisation import RATE, Localisation
from verydeep.studies.names import study_fault, variant_fault
from verydeep.studies.parts import (
    PAPER_CROP,
    PAPER_SCALES,
    PAPER_STAGES,
    RELEASED,
    Data,
    FurtherSeeds,
    NetworkKeys,
    Positive,
    Reason,
    Recipe,
    Scale,
    Seed,
    Settings,
    Testing,
    Title,
    Variant,
    require_recipe,
    starts_from,
)
from verydeep.studies.strict import Strict, StrictLoader
from verydeep.studies.targets import TransferKeys

#: Where the studies that ship with the package lie.
FOLDER = Path(__file__).parent
#: The keys of a network that leave it as large as the others of its study.
_OF_ONE_SIZE = [key for key in NetworkKeys.model_fields if not key.endswith("divisor")]


class Study(Strict):
    """One study file."""

    name: str
    title: Title
    purpose: str
    where: str
    data: Data
    network: NetworkKeys = NetworkKeys()
    recipe: dict = Field(default={}, description="keys of Recipe that differ from the paper's")
    stages: dict[Scale, dict] = Field(default={}, description="keys of Recipe for one training scale")
    testing: Testing = Testing()
    settings: dict[Scale, Settings] = Field({}, description="keys of network and testing for one training scale")
    localisation: Localisation = Localisation()
    transfer: TransferKeys = TransferKeys()
    multi_crop: Literal["paper", "all"] = Field(
        "paper", description="networks tested on many crops: those that the paper tests so (Table 5), or all"
    )
    why: dict[str, Reason] = Field(
        default={},
        description="reasons for each departure; stages.<key>, boxes.<key>: of a stage, of networks with boxes",
    )
    networks: dict[Scale, list[str]] = Field(default_factory=lambda: dict(paper_networks()))
    variants: dict[str, Variant] = Field(default={}, description="deliberate deviations, by name")
    assumed_rate: Positive = Field(1e11, description="multiply-adds a second, until runs of the study tell")
    seeds: list[Seed] = Field([0], min_length=1, description="seeds of every network, from 0 to 2**32 - 1")
    further_seeds: list[FurtherSeeds] = Field([], description="planned after all else, in this order")
    publish_weights: bool | list[str] = Field(
        True,
        description="keep half-precision weights in the run folder, of the first seed: all, or of the named networks "
        "(<config>-<scale>, or <config>-<scale>-<variant>); a clone must stay small",
    )
    train: bool = Field(True, description="false for a study that only evaluates weights of others")

    @model_validator(mode="after")
    def _consistent(self):
        if fault := study_fault(self.name):
            raise ValueError(f"name: {fault}")
        if fault := unfit(self.data.source, self.train):
            raise ValueError(f"data.source: {fault}")
        for scale in self.networks:
            for config in self.networks[scale]:
                if config not in all_configurations():
                    raise ValueError(f"networks.{scale}: {UnknownName('config', config, all_configurations())}")
        departed = self._departed_settings()
        self._check_purpose()
        recipes = {f"stages.{scale}": keys for scale, keys in self.stages.items()}
        recipes |= {f"variants.{name}.set": variant.set for name, variant in self.variants.items()}
        for where, keys in ({"recipe": self.recipe} | recipes).items():
            require_recipe(where, keys, self.train)
        self._check_sizes()
        for scale in self.networks:
            ours, papers = self.resolve(scale), paper_recipe(scale)
            departed |= {key for key, value in ours if getattr(papers, key) != value}
        self._check_variants()
        self._check_classes()
        self._check_further_seeds()
        self._check_published()
        if unexplained := sorted(departed - set(self.why)):
            raise ValueError(f"why: says no reason for {', '.join(unexplained)}, which departs from the paper")
        of_stages = {f"stages.{key}" for keys in self.stages.values() for key in keys}
        of_boxes = {f"boxes.{key}" for variant in self.variants.values() if variant.boxes for key in variant.set}
        if idle := sorted(set(self.why) - departed - of_stages - of_boxes):
            raise ValueError(f"why: gives a reason for {', '.join(idle)}, which does not depart from the paper")
        return self

    def _check_purpose(self) -> None:
        """A study either trains, at the paper's scales, or tests weights that others have published."""
        if self.train and self.data.held_out_per_class is None:
            raise ValueError("data.held_out_per_class: this key is missing; hyper-parameters need images of their own")
        of_others = ", ".join(RELEASED)
        if not self.train and (faulty := sorted(set(self.networks) - {*RELEASED})):
            raise ValueError(f"networks.{faulty[0]}: a study that trains nothing has weights of {of_others} only")
        if self.train and (faulty := sorted({*RELEASED} & set(self.networks))):
            raise ValueError(f"networks.{faulty[0]}: no training gives this scale; it is for a study with train: false")
        if faulty := sorted(set(self.settings) - set(self.networks)):
            raise ValueError(f"settings.{faulty[0]}: the study has no network of this scale")

    def _check_sizes(self) -> None:
        """Every network can be built as small as the study has it; one of others was published."""
        for scale, configs in self.networks.items():
            for config in configs:
                start = starts_from(config, scale, self.resolve(scale)) if self.train else None
                if start and self.size_at(start[1]) != self.size_at(scale):
                    raise ValueError(
                        f"settings: {config}-{scale} starts from {'-'.join(start)}, which is built otherwise"
                    )
                if fault := anatomy.size_fault(all_configurations()[config], self.size_at(scale)):
                    raise ValueError(f"networks.{scale}: {config} cannot be built so small: {fault}")
                if not self.train and (scale, config, self.network_at(scale).batch_norm) not in published_weights():
                    raise ValueError(f"networks.{scale}: nobody has published weights of {config}")

    def _departed_settings(self) -> set[str]:
        """The settings of networks, testing and localisation that are not the usual ones, at any training scale."""
        departed = set()
        for scale, settings in [(None, Settings()), *self.settings.items()]:
            for where, keys in settings:
                model = {"network": NetworkKeys, "testing": Testing}[where]
                allowed = _OF_ONE_SIZE if self.train and model is NetworkKeys else None
                require_keys(f"settings.{scale}.{where}", keys, model, allowed)
            network, testing = self.network_at(scale), self.testing_at(scale)
            departed |= {key for key, usual in NetworkKeys() if getattr(network, key) != usual}
            departed |= {f"testing.{key}" for key, usual in Testing() if getattr(testing, key) != usual}
        for name, papers in (("localisation", Localisation()), ("transfer", TransferKeys())):
            keys = getattr(self, name)
            departed |= {f"{name}.{key}" for key, usual in papers if key != "data" and getattr(keys, key) != usual}
        return departed

    def _check_variants(self) -> None:
        for name, variant in self.variants.items():
            if fault := variant_fault(name):
                raise ValueError(f"variants: {fault}")
            for network in variant.networks:
                if network not in self._names():
                    raise ValueError(f"variants.{name}.networks: {UnknownName('network', network, self._names())}")
            if variant.boxes and not SOURCES[self.data.source].has_boxes:
                raise ValueError(f"variants.{name}.boxes: the data set {self.data.source} has no boxes")
            self._check_network(name, variant)
            self._check_localisation(name, variant)

    def _check_network(self, name: str, variant: Variant) -> None:
        """A variant that builds its networks otherwise is of one size with the others, and starts from its own kind."""
        require_keys(f"variants.{name}.network", variant.network, NetworkKeys, _OF_ONE_SIZE)
        for network in variant.networks if variant.network else ():
            config, scale = network.rsplit("-", 1)
            if not (self.train or (scale, config, self.network_at(scale, name).batch_norm) in published_weights()):
                raise ValueError(f"variants.{name}.networks: nobody has published weights of {network} so")
            if fault := anatomy.size_fault(all_configurations()[config], self.size_at(scale, name)):
                raise ValueError(f"variants.{name}.networks: {network} cannot be built so small: {fault}")
            if (start := self._start(network, name)) and start not in variant.networks:
                raise ValueError(
                    f"variants.{name}.networks: {network} starts from {start}, which is built otherwise; name that "
                    f"too, or start {config} at S=256 without A (transfer_from_a: false)"
                )

    def _check_localisation(self, name: str, variant: Variant) -> None:
        if variant.localisation and not variant.boxes:
            raise ValueError(f"variants.{name}.localisation: it gives no boxes; the key boxes says how it would")
        require_keys(f"variants.{name}.localisation", variant.localisation, Localisation)

    def _check_classes(self) -> None:
        """Boxes are given to the classes that networks of this study name, which are trained with it."""
        for name, variant in self.variants.items():
            where = f"variants.{name}.localisation" if "classes" in variant.localisation else "localisation"
            rows = self.localisation_at(name).classes.partition("/")[0].split("+") if variant.boxes else []
            for row in rows:
                if row not in self._classifying():
                    raise ValueError(f"{where}.classes: {UnknownName('network', row, self._classifying())}")

    def _classifying(self) -> list[str]:
        """Every network as tables name it that names classes, those among them that only others start from."""
        variants = {name: spec.networks for name, spec in self.variants.items() if not (spec.pilot or spec.boxes)}
        rows = self._names() + [f"{network}-{name}" for name in variants for network in variants[name]]
        for name, networks in [(None, self._names()), *variants.items()]:
            for network in networks:
                start = self._start(network, name)
                while start and start not in rows:
                    rows.append(start)
                    start = self._start(start)
        return rows

    def _start(self, network: str, variant: str | None = None) -> str:
        """The network that one starts from; empty for random weights and for those of others."""
        config, scale = network.rsplit("-", 1)
        return "-".join((self.train and starts_from(config, scale, self.resolve(scale, variant))) or ())

    def _names(self) -> list[str]:
        """Every network that the study trains, by configuration and scale: ``D-384``."""
        return [f"{config}-{scale}" for scale, configs in self.networks.items() for config in configs]

    def _rows(self) -> list[str]:
        """Every network as tables name it, those of variants among them: ``A-256-longer``."""
        kept = {name: variant for name, variant in self.variants.items() if not variant.pilot}
        return self._names() + [f"{network}-{name}" for name, variant in kept.items() for network in variant.networks]

    def _check_published(self) -> None:
        for row in self.publish_weights if isinstance(self.publish_weights, list) else ():
            if row not in self._rows():
                raise ValueError(f"publish_weights: {UnknownName('network', row, self._rows())}")

    def _check_further_seeds(self) -> None:
        rows = self._rows()
        planned = {(network, seed) for network in rows for seed in self.seeds}
        for number, further in enumerate(self.further_seeds):
            for network, seed in ((network, seed) for seed in further.seeds for network in further.networks):
                if network not in rows:
                    raise ValueError(f"further_seeds.{number}.networks: {UnknownName('network', network, rows)}")
                if (network, seed) in planned:
                    raise ValueError(f"further_seeds.{number}: {network} with seed {seed} is planned already")
                planned.add((network, seed))

    @property
    def num_classes(self) -> int:
        """Classes of its data set; 1,000 in the paper."""
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
        return self.size_at(None)

    def size_at(self, train_scale: str | None, variant: str | None = None) -> Size:
        """How it builds those of one training scale and variant: how large, and in what they depart from Table 1."""
        built = self.network_at(train_scale, variant)
        return Size(num_classes=self.num_classes, crop=self.crop, **built.model_dump(exclude={"length_divisor"}))

    def network_at(self, train_scale: str | None, variant: str | None = None) -> NetworkKeys:
        """The keys by which the networks of one training scale and variant are built."""
        keys = {} if variant is None else self.variants[variant].network
        return NetworkKeys.model_validate(self.network.model_dump() | self._settings_at(train_scale).network | keys)

    def testing_at(self, train_scale: str | None) -> Testing:
        """How the networks of one training scale are tested."""
        return Testing.model_validate(self.testing.model_dump() | self._settings_at(train_scale).testing)

    def localisation_at(self, variant: str | None) -> Localisation:
        """How the networks of one variant learn and give boxes."""
        keys = {} if variant is None else self.variants[variant].localisation
        return Localisation.model_validate(self.localisation.model_dump() | keys)

    def _settings_at(self, train_scale: str | None) -> Settings:
        return self.settings.get(train_scale, Settings())

    def resolve(self, train_scale: str, variant: str | None = None) -> Recipe:
        """The full recipe for one training scale: the paper's, the study's, the stage's, the variant's."""
        keys = PAPER_STAGES.get(train_scale, {}) | self.recipe | self.stages.get(train_scale, {})
        if variant is not None:
            keys |= ({"learning_rate": RATE} if self.variants[variant].boxes else {}) | self.variants[variant].set
        return Recipe.model_validate(keys)

    def publishes(self, row: str) -> bool:
        """Whether the weights of a network are kept in its run folder, for its first seed."""
        return row in self.publish_weights if isinstance(self.publish_weights, list) else self.publish_weights

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
        study = parse(file.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError:
        raise StudyError(f"{path}: not text in UTF-8") from None
    if study.name != name:  # its runs would lie among those of another
        raise StudyError(f"{path}: name: {study.name!r} is not the name of the file, {name!r}")
    return study


def parse(text: str, path: str) -> Study:
    """Read a study from YAML ``text``; ``path`` is for messages. Raises as :func:`load` does."""
    try:
        keys = yaml.load(text, StrictLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise StudyError(f"{path}: not YAML ({in_one_line(error)})") from None
    if not isinstance(keys, dict):
        raise StudyError(f"{path}: a study is a mapping of keys, found {type(keys).__name__}")
    try:
        return Study.model_validate(keys)
    except ValidationError as error:
        raise StudyError("; ".join(f"{path}: {describe(fault, Study)}" for fault in error.errors())) from None
