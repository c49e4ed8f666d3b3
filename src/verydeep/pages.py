"""The pages of the runs: for every folder under ``runs/`` its record, curve, files, commands and notebooks."""

import json
import shutil
from importlib import resources
from pathlib import Path

import nbformat
import pandas as pd

from verydeep import citation, figures, files, notebooks, publication, reports, results, runs, tables
from verydeep.runs import provenance
from verydeep.statistics import error_interval
from verydeep.studies import Fusion, Recipe, Run, Study, load, names
from verydeep.studies.measurements import single
from verydeep.studies.schema import Testing

#: Commits are shown at this length.
SHORT = 10
#: The files of a run that its page offers for download; the executed notebooks are pages of their own.
DOWNLOADS = ("train.json", "evaluate.json", "fuse.json", "history.csv", "predictions.parquet", "weights.safetensors")


def write_pages(target: Path) -> None:
    """Write a page for every study and run below ``target`` (``book/runs``); what is no longer there is removed.

    Raises
    ------
    RecordError
        When a record does not fit its schema.
    """
    written = {_write(target / "numbers.md", numbers_page())}
    for name in names():
        study = load(name)
        written.add(_write(target / f"{name}.md", study_page(study)))
        for run in runs.recorded_runs(study):
            written |= _write_run(target / name, run)
        for fusion in runs.recorded_fusions(study):
            written.add(_write(target / name / f"{fusion.name}.md", fusion_page(fusion)))
            written |= _write_files(target / name, fusion)
    kept = target / "numbers"
    for path in sorted(target.rglob("*"), reverse=True):
        if kept in path.parents or path == kept:
            continue
        if path.is_file() and path not in written:
            path.unlink(missing_ok=True)
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def write_numbers(target: Path) -> None:
    """Write what the book offers to programs: every number as JSON (with its schema) and CSV, ``CITATION.cff``."""
    found = [results.as_dict(one) for name in names() for one in results.numbers(name)]
    known = citation.software()
    published = {
        "title": known["title"],
        "version": str(known["version"]),
        "released": publication.is_released(str(known["version"])),
        "commit": provenance.head().commit,
        "address": publication.book_url(),
        "repository": publication.repository_url(),
        "numbers": found,
    }
    _write(target / "numbers.json", json.dumps(published, indent=1) + "\n")
    frame = pd.DataFrame(found).assign(runs=[" ".join(one["runs"]) for one in found])
    _write(target / "numbers.csv", frame.to_csv(index=False, lineterminator="\n"))
    schema = resources.files("verydeep").joinpath("static/numbers.schema.json").read_text(encoding="utf-8")
    _write(target / "numbers.schema.json", schema)
    _write(target / "CITATION.cff", citation.cff())


def _write(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
        files.write_text(path, text)
    return path


def _write_run(folder: Path, run: Run) -> set[Path]:
    written = {_write(folder / f"{run.name}.md", run_page(run))}
    history = run.folder / "history.csv"
    if history.exists():
        curve = folder / f"{run.name}-curve.png"
        if not curve.exists() or curve.stat().st_mtime < history.stat().st_mtime:
            curve.parent.mkdir(parents=True, exist_ok=True)
            figures.learning_curve(pd.read_csv(history), f"{run.study.name}: {run.name}").savefig(curve, dpi=110)
        written.add(curve)
    return written | _write_files(folder, run)


def _write_files(folder: Path, run: Run | Fusion) -> set[Path]:
    """The executed notebooks as pages, and the files offered for download."""
    written = set()
    for kind in notebooks.TEMPLATES:
        executed = run.folder / f"{kind}.ipynb"
        if executed.exists():
            written.add(_write(folder / f"{run.name}-{kind}.ipynb", _notebook_page(executed, run, kind)))
    shared = folder / run.name  # the files offered for download
    for name in DOWNLOADS:
        if (run.folder / name).exists():
            shared.mkdir(parents=True, exist_ok=True)
            if not (shared / name).exists() or files.sha256(shared / name) != files.sha256(run.folder / name):
                shutil.copyfile(run.folder / name, shared / name)
            written.add(shared / name)
    return written


def _notebook_page(executed: Path, run: Run | Fusion, kind: str) -> str:
    """The executed notebook as a page of its own: not executed again, its links one level deeper."""
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")
    verb = {"train": "trained", "evaluate": "tested", "fuse": "tested"}[kind]
    title = f"# {run.study.name}: how {run.name} was {verb}\n\n"
    title += f"The notebook as papermill executed it. Back to [the run]({run.name}.md)."
    notebook.cells[0].source = notebook.cells[0].source.replace("# ", "## ", 1)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(title, id="run-page"))
    notebook.metadata["orphan"] = True
    notebook.metadata["mystnb"] = {"execution_mode": "off"}
    return nbformat.writes(notebook)


