"""Which networks are tested together: their soft-max outputs averaged (Sect. 4.4), or their boxes merged (A.2)."""

import shlex
from dataclasses import dataclass

from verydeep import paper
from verydeep.errors import UnknownName, VerydeepError
from verydeep.networks.published import AUTHORS
from verydeep.studies.localisation import TESTING
from verydeep.studies.measurements import METHODS, SEVERAL, Measurement, box_scales, several
from verydeep.studies.plan import Run, named_run
from verydeep.studies.recorded import OfSeveral
from verydeep.studies.schema import Study, load

#: The variant that stands for the jittered D of the paper's submission.
FC_ONLY = "fc-only"
#: The variant of a network that was trained once more, because a fusion needs weights and its first were not kept.
AGAIN = "again"
#: How networks that give boxes are tested together: the union of their boxes is merged.
BOXES = "boxes"
#: The variant whose networks Table 9 tests, and its row of both together.
PCR_ALL, BOTH_NETWORKS = "pcr-all", "2-networks"


@dataclass(frozen=True)
class Fusion(OfSeveral):
    """Several networks of one study tested together by one method, each at its own several scales.

    Make one with :func:`find_fusion` or :func:`table6_fusions`, which check every part.
    """

    members: tuple[Run, ...]
    method: str

    kind = "fuse"
    made_from = "evaluate"

    @property
    def row(self) -> str:
        """Its members' rows and the method, without seeds: ``D-jitter+E-jitter-both``."""
        return f"{'+'.join(run.row for run in self.members)}-{self.method}"

    @property
    def name(self) -> str:
        """Its folder: the members, the method and the seed, or every member's seed where they differ."""
        seeds = [run.seed for run in self.members]
        if len(set(seeds)) == 1:
            return f"{self.row}-s{seeds[0]}"
        return f"{'+'.join(run.name for run in self.members)}-{self.method}"

    @property
    def command(self) -> str:
        """What tests it; every member must have been tested before."""
        return shlex.join(["verydeep", "fuse", *self.addresses, "--method", self.method])

    @property
    def parameters(self) -> dict:
        """The papermill parameters that ask a template for it."""
        return {"members": self.addresses, "method": self.method}

    @property
    def in_words(self) -> str:
        """``D-384 and E-384, tested together by the method `both`, each``."""
        return f"{' and '.join(run.row for run in self.members)}, tested together by the method `{self.method}`, each"

    @property
    def boxes(self) -> bool:
        """Whether it is boxes that are merged, and not posteriors averaged."""
        return self.method == BOXES

    def measurement(self, run: Run) -> Measurement:
        """How one member is tested."""
        if self.boxes:
            return Measurement("dense-boxes", box_scales(run)[-1])
        return several(run.train_scale, self.method)


def find_fusion(members: list[str], method: str) -> Fusion:
    """The fusion of the networks named, for example ``["quarter/D-jitter", "quarter/E-jitter"]``.

    A name is ``study/config-scale[-variant][-sSEED]``; seed 0 is meant where none is given.

    Raises
    ------
    UnknownName
        For a study, configuration, scale, variant or method that does not exist.
    VerydeepError
        When a name is malformed or given twice, fewer than two are given, or they are of different studies.
    """
    if isinstance(members, str) or not isinstance(members, list | tuple) or len(members) < 2:
        raise VerydeepError(f"a fusion is of two or more networks, as study/config-scale, not {members!r}")
    if not isinstance(method, str) or method not in (*SEVERAL, BOXES):
        raise UnknownName("method", method, (*SEVERAL, BOXES))
    runs = tuple(named_run(name) for name in members)
    studies = sorted({run.study.name for run in runs})
    if len(studies) > 1:
        classes = ", ".join(f"{name} ({load(name).num_classes} classes)" for name in studies)
        raise VerydeepError(f"networks of different studies cannot be averaged: {classes}")
    for run in runs:
        if method == BOXES and not box_scales(run):
            raise VerydeepError(
                f"{run.name} is not tested by {BOXES} over the whole image; only {PCR_ALL} networks are"
            )
        if method != BOXES and run.boxes:
            raise VerydeepError(f"{run.name} gives boxes and not classes: take --method {BOXES}")
        if unlike := [key for key in TESTING if getattr(run.localisation, key) != getattr(runs[0].localisation, key)]:
            raise VerydeepError(f"{run.name} is tested by another localisation.{unlike[0]} than {runs[0].name}")
    if twice := sorted({run.name for run in runs if runs.count(run) > 1}):
        raise VerydeepError(f"{twice[0]} is given twice; a fusion is of different networks")
    return Fusion(runs, method)


