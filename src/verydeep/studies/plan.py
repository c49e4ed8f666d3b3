"""Which runs a study needs, and what each is made from."""

from dataclasses import dataclass, replace
from pathlib import Path

from verydeep import paths
from verydeep.errors import UnknownName, VerydeepError
from verydeep.networks import anatomy, published
from verydeep.networks.configurations import AnyConfiguration, Size, all_configurations, configuration
from verydeep.networks.published import Published
from verydeep.studies.localisation import Localisation
from verydeep.studies.names import SEEDS, RunName
from verydeep.studies.parts import PAPER_SCALES, RELEASED, NetworkKeys, Recipe, Testing, starts_from
from verydeep.studies.recorded import Recorded
from verydeep.studies.schema import Study, load, names

#: Where a network starts.
RANDOM, TRANSFERRED, CONTINUED, NEW_HEAD = "random", "transferred", "continued", "continued with a new last layer"


@dataclass(frozen=True)
class Run(Recorded):
    """One network to train and test: (study, config, train scale, variant, seed).

    Make one with :func:`find_run`, which checks every part.
    """

    study: Study
    config: str
    train_scale: str
    seed: int
    variant: str | None = None

    kind = "evaluate"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its training and its test; of published weights no training, of a pilot no test."""
        return ("train",) * self.study.train + ("evaluate",) * (not self.pilot)

    @property
    def row(self) -> str:
        """The network's name in the tables: ``D-384``, or ``A-256-longer`` for a variant."""
        return self._named.row

    @property
    def name(self) -> str:
        """Its folder's: :class:`verydeep.studies.names.RunName`."""
        return str(self._named)

    @property
    def _named(self) -> RunName:
        return RunName(self.config, self.train_scale, self.variant, self.seed)

    @property
    def command(self) -> str:
        """What trains and tests this run, and first whatever it starts from."""
        return self.command_line("localise" if self.boxes else "run")

    def command_line(self, command: str) -> str:
        """What does ``command`` of ``verydeep``, such as ``train``, to this run."""
        variant = f" --variant {self.variant}" if self.variant else ""
        return f"verydeep {command} {self.study.name} {self.config} {self.train_scale} --seed {self.seed}{variant}"

    @property
    def parameters(self) -> dict:
        """The papermill parameters that ask a template for it; a scale in pixels is a number."""
        scale = int(self.train_scale) if self.train_scale.isdigit() else self.train_scale
        asked = {"study": self.study.name, "config": self.config, "train_scale": scale, "seed": self.seed}
        return asked if self.variant is None else asked | {"variant": self.variant}

    @property
    def in_words(self) -> str:
        """``one run: D at S=jitter``, with the variant if any."""
        return f"one run: {self.config} at S={self.train_scale}{f', {self.variant},' if self.variant else ''}"

    @property
    def label(self) -> str:
        """What tells it from the others of its study: its row, with the seed where that is not the study's first."""
        return self.row if self.seed == self.study.seeds[0] else self.name

    @property
    def published(self) -> Published | None:
        """The weights of others that this run tests, in a study that trains nothing."""
        if self.study.train:
            return None
        return published.published_weights()[self.train_scale, self.config, self.network.batch_norm]

    @property
    def weights(self) -> Path:
        """The half-precision weights: in the run folder where the study publishes them, and of its first seed only."""
        if self.published:
            return paths.artifacts() / self.published.publisher / self.published.file
        return (self.folder if self.publishes_weights else self.workspace) / paths.WEIGHTS

    @property
    def publishes_weights(self) -> bool:
        """Whether its weights lie in its folder, and so in git; those of others never do."""
        kept = self.study.publishes(self.row) and not self.pilot and self.seed == self.study.seeds[0]
        return kept and not self.published

    @property
    def weights_expected(self) -> bool:
        """Whether the weights are published, so that they must be had, or lie in the workspace of this machine."""
        return bool(self.published) or self.publishes_weights or self.weights.exists()

    @property
    def pilot(self) -> bool:
        """Whether this is a short run for choosing the recipe, never shown in a table."""
        return self.variant is not None and self.study.variants[self.variant].pilot

    @property
    def boxes(self) -> str | None:
        """How it gives boxes in place of classes, ``"scr"`` or ``"pcr"`` (Appendix A), or ``None``."""
        return self.study.variants[self.variant].boxes if self.variant in self.study.variants else None

    @property
    def size(self) -> Size:
        """How it is built: its size, and where it departs from Table 1; of one that gives boxes, four outputs a box."""
        size = self.study.size_at(self.train_scale, self.variant)
        outputs = {"scr": 4, "pcr": 4 * size.num_classes}.get(self.boxes, size.num_classes)
        return replace(size, num_classes=outputs)

    @property
    def recipe(self) -> Recipe:
        """How it is trained: the paper's recipe with what study, scale and variant change (Sect. 3.1)."""
        return self.study.resolve(self.train_scale, self.variant)

    @property
    def network(self) -> NetworkKeys:
        """How its network is built: as the study's are, but for what the scale or the variant changes."""
        return self.study.network_at(self.train_scale, self.variant)

    @property
    def localisation(self) -> Localisation:
        """How it learns and gives boxes: as the study's networks do, but for what the variant changes."""
        return self.study.localisation_at(self.variant)

    @property
    def normalises(self) -> bool:
        """Whether its network normalises over batches: as it is built, or by its configuration."""
        return self.network.batch_norm or self.configuration.normalises

    @property
    def configuration(self) -> AnyConfiguration:
        """Its layers at the paper's size; ``size`` says how small it is built."""
        return configuration(self.config)

    @property
    def testing(self) -> Testing:
        """How it is tested."""
        return self.study.testing_at(self.train_scale)

    @property
    def scale_words(self) -> str:
        """Its training scale in words, pixels: ``S=256``, or ``S drawn from [256; 512]``."""
        low, high = self.scale_range
        return f"S={low}" if low == high else f"S drawn from [{low}; {high}]"

    @property
    def scale_range(self) -> tuple[int, int]:
        """(Smin, Smax) in this study's pixels."""
        low, high = PAPER_SCALES[self.train_scale]
        return self.study.pixels(low), self.study.pixels(high)

    @property
    def parent(self) -> "Run | None":
        """The run whose weights this one starts from (Sect. 3.1), if any.

        By :func:`verydeep.studies.parts.starts_from`. A variant starts from the same variant of its parent where it
        names that network too; a pilot, whose weights are not kept, is no parent. What gives boxes starts from the
        network of the same scale that names classes (A.1).
        """
        if self.boxes:
            return replace(self, variant=None)
        start = starts_from(self.config, self.train_scale, self.recipe)
        if start is None:
            return None
        config, scale = start
        shared = self.variant and not self.pilot and f"{config}-{scale}" in self.study.variants[self.variant].networks
        return Run(self.study, config, scale, self.seed, self.variant if shared else None)

    @property
    def start(self) -> str:
        """Where its weights come from (Sect. 3.1): drawn at random, some of A's transferred, or all of its parent's.

        Of a network that gives boxes, all of its parent's but the last layer's (A.1).
        """
        if self.parent is None:
            return RANDOM
        if self.boxes:
            return NEW_HEAD
        return TRANSFERRED if self.train_scale == "256" else CONTINUED

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one forward pass over one training crop."""
        return anatomy.multiply_adds(self.configuration, self.size)

    @property
    def training_multiply_adds(self) -> int:
        """Multiply-adds that one training crop costs: forward, through side classifiers too, and twice that for the
        gradients with respect to activations and weights of the layers that learn."""
        beside = sum(layer.multiply_adds for layer in anatomy.side_layers(self.configuration, self.size))
        forward = learning = self.multiply_adds + beside
        if self.recipe.trained_layers == "fc":
            layers = anatomy.layers(self.configuration, self.size)
            learning = beside + sum(layer.multiply_adds for layer in layers if layer.kind == "fc")
        return forward + 2 * learning


def find_run(study: str, config: str, train_scale: str | int, seed: int = 0, variant: str | None = None) -> Run:
    """The run with these parameters, each checked.

    Raises
    ------
    UnknownName
        For a study, configuration, training scale or variant that does not exist.
    VerydeepError
        For a seed that is no whole number below 2^32, or a network that the study does not train.
    """
    if not isinstance(study, str):  # a parameter may be anything
        raise UnknownName("study", study, names())
    spec = load(study)
    if not isinstance(config, str) or config not in all_configurations():
        raise UnknownName("config", config, all_configurations())
    scales = PAPER_SCALES if spec.train else RELEASED
    if str(train_scale) not in scales:
        raise UnknownName("train_scale", train_scale, scales)
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < SEEDS:
        raise VerydeepError(f"seed must be a whole number from 0 to 2^32 - 1, not {seed!r}")
    if variant is not None and (not isinstance(variant, str) or variant not in spec.variants):
        raise UnknownName("variant", variant, spec.variants)
    scale = str(train_scale)
    if config not in spec.networks.get(scale, []) and not _starts_others(spec, config, scale):
        trained = [f"{c}-{s}" for s, configs in spec.networks.items() for c in configs]
        raise VerydeepError(f"the study {study} has no {config} at scale {scale}; it has {', '.join(trained)}")
    if variant is not None and f"{config}-{scale}" not in spec.variants[variant].networks:
        raise VerydeepError(
            f"variant {variant} is for {', '.join(spec.variants[variant].networks)}, not {config}-{scale}"
        )
    return Run(spec, config, scale, seed, variant)


def _starts_others(study: Study, config: str, scale: str) -> bool:
    """Whether a network that the study names starts from this one, which is then planned with it."""
    return any((run.config, run.train_scale) == (config, scale) for run in planned_runs(study))


def named_run(name: str, pilots: bool = False) -> Run:
    """The run called ``study/config-scale[-variant][-sSEED]``, for example ``quarter/D-jitter``.

    Raises
    ------
    VerydeepError
        For a name of another form, and for a pilot unless ``pilots`` are asked for.
    UnknownName
        For a study, network or variant that does not exist.
    """
    study, slash, network = str(name).partition("/")
    try:
        if not slash:
            raise VerydeepError("no study")
        named = RunName.parse(network, seed=0)
    except VerydeepError:
        raise VerydeepError(
            f"{name!r} names no network; write study/config-scale, for example quarter/D-jitter"
        ) from None
    run = find_run(study, named.config, named.train_scale, named.seed, named.variant)
    if run.pilot and not pilots:
        raise VerydeepError(f"{name} is a pilot: it is measured on held-out images only")
    return run


def planned_runs(study: Study, pilots: bool = False) -> list[Run]:
    """Every run the study asks for, parents before children; its pilots instead when ``pilots`` is true.

    What a network starts from is planned with it, where the study names it or not.
    """
    networks = [(config, scale) for scale, configs in study.networks.items() for config in configs]
    planned = []
    for seed in study.seeds:
        if not pilots:
            planned += [Run(study, config, scale, seed) for config, scale in networks]
        for name, variant in study.variants.items():
            if variant.pilot == pilots:
                chosen = [pair for pair in networks if "-".join(pair) in variant.networks]
                planned += [Run(study, config, scale, seed, name) for config, scale in chosen]
    if pilots:
        return planned
    by_row = {run.row: run for run in planned}
    for further in study.further_seeds:
        planned += [replace(by_row[row], seed=seed) for seed in further.seeds for row in further.networks]
    # a parent is asked for once
    return list({ancestor.name: ancestor for run in planned for ancestor in lineage(run)}.values())


def lineage(run: Run | None) -> list[Run]:
    """A run and all that it starts from, the oldest first."""
    return [] if run is None else [*lineage(run.parent), run]
