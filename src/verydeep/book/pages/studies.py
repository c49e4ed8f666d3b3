"""The page of a study."""

from verydeep import runs
from verydeep.book.pages.parts import errors
from verydeep.chapters import display
from verydeep.results import status
from verydeep.studies import Recorded, Run, Study, Transfer, recipes
from verydeep.studies.measurements import measured_by, single


def study_page(study: Study) -> str:
    """One study: its purpose, what of it is done, and its recipe against the paper's."""
    lines = [f"# Study `{study.name}`", "", f"**{study.title}.** {study.purpose} Runs on: {study.where}.", ""]
    network = study.network
    lines += [
        f"Data: `{study.data.source}`, {study.num_classes} classes, {recipes.held_out_words(study)}. "
        f"Networks: widths divided by {network.width_divisor}, lengths by "
        f"{network.length_divisor}, so crops of {study.crop} pixels.",
        "",
    ]
    lines += _testing(study) + _localisation(study)
    if not study.train:
        return "\n".join([*lines, *_published(study), *_together(study)])
    return "\n".join([*lines, *_runs(study), *_together(study), *_recipe(study)])


def _linked(run: Run, recorded: bool) -> str:
    return f"[{run.name}]({run.address}.md)" if recorded else run.name


def _not_run(study: Study, planned: list[Run]) -> list[str]:
    """What a study without any record would have, and how to run it, in place of a table without results."""
    networks = [run for run in planned if not run.pilot]
    verb = "trains and tests" if study.train else "tests"
    return [
        f"Not run. Planned are {len(networks)} networks: {', '.join(run.row for run in networks)}. "
        f"`{networks[0].command}` {verb} the first, `snakemake --config study={study.name} --cores all` all of them.",
        "",
    ]


def _published(study: Study) -> list[str]:
    """The networks of a study that trains nothing."""
    planned = runs.all_runs(study)
    if not any(runs.read_record(run, "evaluate") for run in planned):
        return ["## Networks", "", *_not_run(study, planned)]
    lines = ["## Networks", "", "| network | weights | state | top-1 (%) | top-5 (%) |", "|:--|:--|:--|--:|--:|"]
    for run in planned:
        record = runs.read_record(run, "evaluate")
        cells = errors(record.measurements[single(run.train_scale).name]) if record else ["", ""]
        state = _state(run)
        weights = f"{run.published.publisher} {run.published.name}"
        lines.append(f"| {_linked(run, record)} | {weights} | {state} | {cells[0]} | {cells[1]} |")
    return [*lines, ""]


def _runs(study: Study) -> list[str]:
    planned = runs.all_runs(study)
    if not any(runs.read_record(run, "train") for run in planned):
        return ["## Runs", "", *_not_run(study, planned)]
    lines = [
        "## Runs",
        "",
        "| run | starts from | state | held-out top-1 (%) | top-1 (%) | top-5 (%) |",
        "|:--|:--|:--|--:|--:|--:|",
    ]
    for run in planned:
        trained, tested = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
        held_out = f"{trained.metrics.held_out_top1_error:.1f}" if trained else ""
        cells = errors(tested.measurements[measured_by(run)[0].name]) if tested else ["", ""]
        start = run.parent.name if run.parent else "random weights"
        lines.append(f"| {_linked(run, trained)} | {start} | {_state(run)} | {held_out} | {cells[0]} | {cells[1]} |")
    said = "Errors in percent; top-1 and top-5 on the validation images, by single-scale dense evaluation."
    if study.localises:
        said += " Of networks that give boxes, the localisation error of the true class's box on the centre crop."
    return [*lines, "", said, "", *_lost(study)]


def _lost(study: Study) -> list[str]:
    """Why what needs some networks has no command: said once, for many rows say that they do."""
    asked = [run for run in runs.all_runs(study) if status.state(run) == "missing"]
    asked += [transfer for transfer in status.transfers(study) if _usual(transfer) is None]
    lost = {network.name: network for network in map(runs.lacking, asked) if network}
    said = "; ".join(f"{name}, {runs.lost_words(network)}" for name, network in lost.items())
    return [f"What some rows need: {said}.", ""] if lost else []


def _state(run: Run) -> str:
    """As ``verydeep status`` says it, and where nothing is recorded the command that runs it."""
    said = status.state(run)
    if said == "done" and run.pilot:
        return "pilot, done"
    if said in ("done", "stale", "trained"):
        return said
    return display.NOT_RUN if run.published else f"{display.NOT_RUN}: {_how(run)}"


def _how(made: Recorded) -> str:
    """The command that makes what is not recorded, or which network it needs, of which :func:`_lost` says why."""
    network = runs.lacking(made)
    return f"`{made.command}`" if network is None else f"needs {network.name}"