def numbers_page() -> str:
    """Every number of every study with its identity, an anchor of that name, and a link to its run."""
    lines = [
        "# Every number",
        "",
        "Each number of a study has an identity, `<study>.<table>.<row>.<metric>`, by which it is cited (see "
        "[how to cite a number](../cite.md)). Errors are in percent, with their 95 % interval; `parameters` are in "
        'millions. The same list for programs: <a href="../numbers.json">numbers.json</a> '
        '(<a href="../numbers.schema.json">schema</a>), '
        '<a href="../numbers.csv">numbers.csv</a>.',
        "",
    ]
    for name in names():
        lines += [f"## {name}", "", "| identity | value | images | paper |", "|:--|:--|--:|--:|"]
        for one in results.numbers(name):
            printed = "" if one.paper is None else f"{one.paper}"
            shown = f"{{result}}`{one.id} cell`" if one.run else f"{one.value:.3f}"
            lines.append(f'| <span id="{one.id}"></span>`{one.id}` | {shown} | {one.n or ""} | {printed} |')
        lines.append("")
    return "\n".join(lines)


def study_page(study: Study) -> str:
    """One study: its purpose, what of it is done, and its recipe against the paper's."""
    lines = [f"# Study `{study.name}`", "", f"**{study.title}.** {study.purpose} Runs on: {study.where}.", ""]
    network = study.network
    lines += [
        f"Data: `{study.data.source}`, {study.num_classes} classes, {reports.held_out_words(study)}. "
        f"Networks: widths divided by {network.width_divisor}, lengths by "
        f"{network.length_divisor}, so crops of {study.crop} pixels.",
        "",
    ]
    lines += _testing(study)
    if not study.train:
        lines += ["## Networks", "", "| network | weights | state | top-1 (%) | top-5 (%) |", "|:--|:--|:--|--:|--:|"]
        for run in runs.all_runs(study):
            record = runs.read_record(run, "evaluate")
            shown = f"[{run.name}]({study.name}/{run.name}.md)" if record else run.name
            cells = _errors(record.measurements[single(run.train_scale).name]) if record else ["", ""]
            state = "done" if record else tables.NOT_RUN
            lines.append(f"| {shown} | torchvision {run.published.name} | {state} | {cells[0]} | {cells[1]} |")
        return "\n".join([*lines, ""])
    lines += [
        "## Runs",
        "",
        "| run | starts from | state | held-out top-1 (%) | top-1 (%) | top-5 (%) |",
        "|:--|:--|:--|--:|--:|--:|",
    ]
    for run in runs.all_runs(study):
        trained, evaluated = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
        shown = f"[{run.name}]({study.name}/{run.name}.md)" if trained else run.name
        held_out = f"{trained.metrics['held_out_top1_error']:.1f}" if trained else ""
        both = _errors(evaluated.measurements[single(run.train_scale).name]) if evaluated else ["", ""]
        start = run.parent.name if run.parent else "random weights"
        state = (
            "pilot, done"
            if trained and run.pilot
            else ("done" if evaluated else "trained" if trained else tables.NOT_RUN)
        )
        lines.append(f"| {shown} | {start} | {state} | {held_out} | {both[0]} | {both[1]} |")
    lines += [
        "",
        "Errors in percent; top-1 and top-5 on the validation images, by single-scale dense evaluation.",
        "",
    ]
    if fusions := runs.recorded_fusions(study):
        lines += [
            "Several networks tested together:",
            "",
            "| networks | method | top-1 (%) | top-5 (%) |",
            "|:--|:--|--:|--:|",
        ]
        for fusion in fusions:
            cells = _errors(runs.read_fusion(fusion).measurements[fusion.method])
            members = ", ".join(run.row for run in fusion.members)
            lines.append(f"| [{members}]({study.name}/{fusion.name}.md) | {fusion.method} | {cells[0]} | {cells[1]} |")
        lines.append("")
    lines += [
        "## Recipe",
        "",
        "At S=256; in bold what departs from the paper.",
        "",
        *_recipe(study, "256", study.resolve("256")),
        "",
    ]
    for scale, title in {"384": "S=384", "jitter": "scale jitter"}.items():
        if study.networks.get(scale):
            changed = ", ".join(_changed(study, scale)) or "nothing changes"
            lines += [f"With {title}: {changed}.", ""]
    return "\n".join(lines)


