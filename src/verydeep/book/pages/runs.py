"""The pages of a run, of a fusion, of a transfer and of a tuning."""

from verydeep import results, runs
from verydeep.book import examples
from verydeep.book.pages.parts import DOWNLOADS, FRONT_MATTER, LEARNED, SHORT, errors, two_columns
from verydeep.book.pages.repeating import repeat
from verydeep.results import cards, citation, training_cost
from verydeep.runs import provenance, publication, templates
from verydeep.runs.parts import Device
from verydeep.statistics import error_interval
from verydeep.studies import Fusion, Recipe, Recorded, Run, Transfer, Tuning, recipes
from verydeep.studies.tuning import WAYS as TUNING_WAYS

#: The chapters that show a recorded notebook, in words.
_CHAPTERS = {"train": "training", "evaluate": "testing", "fuse": "testing several networks together",
             "transfer": "features on other data", "finetune": "fine-tuning"}  # fmt: skip


def run_page(run: Run) -> str:
    """One run: what it measured, how it was made, and how to repeat it."""
    trained, evaluated = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
    study = run.study
    title = f"# {study.name}: network {run.config}, train scale {run.train_scale}"
    lines = [*FRONT_MATTER, title + (f", {run.variant}" if run.variant else ""), ""]
    if run.published:
        made = f"weights `{run.published.name}` of {run.published.publisher}, from {run.published.url}."
    else:
        made = f"seed {run.seed}: {run.scale_words} pixels, crops of {study.crop}."
    lines += [f"Run `{run.name}` of the study [{study.name}](../{study.name}.md), {made}", ""]
    if run.variant:
        lines += [f"Variant `{run.variant}`: {study.variants[run.variant].why}.", ""]
    kinds = [kind for kind, record in (("train", trained), ("evaluate", evaluated)) if record]
    lines += _stale(run, kinds)
    if evaluated:
        lines += _measured(evaluated.measurements)
        lines += _numbers(run)
    if trained:
        lines += _learned(run, trained)
    lines += _notebooks(run)
    lines += ["## Made by", "", *two_columns({**(_trained(run, trained) if trained else {}), **_tested(evaluated)}), ""]
    if trained:
        lines += [
            "## Recipe",
            "",
            *recipes.markdown(recipes.rows_of(run, Recipe.model_validate(trained.parameters["recipe"]))),
            "",
        ]
    lines += repeat(run, kinds)
    if evaluated and run.publishes_weights:
        lines += [
            f"Without training: `verydeep verify {study.name} {run.name}` tests the published weights anew and "
            "compares every prediction with the recorded one.",
            "",
        ]
    elif evaluated and not run.published:
        lines += ["Its weights are not published: to test it anew it must be trained anew first.", ""]
    return "\n".join([*lines, *_card(run), *_files(run)])


def fusion_page(fusion: Fusion) -> str:
    """One fusion: what it measured, its members, how it was made, and how to repeat it."""
    record, study = runs.read_record(fusion), fusion.study
    members = " and ".join(run.row for run in fusion.members)
    lines = [*FRONT_MATTER, f"# {study.name}: {members} together, {fusion.method}", ""]
    what, how = ("boxes", "merged (Appendix A)") if fusion.boxes else ("soft-max outputs", "averaged (Section 4.4)")
    lines += [
        f"The {what} of {len(fusion.members)} networks of the study [{study.name}](../{study.name}.md), {how}.",
        "",
        *_stale(fusion, [fusion.kind]),
        *_measured(record.measurements),
        *_numbers(fusion),
        "## Members",
        "",
        "| network | tested by | top-1 (%) | top-5 (%) | weights |",
        "|:--|:--|--:|--:|:--|",
    ]
    for run in fusion.members:
        member = record.members[run.name]
        cells = errors(runs.read_record(run, "evaluate").measurements[member.measurement])
        lines.append(
            f"| [{run.name}]({run.name}.md) | {member.measurement} | {cells[0]} | {cells[1]} | "
            f"`{member.weights_sha256[:SHORT]}` |"
        )
    lines += ["", *_notebooks(fusion), "## Made by", "", *two_columns(_tested(record)), ""]
    return "\n".join([*lines, *repeat(fusion, [fusion.kind]), *_files(fusion)])