def _together(study: Study) -> list[str]:
    """What is made of the networks: several of them together, and on other data."""
    return [*_fusions(study), *_transfers(study), *_tunings(study)]


def _fusions(study: Study) -> list[str]:
    fusions = runs.recorded_fusions(study)
    if not fusions:
        return []
    lines = ["Several networks tested together:", ""]
    lines += ["| networks | method | top-1 (%) | top-5 (%) |", "|:--|:--|--:|--:|"]
    for fusion in fusions:
        cells = errors(runs.read_record(fusion).measurements[fusion.method])
        members = ", ".join(run.row for run in fusion.members)
        lines.append(f"| [{members}]({fusion.address}.md) | {fusion.method} | {cells[0]} | {cells[1]} |")
    return [*lines, ""]


def _transfers(study: Study) -> list[str]:
    transfers = status.transfers(study)
    if not transfers:
        return []
    lines = ["Features on other data (Appendix B), the paper's way of describing images:", ""]
    lines += ["| networks | data | state | measure | value (%) |", "|:--|:--|:--|:--|--:|"]
    for transfer in transfers:
        record, score = runs.read_record(transfer), _usual(transfer)
        value = f"{score.value:.1f}" if score else ""
        state = status.made(transfer) if score else f"{display.NOT_RUN}: {_how(transfer)}"
        members = ", ".join(run.row for run in transfer.members)
        linked = f"[{members}]({transfer.address}.md)" if record else members
        lines.append(f"| {linked} | {transfer.source} | {state} | {transfer.target.metric} | {value} |")
    return [*lines, ""]


def _usual(transfer: Transfer):
    """What describing images the paper's way is worth; ``None`` before that is measured, as settings are now."""
    record = runs.read_record(transfer)
    return record.measurements.get(transfer.usual.name) if record else None


def _tunings(study: Study) -> list[str]:
    tunings = runs.recorded_tunings(study)
    if not tunings:
        return []
    lines = ["Networks tuned on other data ([Fine-tuning](../training/finetune.ipynb)):", ""]
    return [*lines, *(f"- [{tuning.row}]({tuning.address}.md): `{tuning.command}`" for tuning in tunings), ""]


def _recipe(study: Study) -> list[str]:
    lines = ["## Recipe", "", "At S=256; in bold what departs from the paper.", ""]
    lines += [*recipes.markdown(recipes.recipe_rows(study, "256", study.resolve("256"))), ""]
    for scale, title in {"384": "S=384", "jitter": "scale jitter"}.items():
        if study.networks.get(scale):
            changed = ", ".join(_changed(study, scale)) or "nothing changes"
            lines += [f"With {title}: {changed}.", ""]
    return lines


def _testing(study: Study) -> list[str]:
    """How the study settles what the paper leaves open about testing."""
    lines = [
        "## Testing",
        "",
        "What the paper leaves open; in bold where this study departs from our usual reading.",
        "",
    ]
    return [*lines, *_settled(study, "testing"), "", *_settings(study)]


def _localisation(study: Study) -> list[str]:
    """How the study settles what the paper leaves open about boxes (Appendix A), or why it has none."""
    lines = ["## Localisation", ""]
    if study.localises:
        return [*lines, *_settled(study, "localisation"), ""]
    return [*lines, f"The study {recipes.localises_nothing_words(study)} (Appendix A).", ""]


def _settled(study: Study, part: str) -> list[str]:
    """The keys of a part of the study that settle what the paper leaves open, as a table."""
    lines = ["| setting | value | usual | why |", "|:--|:--|:--|:--|"]
    for key, field in type(getattr(study, part)).model_fields.items():
        ours = getattr(getattr(study, part), key)
        shown, why = f"{ours}", ""
        if ours != field.default:
            shown, why = f"**{ours}**", recipes.reason(study, f"{part}.{key}")
        lines.append(f"| {field.description} | {shown} | {field.default} | {why} |")
    return lines


def _settings(study: Study) -> list[str]:
    """What is otherwise for the networks of one training scale."""
    lines = []
    for scale, settings in study.settings.items():
        keys = {key: value for _, part in settings for key, value in part.items()}
        said = ", ".join(
            f"{key} {value} ({study.why[name]})"
            for key, value in keys.items()
            for name in (key, f"testing.{key}")
            if name in study.why
        )
        lines += [f"For the networks of {scale}: {said}.", ""]
    return lines


def _changed(study: Study, scale: str) -> list[str]:
    """What a later stage sets otherwise than the first."""
    first, later = study.resolve("256"), study.resolve(scale)
    return [f"{key} {value} instead of {getattr(first, key)}" for key, value in later if getattr(first, key) != value]