def _errors(measured: dict) -> list[str]:
    return [f"{measured[key]:.1f}" for key in ("top1_error", "top5_error")]


def _testing(study: Study) -> list[str]:
    """How the study settles what the paper leaves open about testing."""
    lines = [
        "## Testing",
        "",
        "What the paper leaves open; in bold where this study departs from our usual reading.",
        "",
    ]
    lines += ["| setting | value | usual | why |", "|:--|:--|:--|:--|"]
    for key, field in Testing.model_fields.items():
        ours = getattr(study.testing, key)
        shown = f"**{ours}**" if ours != field.default else f"{ours}"
        lines.append(f"| {field.description} | {shown} | {field.default} | {study.why.get(f'testing.{key}', '')} |")
    return [*lines, ""]


def _changed(study: Study, scale: str) -> list[str]:
    """What a later stage sets otherwise than the first."""
    first, later = study.resolve("256"), study.resolve(scale)
    return [f"{key} {value} instead of {getattr(first, key)}" for key, value in later if getattr(first, key) != value]


def _recipe(study: Study, scale: str, recipe: Recipe) -> list[str]:
    lines = ["| setting | paper | here | why |", "|:--|:--|:--|:--|"]
    for row in reports.recipe_rows(study, scale, recipe):
        paper, here = ("none" if row[whose] is None else row[whose] for whose in ("paper", "study"))
        here = f"**{here}**" if row["study"] != row["paper"] else here
        lines.append(f"| {row['meaning']} | {paper} | {here} | {row['why']} |")
    return lines


def run_page(run: Run) -> str:
    """One run: what it measured, how it was made, and how to repeat it."""
    trained, evaluated = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
    study = run.study
    title = f"# {study.name}: network {run.config}, train scale {run.train_scale}"
    lines = ["---", "orphan: true", "---", title + (f", {run.variant}" if run.variant else ""), ""]
    if run.published:
        made = f"torchvision's weights `{run.published.name}`, from {run.published.url}."
    else:
        low, high = run.scale_range
        scale = f"S={low}" if low == high else f"S drawn from [{low}; {high}]"
        made = f"seed {run.seed}: {scale} pixels, crops of {study.crop}."
    lines += [f"Run `{run.name}` of the study [{study.name}](../{study.name}.md), {made}", ""]
    if run.variant:
        lines += [f"Variant `{run.variant}`: {study.variants[run.variant].why}.", ""]
    if evaluated:
        lines += _measured(evaluated.measurements)
        lines += _numbers(run)
    if trained:
        lines += [
            "## Learning curve",
            "",
            f"```{{image}} {run.name}-curve.png",
            f":alt: Loss, errors and learning rate of {run.name} by epoch",
            "```",
            "",
        ]
    lines += _notebooks(run)
    lines += ["## Made by", "", *_table({**(_trained(trained) if trained else {}), **_tested(evaluated)}), ""]
    if trained:
        lines += [
            "## Recipe",
            "",
            *_recipe(study, run.train_scale, Recipe.model_validate(trained.parameters["recipe"])),
            "",
        ]
    kinds = [kind for kind, record in (("train", trained), ("evaluate", evaluated)) if record]
    lines += _repeat(run, kinds, (trained or evaluated).sources)
    if evaluated and run.weights.parent == run.folder:
        lines += [
            f"Without training: `verydeep verify {study.name} {run.name}` tests the published weights anew and "
            "compares every prediction with the recorded one.",
            "",
        ]
    return "\n".join([*lines, *_files(run)])