def transfer_page(transfer: Transfer) -> str:
    """One transfer of features to other data: what they are worth, how it was made, and how to repeat it."""
    record, study = runs.read_record(transfer), transfer.study
    networks = " and ".join(f"[{run.row}]({run.name}.md)" for run in transfer.members)
    lines = [*FRONT_MATTER, f"# {study.name}: {transfer.row}", ""]
    lines += [
        f"The features of {networks} of the study [{study.name}](../{study.name}.md) with a linear classifier on "
        f"{transfer.target.title} (Appendix B).",
        "",
        *_stale(transfer, [transfer.kind]),
        "## Measured",
        "",
        "| images described by | value (%) | splits (%) | C | images |",
        "|:--|--:|:--|:--|--:|",
    ]
    for name, score in record.measurements.items():
        splits, costs = (", ".join(map(form, each)) for form, each in (
            ("{:.2f}".format, score.splits), ("{:g}".format, score.costs)))  # fmt: skip
        lines.append(f"| {name} | {score.value:.2f} | {splits} | {costs} | {score.n} |")
    metric = {"map": "Mean average precision", "recall": "Mean class recall"}[transfer.target.metric]
    lines += ["", f"{metric}; the first row is the paper's way.", ""]
    for k, split in enumerate(record.splits, 1):
        lines += [f"- split {k}: {split.train} trained on, {split.test} tested on, `{split.sha256[:SHORT]}`"]
    lines += ["", *_numbers(transfer), *_notebooks(transfer), "## Made by", "", *two_columns(_tested(record)), ""]
    again = f"`verydeep verify {study.name} {transfer.name}` makes the first number anew from the published weights."
    return "\n".join([*lines, *repeat(transfer, [transfer.kind]), again, "", *_files(transfer)])


def tuning_page(tuning: Tuning) -> str:
    """Three ways of learning a data set from few images: what they are worth, how it was made, how to repeat it."""
    record, study, run = runs.read_record(tuning), tuning.study, tuning.run
    lines = [*FRONT_MATTER, f"# {study.name}: {tuning.row}", ""]
    lines += [
        f"[{run.row}]({run.name}.md) of the study [{study.name}](../{study.name}.md) and {tuning.source}, learned from "
        "few images of each class in three ways at one cost: see [fine-tuning](../../training/finetune.ipynb).",
        "",
        *_stale(tuning, [tuning.kind]),
        "## Measured",
        "",
        "| way | images of each class | mean class recall (%) | images tested on | epochs | multiply-adds |",
        "|:--|--:|--:|--:|--:|--:|",
    ]
    for name, score in record.measurements.items():
        (way, _, count), work = name.rpartition("-"), record.work[name]
        cells = [TUNING_WAYS[way], count, f"{score.value:.2f}", score.n, work.epochs, f"{work.multiply_adds:.3g}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", *_notebooks(tuning), "## Made by", "", *two_columns(_tested(record)), ""]
    return "\n".join([*lines, *repeat(tuning, [tuning.kind]), *_files(tuning)])


def _stale(run: Recorded, kinds: list[str]) -> list[str]:
    """A warning above numbers that the study as it is now would not give, and what makes them again."""
    again = f"`{run.command}`"
    if "train" in kinds and (otherwise := runs.told_otherwise(run)):
        said = f"Trained otherwise than the study says now ({otherwise})"
        again = f"remove `runs/{run.address}`, then {again}"
    elif not all(runs.is_complete(run, kind) for kind in kinds if kind != "train"):
        said = "Made before the study's settings, or the networks that it rests on, changed"
    else:
        return []
    return ["```{warning}", f"{said}. To make it again: {again}.", "```", ""]


