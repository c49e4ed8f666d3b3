"""What a person reads in a terminal about a study: its recipe, its runs, and how far each is."""

from verydeep import paths, runs
from verydeep.results import training_cost
from verydeep.studies import (
    Recorded,
    Run,
    Study,
    Transfer,
    load,
    planned_fusions,
    planned_runs,
    planned_transfers,
)
from verydeep.studies.measurements import measured_by, several, single
from verydeep.studies.parts import PAPER_SCALES
from verydeep.studies.recipes import held_out_words, recipe_rows
from verydeep.studies.tuning import TUNED


def show_study(name: str) -> str:
    """The resolved recipe of a study and the runs it needs, with multiply-adds and estimated time."""
    study = load(name)
    lines = [study.title, study.purpose, f"runs on: {study.where}", ""]
    lines.append(f"data: {study.data.source}, {held_out_words(study)}")
    network = study.network
    lines.append(
        f"networks: widths / {network.width_divisor}, lengths / {network.length_divisor} (crop {study.crop}), "
        f"{study.num_classes} classes, pooling rounds to {network.pooling}, A-LRN's alpha as in {network.lrn_alpha}"
    )
    for scale, settings in study.settings.items():
        said = ", ".join(f"{key} {value}" for _, part in settings for key, value in part.items())
        lines.append(f"for the networks of {scale}: {said}")
    if not study.train:
        return "\n".join([*lines, "trains nothing: evaluates published weights"])
    for scale in PAPER_SCALES:
        if study.networks.get(scale):
            lines += ["", f"recipe at S={scale}:"]
            for row in recipe_rows(study, scale, study.resolve(scale)):
                departs = f"  (paper: {_setting(row['paper'])}; {row['why']})" if row["differs"] else ""
                lines.append(f"  {row['setting']:18} {_setting(row['study'])}{departs}")
    at = training_cost.pace(study)
    lines += ["", f"runs (time at {at}):"]
    total = 0
    for run in planned_runs(study):
        work = training_cost.planned_multiply_adds(run)
        total += work
        start = f"from {run.parent.name}" if run.parent else "from random weights"
        lines.append(f"  {run.name:24} {start:26} {work:10.2e} multiply-adds  {at.time(work)}")
    lines.append(f"  {'all':51} {total:10.2e} multiply-adds  {at.time(total)}")
    return "\n".join(lines)


def _setting(value) -> str:
    return "none" if value is None else str(value)


def state(run: Run) -> str:
    """How far a run is.

    ``done``, ``stale`` (trained otherwise than the study says now, from other weights than those that are there, or
    tested otherwise), ``trained`` and not yet tested, ``running``, ``stopped`` (a checkpoint waits) or ``missing``.
    """
    if run.published:
        return made(run)
    if runs.told_otherwise(run):
        return "stale"
    if runs.read_record(run, "train"):
        tested = "done" if run.pilot else made(run)
        return "trained" if tested == "missing" else tested
    if runs.is_worked_on(run):
        return "running"
    return "stopped" if (run.workspace / paths.CHECKPOINT).exists() else "missing"


def status(name: str) -> str:
    """What of a study is done, stale, running and missing, a line a run."""
    study = load(name)
    lines = []
    for run in [*runs.all_runs(study), *runs.begun_runs(study)]:
        shown = []
        if trained := runs.read_record(run, "train"):
            what = "boxes" if run.boxes else "top-1"
            shown.append(f"held-out {what} {trained.metrics.held_out_top1_error:5.1f} %")
        if evaluated := runs.read_record(run, "evaluate"):
            shown += [_shown(evaluated.measurements, measurement) for measurement in _headlines(run)]
        lines.append(_line(run, f"{run.name:32}", state(run), *shown))
    for row, fusion in planned_fusions(study).items():
        record = runs.read_record(fusion)
        shown = _shown(record.measurements, fusion.method) if record else ""
        lines.append(_line(fusion, f"{row:32}", made(fusion), shown))
    for transfer in transfers(study):
        record = runs.read_record(transfer)
        score = record.measurements.get(transfer.usual.name) if record else None
        shown = f"{transfer.usual.name} {transfer.target.metric} {score.value:.1f} %" if score else ""
        lines.append(_line(transfer, f"{transfer.row:44}", made(transfer), shown))
    for tuning in runs.recorded_tunings(study):
        name, measured = f"{TUNED}-{tuning.counts[-1]}", runs.read_record(tuning).measurements
        shown = f"{name} recall {measured[name].value:.1f} %" if name in measured else ""
        lines.append(_line(tuning, f"{tuning.row:44}", made(tuning), shown))
    return "\n".join(lines)


def _line(recorded: Recorded, called: str, far: str, *shown: str) -> str:
    """What something is called, how far it is, what it gave; and where it cannot be gone on with here, why."""
    network = None if far == "done" else runs.lacking(recorded)
    why = runs.lacking_words(network) if network else ""
    return f"{called} {far:8} {'  '.join(filter(None, [*shown, why]))}".rstrip()


def made(recorded: Recorded) -> str:
    """``done``, ``stale`` (the study's settings or its networks have changed since; make it again) or ``missing``."""
    if not runs.record_path(recorded).exists():
        return "missing"
    return "done" if runs.is_complete(recorded) else "stale"


def transfers(study: Study) -> list[Transfer]:
    """The transfers that a study plans, and those that were recorded beside."""
    planned = planned_transfers(study)
    return planned + [
        transfer for transfer in runs.recorded_transfers(study) if transfer.row not in {other.row for other in planned}
    ]


def _headlines(run: Run) -> list[str]:
    """The two measurements of a network that are shown beside its state."""
    if run.boxes:
        return [measurement.name for measurement in measured_by(run)][:2]
    return [single(run.train_scale).name, several(run.train_scale, "both").name]


def plan(study: Study) -> str:
    """How much of a study is planned, how much of it needs no job any more, and what is stale, in one line."""
    networks, fusions = planned_runs(study), planned_fusions(study).values()
    asked = {"train": networks if study.train else [], "evaluate": networks, "fuse": fusions}
    done = {kind: sum(runs.is_done(made, kind) for made in planned) for kind, planned in asked.items()}
    words = [*([f"{done['train']} trained"] if study.train else []), f"{done['evaluate']} tested"]
    line = f"study {study.name}: of {len(networks)} networks {' and '.join(words)}, of {len(fusions)} fusions "
    line += f"{done['fuse']} made"
    if all(done[kind] == len(planned) for kind, planned in asked.items()):
        line += "; none of them is left to run"
    if stale := sum(runs.told_otherwise(run) != "" for run in asked["train"]):
        line += f"; {stale} trained otherwise than the study says now: verydeep status {study.name}"
    if left_out := sum(not runs.is_done(run, "train") and runs.lacking(run) is not None for run in asked["train"]):
        line += f"; {left_out} left out, since what they start from was trained elsewhere and its weights are not here"
    return line


def _shown(measurements: dict[str, runs.Errors], name: str) -> str:
    errors = measurements.get(name)
    return f"{name} {errors.top1_error:.1f} / {errors.top5_error:.1f} %" if errors else ""