def fusion_page(fusion: Fusion) -> str:
    """One fusion: what it measured, its members, how it was made, and how to repeat it."""
    record, study = runs.read_fusion(fusion), fusion.study
    names = " and ".join(run.row for run in fusion.members)
    lines = ["---", "orphan: true", "---", f"# {study.name}: {names} together, {fusion.method}", ""]
    lines += [
        f"The soft-max outputs of {len(fusion.members)} networks of the study [{study.name}](../{study.name}.md), "
        "averaged (Section 4.4).",
        "",
        *_measured(record.measurements),
        *_numbers(fusion),
        "## Members",
        "",
        "| network | tested by | top-1 (%) | top-5 (%) | weights |",
        "|:--|:--|--:|--:|:--|",
    ]
    for run in fusion.members:
        member = record.members[run.name]
        cells = _errors(runs.read_record(run, "evaluate").measurements[member["measurement"]])
        lines.append(
            f"| [{run.name}]({run.name}.md) | {member['measurement']} | {cells[0]} | {cells[1]} | "
            f"`{member['weights_sha256'][:SHORT]}` |"
        )
    lines += ["", *_notebooks(fusion), "## Made by", "", *_table(_tested(record)), ""]
    return "\n".join([*lines, *_repeat(fusion, ["fuse"], record.sources), *_files(fusion)])


def _measured(measurements: dict[str, dict]) -> list[str]:
    lines = ["## Measured", "", "| measurement | top-1 error (%) | top-5 error (%) | images |", "|:--|--:|--:|--:|"]
    for name, found in measurements.items():
        cells = []
        for key in ("top1_error", "top5_error"):
            bounds = error_interval(found[key], found["n"])
            cells.append(f"{found[key]:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]")
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {found['n']} |")
    return [*lines, "", "In brackets the 95 % interval over the validation images; one seed.", ""]


def _numbers(run: Run | Fusion) -> list[str]:
    """The numbers that rest on a run, each with an anchor of its name and the words to cite it."""
    found = [one for one in results.numbers(run.study.name) if run.name in one.runs]
    if not found:
        return []
    lines = ["## Numbers", "", "The numbers that rest on this run. Open one to cite it.", ""]
    lines += ["| identity | value | paper |", "|:--|:--|--:|"]
    for one in found:
        printed = "" if one.paper is None else f"{one.paper}"
        lines.append(f'| <span id="{one.id}"></span>`{one.id}` | {citation.value(one)} | {printed} |')
    for one in found:
        lines += ["", f"````{{dropdown}} Cite {one.id}", "", citation.plain(one), "", "```bibtex", citation.bibtex(one)]
        lines += ["```", "````"]
    return [*lines, ""]


def _notebooks(run: Run | Fusion) -> list[str]:
    executed = [kind for kind in notebooks.TEMPLATES if (run.folder / f"{kind}.ipynb").exists()]
    links = ", ".join(f"[{kind}]({run.name}-{kind}.ipynb)" for kind in executed)
    return [f"The notebooks as they were executed: {links}.", ""] if executed else []