def _measured(measurements: dict[str, runs.Errors]) -> list[str]:
    lines = ["## Measured", "", "| measurement | top-1 error (%) | top-5 error (%) | images |", "|:--|--:|--:|--:|"]
    for name, measured in measurements.items():
        cells = []
        for error in map(measured.error, results.METRICS):
            low, high = error_interval(error, measured.n)
            cells.append(f"{error:.2f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {measured.n} |")
    return [*lines, "", "In brackets the 95 % interval over the validation images; one seed.", ""]


def _learned(run: Run, trained: runs.TrainRecord) -> list[str]:
    """The learning curve, and the errors at its end with the anchor ``LEARNED``."""
    metrics, held_out = trained.metrics, trained.data.held_out.count
    wrong = "top-1 error" if run.boxes is None else "boxes of the true class that are wrong"
    error = metrics.held_out_error("top1")
    low, high = error_interval(error, held_out)
    return [
        "## Learning curve",
        "",
        f"```{{image}} {run.name}-curve.svg",
        f":alt: Loss, errors and learning rate of {run.name} by epoch",
        "```",
        "",
        f'| <span id="{LEARNED}"></span>in the last epoch | {wrong} (%) | images |',
        "|:--|--:|--:|",
        f"| on random crops of the training images | {metrics.train_top1_error:.2f} | {trained.cost.training_images} |",
        f"| on the held-out images, after it | {error:.2f} [{low:.2f}, {high:.2f}] | {held_out} |",
        "",
    ]


def _numbers(run: Recorded) -> list[str]:
    """The numbers that rest on a run, each with an anchor of its name and the words to cite it."""
    snapshot = results.read(run.study.name)
    numbers = [number for number in snapshot.numbers if run.name in number.runs]
    if not numbers:
        return []
    lines = ["## Numbers", "", "The numbers that rest on this run. Open one to cite it.", ""]
    lines += ["| identity | value | paper |", "|:--|:--|--:|"]
    for number in numbers:
        printed = "" if number.paper is None else f"{number.paper}"
        value = citation.value(number)
        if len(number.runs) > 1:
            errors_of = 100 * snapshot.wrong(number.id).mean(axis=1)
            each = (f"[{name}]({name}.md) {error:.2f}" for name, error in zip(number.runs, errors_of, strict=True))
            value = value.replace(", ".join(number.runs), ", ".join(each))
        lines.append(f'| <span id="{number.id}"></span>`{number.id}` | {value} | {printed} |')
    for number in numbers:
        lines += ["", f"````{{dropdown}} Cite {number.id}", "", citation.cite(number, "text"), ""]
        lines += ["```bibtex", citation.cite(number, "bibtex"), "```", "````"]
    return [*lines, ""]


def _notebooks(run: Recorded) -> list[str]:
    executed = [kind for kind in templates.TEMPLATES if (run.folder / f"{kind}.ipynb").exists()]
    links = ", ".join(f"[{kind}]({run.name}-{kind}.ipynb)" for kind in executed)
    chapters = [f"[{_CHAPTERS[kind]}](../../{templates.template(run, kind)})" for kind in examples.shown_in(run)]
    shown = f" Shown in the book too: {', '.join(chapters)}." if chapters else ""
    return [f"The notebooks as they were executed: {links}.{shown}", ""] if executed else []


def _card(run: Run) -> list[str]:
    """The network's model card, for the runs that have one."""
    if not cards.has_card(run):
        return []
    said = f"What goes along with the weights to a model hub; `verydeep card {run.address}` writes it."
    shown = ["`````{dropdown} The card", "", "````markdown", *cards.card(run).splitlines(), "````", "`````"]
    return ["## Model card", "", said, "", *shown, ""]


def _files(run: Recorded) -> list[str]:
    lines = ["## Files", "", "| file | sha256 |", "|:--|:--|"]
    for name, digest in runs.read_seal(run.folder).items():
        shown = f"{{download}}`{name} <{run.name}/{name}>`" if name in DOWNLOADS else f"`{name}`"
        lines.append(f"| {shown} | `{digest}` |")
    return [
        *lines,
        "",
        f"{_where(run)}. Check them with `verydeep check`.",
        "",
    ]