def table6_fusions(study: Study) -> dict[str, Fusion]:
    """The rows of Table 6 that a study can fill: row name (``7-dense``, ``2-both``) -> fusion.

    The jittered D of the submission had only its FC layers fine-tuned with jitter (Sect. 4.4); it is the study's
    variant ``fc-only``. A network that the study has trained ``again`` is a member in place of the first, whose weights
    were not kept. In a study of published weights the authors' own stand for the jittered networks that the
    authors say they are.
    """
    seed, fusions = study.seeds[0], {}
    every = paper.table("6-members")
    for row in paper.table(6).itertuples():
        members = []
        for member in every[every["fusion_id"] == row.fusion_id].itertuples():
            scale = paper.scale_name(member.train_min, member.train_max)
            scale = AUTHORS if not study.train and scale == "jitter" else scale
            variant = _member_variant(study, f"{member.config}-{scale}", member.notes)
            if member.config in study.networks.get(scale, []) and (variant is None or variant in study.variants):
                members.append(Run(study, member.config, scale, seed, variant))
        if len(members) == row.n_models:
            fusions[table6_row(row)] = Fusion(tuple(members), method_of(row.evaluation))
    return fusions


def _member_variant(study: Study, network: str, notes: str | float) -> str | None:
    """The variant that stands for a member of the paper's fusions; ``notes`` is the paper's remark on it, or NaN."""
    if isinstance(notes, str) and notes.startswith("FC layers only"):
        return FC_ONLY
    return AGAIN if AGAIN in study.variants and network in study.variants[AGAIN].networks else None


def table9_fusions(study: Study) -> dict[str, Fusion]:
    """The row of Table 9 for several networks together, where a study has them all: row name -> fusion."""
    (row,) = (row for row in paper.table(9).itertuples() if row.row_type == "fusion")
    scales = [part.split(":")[0].strip() for part in row.members.split("|")]
    asked = study.variants[PCR_ALL].networks if PCR_ALL in study.variants else []
    if not all(f"D-{scale}" in asked and "D" in study.networks.get(scale, []) for scale in scales):
        return {}
    return {BOTH_NETWORKS: Fusion(tuple(Run(study, "D", scale, study.seeds[0], PCR_ALL) for scale in scales), BOXES)}


def planned_fusions(study: Study) -> dict[str, Fusion]:
    """Every fusion that a study asks for, by table and row: ``table6 2-dense``."""
    tables = {"table6": table6_fusions(study), "table9": table9_fusions(study)}
    return {f"{table} {row}": fusion for table, rows in tables.items() for row, fusion in rows.items()}


def classes_of(run: Run) -> tuple[Run | Fusion, str]:
    """The classification system whose classes a network's boxes are given to, and its measurement (A.1).

    Raises
    ------
    VerydeepError
        When the study's key ``localisation.classes`` names none.
    """
    asked = run.localisation.classes
    rows, _, measurement = asked.partition("/")
    members = [f"{run.study.name}/{row}-s{run.seed}" for row in rows.split("+")]
    try:
        if len(members) > 1:
            return find_fusion(members, measurement), measurement
        if Measurement.named(measurement).method not in METHODS:
            raise UnknownName("measurement", measurement, METHODS)
        return named_run(members[0]), measurement
    except VerydeepError as error:
        raise VerydeepError(f"the study {run.study.name}: localisation.classes: {asked!r}: {error}") from None


def table6_row(row) -> str:
    """The name of a row of Table 6: how many networks and how they are tested."""
    return f"{row.n_models}-{method_of(row.evaluation)}"


def method_of(evaluation: str) -> str:
    """The method of ``verydeep.studies.measurements.METHODS`` that the paper's words mean."""
    return {"multi-crop & dense": "both"}.get(evaluation, evaluation)