def _repeat(run: Run | Fusion, kinds: list[str], sources: dict) -> list[str]:
    commands = [notebooks.command(run, kind) for kind in kinds]
    checkout = f"git checkout {sources['commit']}" if sources["commit"] else "# from which commit is not known"
    return ["## Repeat it", "", "```bash", checkout, *commands, "```", ""]


def _files(run: Run | Fusion) -> list[str]:
    lines = ["## Files", "", "| file | sha256 |", "|:--|:--|"]
    for name, digest in runs.read_seal(run.folder).items():
        shown = f"{{download}}`{name} <{run.name}/{name}>`" if name in DOWNLOADS else f"`{name}`"
        lines.append(f"| {shown} | `{digest}` |")
    return [
        *lines,
        "",
        f"In the repository: {_in_repository(run)}. Check them with `verydeep check`.",
        "",
    ]


def _in_repository(run: Run | Fusion) -> str:
    folder = f"runs/{run.study.name}/{run.name}"
    url = publication.commit_url(provenance.head().commit or "HEAD")
    return f"[`{folder}/`]({url}/{folder})" if url else f"`{folder}/`"


def _sessions(trained: runs.TrainRecord) -> str:
    count = len(trained.sessions)
    return f"{count} session" + ("" if count == 1 else "s")


def _trained(trained: runs.TrainRecord) -> dict[str, str]:
    cost, data, counts = trained.cost, trained.data, trained.data["counts"]
    sources, machine, device = trained.sources, trained.environment, trained.device
    rows = {"started from": "random weights"}
    if parent := trained.parent:
        rows["started from"] = f"[{parent['run']}]({parent['run']}.md), weights `{parent['weights_sha256'][:SHORT]}`"
    rows["commit"] = f"{_commit(sources)}; package sources `{sources['sources_sha256'][:SHORT]}`"
    rows["data"] = (
        f"{data['source']}: {counts['train']} training images of which {data['held_out']['count']} are held out, "
        f"{counts['val']} validation images; manifest `{data['manifest_sha256'][:SHORT]}`, held-out images "
        f"`{data['held_out']['sha256'][:SHORT]}` ({data['held_out']['rule']})"
    )
    rows["trained"] = (
        f"{cost['epochs']} epochs, {cost['images_seen']} images, {cost['multiply_adds']:.3g} multiply-adds, "
        f"{trained.parameters['recipe']['precision']}"
    )
    rows["wall time"] = (
        f"{cost['seconds'] / 60:.1f} minutes in {_sessions(trained)}, {cost['images_per_second']:.0f} "
        f"images/s; load average at the end {trained.sessions[-1].load_average:.1f} on {machine['cores']} cores"
    )
    rows["machine"] = (
        f"{machine['processor']}, {device['type']}, {device['threads']} threads, {device['processes']} process(es)"
    )
    rows["software"] = _software(machine)
    rows["date"] = trained.started
    return rows


def _tested(record: runs.EvaluateRecord | runs.FuseRecord | None) -> dict[str, str]:
    if record is None:
        return {}
    sources, machine = record.sources, record.environment
    protocol = record.protocol
    return {
        "tested": f"{record.started}, in {record.cost['seconds']:.0f} s, commit {_commit(sources)}",
        "tested on": f"{machine['processor']}, {record.device['type']}, {record.device['threads']} threads",
        "tested with": _software(machine),
        "protocol": ", ".join(f"{key} {value}" for key, value in protocol.items()),
    }


def _software(machine: dict) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items() if number)
    return f"Python {machine['python']}, {packages}"


def _table(rows: dict[str, str]) -> list[str]:
    return ["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _commit(sources: dict) -> str:
    """The commit of the sources, and whether they were as it has them: what is not known is said to be so."""
    if not sources["commit"]:
        return f"unknown ({sources['unknown']})" if "unknown" in sources else "unknown"
    shown, url = f"`{sources['commit'][:SHORT]}`", publication.commit_url(sources["commit"])
    changed = "" if sources["dirty"] is False else ", with changes that were not committed"
    return (f"[{shown}]({url})" if url else shown) + changed