def _where(run: Recorded) -> str:
    """Where the files of a run lie, in words; those of ``smoke`` are made by whoever builds the book."""
    folder = f"runs/{run.address}"
    if not provenance.is_committed(run.folder):
        return f"Not in the repository, but on the machine that built this book: `{folder}/`"
    url = publication.commit_url(provenance.head().commit or "HEAD")
    return f"In the repository: [`{folder}/`]({url}/{folder})" if url else f"In the repository: `{folder}/`"


def _sessions(trained: runs.TrainRecord) -> str:
    """How many, and on what where it was not one machine: bits are the same on one kind of machine alone."""
    count = len(trained.sessions)
    told = (filter(None, (session.device, session.processor)) for session in trained.sessions)
    machines = list(dict.fromkeys(filter(None, map(", ".join, told))))
    on = f" ({' and then '.join(machines)})" if len(machines) > 1 else ""
    return f"{count} session" + ("" if count == 1 else "s") + on


def _trained(run: Run, trained: runs.TrainRecord) -> dict[str, str]:
    cost, data, counts = trained.cost, trained.data, trained.data.counts
    sources, machine, device = trained.sources, trained.environment, trained.device
    rows = {"started from": "random weights"}
    if parent := trained.parent:
        rows["started from"] = f"[{parent.run}]({parent.run}.md), weights `{parent.weights_sha256[:SHORT]}`"
    rows["commit"] = f"{_commit(sources)}; package sources `{sources.sources_sha256[:SHORT]}`"
    rows["data"] = (
        f"{data.source}: {counts['train']} training images of which {data.held_out.count} are held out, "
        f"{counts['val']} validation images; manifest `{data.manifest_sha256[:SHORT]}`, held-out images "
        f"`{data.held_out.sha256[:SHORT]}` ({data.held_out.rule})"
    )
    rows["trained"] = (
        f"{cost.epochs} epochs, {cost.images_seen} images, {training_cost.done_multiply_adds(run, trained):.3g} "
        f"multiply-adds, {trained.parameters['recipe']['precision']}"
    )
    load = trained.sessions[-1].load_average
    rows["wall time"] = (
        f"{cost.seconds / 60:.1f} minutes in {_sessions(trained)}, {cost.images_per_second:.0f} "
        f"images/s; load average at the end {'unknown' if load is None else f'{load:.1f}'} on {machine.cores} cores"
    )
    rows["machine"] = f"{_machine(machine, device)}, {device.processes} process(es)"
    rows["software"] = _software(machine)
    rows["date"] = trained.started
    return rows


def _tested(
    record: runs.EvaluateRecord | runs.FuseRecord | runs.TransferRecord | runs.TuningRecord | None,
) -> dict[str, str]:
    if record is None:
        return {}
    sources, machine = record.sources, record.environment
    protocol = record.protocol
    return {
        "tested": f"{record.started}, in {record.cost.seconds:.0f} s, commit {_commit(sources)}",
        "tested on": _machine(machine, record.device),
        "tested with": _software(machine),
        "protocol": ", ".join(f"{key} {value}" for key, value in protocol.items()),
    }


def _machine(machine: runs.Environment, device: Device) -> str:
    """The processor and, where the work was another device's, that one by name."""
    on = device.type if device.type == "cpu" else f"{device.type} ({device.name})"
    return f"{machine.processor}, {on}, {device.threads} threads"


def _software(machine: runs.Environment) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine.packages.items() if number)
    return f"Python {machine.python}, {packages}"


def _commit(sources: runs.Sources) -> str:
    """The commit of the sources, and whether they were as it has them: what is not known is said to be so."""
    if not sources.commit:
        return f"unknown ({sources.unknown})" if sources.unknown else "unknown"
    shown, url = f"`{sources.commit[:SHORT]}`", publication.commit_url(sources.commit)
    changed = "" if sources.dirty is False else ", with changes that were not committed"
    return (f"[{shown}]({url})" if url else shown) + changed
