"""The names of studies and runs, each parsed in this one place, exactly or not at all.

Whatever is parsed is written back as the same text, and whatever can be made is parsed back as the same value.
"""

import re
from dataclasses import dataclass

from verydeep.errors import VerydeepError
from verydeep.networks.published import AUTHORS, TORCHVISION

#: Training scales by name: the paper's (Sect. 3.1), and who published the weights that were not trained here.
TRAIN_SCALES = ("256", "384", "jitter", TORCHVISION, AUTHORS)

#: Seeds are whole numbers below this, which numpy's and torch's generators take alike.
SEEDS = 2**32

#: The form of a study's name.
STUDY = re.compile("[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_CONFIG = re.compile("[A-Z][A-Za-z]*(?:-[A-Za-z0-9]+)*")

_VARIANT = re.compile("[a-z0-9]+(?:[.-][a-z0-9]+)*")
_SEED = re.compile("s(0|[1-9][0-9]*)")
# no configuration's name has a scale among its parts, so the first scale ends the configuration
_ROW = re.compile(rf"({_CONFIG.pattern}?)-({'|'.join(TRAIN_SCALES)})(?:-(.+))?")


@dataclass(frozen=True)
class RunName:
    """The name of a run's folder, ``<config>-<scale>[-<variant>]-s<seed>``.

    Raises
    ------
    VerydeepError
        When a part is not of this form, so that the name would not be parsed back as it is.
    """

    config: str
    train_scale: str
    variant: str | None
    seed: int

    def __post_init__(self):
        if not _CONFIG.fullmatch(self.config) or set(self.config.split("-")) & set(TRAIN_SCALES):
            raise VerydeepError(f"{self.config!r} cannot be the configuration in a run's name")
        if self.train_scale not in TRAIN_SCALES:
            raise VerydeepError(f"{self.train_scale!r} cannot be the training scale in a run's name")
        if self.variant is not None and (fault := variant_fault(self.variant)):
            raise VerydeepError(fault)
        if not isinstance(self.seed, int) or self.seed < 0:
            raise VerydeepError(f"{self.seed!r} cannot be the seed in a run's name")

    @property
    def row(self) -> str:
        """The network's name in the tables: ``D-384``, or ``A-256-longer`` for a variant."""
        return "-".join(filter(None, (self.config, self.train_scale, self.variant)))

    def __str__(self) -> str:
        return f"{self.row}-s{self.seed}"

    @classmethod
    def parse(cls, text: str, seed: int | None = None) -> "RunName":
        """The run called ``text``; a name that ends without a seed is refused, or of ``seed`` where one is given.

        Raises
        ------
        VerydeepError
            When it is not of the form; the message shows it.
        """
        network, _, end = str(text).rpartition("-")
        given = _SEED.fullmatch(end)
        match = _ROW.fullmatch(network if given else str(text))
        try:
            if match is None:
                raise VerydeepError("no configuration and scale")
            return cls(*match.groups(), int(given[1]) if given else seed)
        except VerydeepError:
            form = "<config>-<scale>[-<variant>]" + ("-s<seed>" if seed is None else "[-s<seed>]")
            raise VerydeepError(f"{text!r} names no network: write {form}, for example D-jitter-s0") from None


def seed_of(folder: str) -> int:
    """The seed with which the name of the folder of a run ends, or of what is made of runs that share one.

    Raises
    ------
    VerydeepError
        When it ends with none, as that of a fusion of runs of several seeds.
    """
    given = _SEED.fullmatch(str(folder).rpartition("-")[2])
    if given is None:
        raise VerydeepError(f"{folder!r} does not end with a seed, as in D-jitter-s0")
    return int(given[1])


def variant_fault(name: str) -> str | None:
    """Why a variant may not be called ``name``: a run's folder or a number's identity would not be parsed back."""
    if not _VARIANT.fullmatch(name):
        return f"{name!r} cannot be a variant's name: small letters and digits, with single dots or dashes between them"
    end = name.rpartition("-")[2]
    if re.fullmatch("s[0-9]+", end):
        return f"{name!r} cannot be a variant's name: its end, {end}, would be read as a seed"
    if "-on-" in f"-{name}-":
        return f"{name!r} cannot be a variant's name: what stands behind on would be read as a data set"
    return None


def study_fault(name: str) -> str | None:
    """Why a study may not be called ``name``: the identities of its numbers would not be parsed back."""
    if STUDY.fullmatch(name):
        return None
    return f"{name!r} cannot be a study's name: small letters and digits, with single dashes between them"
