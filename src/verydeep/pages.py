"""The pages of the runs: for every folder under ``runs/`` its record, curve, files, commands and notebooks."""

import shutil
from pathlib import Path

import nbformat
import pandas as pd

from verydeep import figures, files, notebooks, reports, runs, tables
from verydeep.results import error_interval
from verydeep.studies import Recipe, Run, Study, load, names

#: Commits are shown at this length.
SHORT = 10


def write_pages(target: Path) -> None:
    """Write a page for every study and run below ``target`` (``book/runs``); what is no longer there is removed.

    Raises
    ------
    RecordError
        When a record does not fit its schema.
    """
    written = set()
    for name in names():
        study = load(name)
        written.add(_write(target / f"{name}.md", study_page(study)))
        for run in runs.recorded_runs(study):
            written |= _write_run(target / name, run)
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_file() and path not in written:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _write(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged page is not built again
        files.write_text(path, text)
    return path


def _write_run(folder: Path, run: Run) -> set[Path]:
    written = {_write(folder / f"{run.name}.md", run_page(run))}
    curve = folder / f"{run.name}-curve.png"
    history = run.folder / "history.csv"
    if not curve.exists() or curve.stat().st_mtime < history.stat().st_mtime:
        curve.parent.mkdir(parents=True, exist_ok=True)
        figures.learning_curve(pd.read_csv(history), f"{run.study.name}: {run.name}").savefig(curve, dpi=110)
    written.add(curve)
    for kind in notebooks.TEMPLATES:
        executed = run.folder / f"{kind}.ipynb"
        if executed.exists():
            written.add(_write(folder / f"{run.name}-{kind}.ipynb", _notebook_page(executed, run, kind)))
    shared = folder / run.name  # the files offered for download
    for name in ("train.json", "evaluate.json", "history.csv"):
        if (run.folder / name).exists():
            shared.mkdir(parents=True, exist_ok=True)
            if not (shared / name).exists() or files.sha256(shared / name) != files.sha256(run.folder / name):
                shutil.copyfile(run.folder / name, shared / name)
            written.add(shared / name)
    return written


def _notebook_page(executed: Path, run: Run, kind: str) -> str:
    """The executed notebook as a page of its own: not executed again, its links one level deeper."""
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../", "](../../")
    verb = {"train": "trained", "evaluate": "tested"}[kind]
    title = f"# {run.study.name}: how {run.name} was {verb}\n\n"
    title += f"The notebook as papermill executed it. Back to [the run]({run.name}.md)."
    notebook.cells[0].source = notebook.cells[0].source.replace("# ", "## ", 1)
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(title, id="run-page"))
    notebook.metadata["orphan"] = True
    notebook.metadata["mystnb"] = {"execution_mode": "off"}
    return nbformat.writes(notebook)


def study_page(study: Study) -> str:
    """One study: its purpose, what of it is done, and its recipe against the paper's."""
    lines = [f"# Study `{study.name}`", "", f"**{study.title}.** {study.purpose} Runs on: {study.where}.", ""]
    network = study.network
    lines += [
        f"Data: `{study.data.source}`, {study.num_classes} classes, {study.data.held_out_per_class} training images of "
        f"each class held out. Networks: widths divided by {network.width_divisor}, lengths by "
        f"{network.length_divisor}, so crops of {study.crop} pixels.",
        "",
    ]
    if not study.train:
        return "\n".join(lines)
    lines += [
        "## Runs",
        "",
        "| run | starts from | state | held-out top-1 | top-1 | top-5 |",
        "|:--|:--|:--|--:|--:|--:|",
    ]
    for run in runs.all_runs(study):
        trained, evaluated = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
        shown = f"[{run.name}]({study.name}/{run.name}.md)" if trained else run.name
        held_out = f"{trained.metrics['held_out_top1_error']:.1f}" if trained else ""
        errors = next(iter(evaluated.measurements.values())) if evaluated else None
        both = [f"{errors[key]:.1f}" for key in ("top1_error", "top5_error")] if errors else ["", ""]
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


def _changed(study: Study, scale: str) -> list[str]:
    """What a later stage sets otherwise than the first."""
    first, later = study.resolve("256"), study.resolve(scale)
    return [f"{key} {value} instead of {getattr(first, key)}" for key, value in later if getattr(first, key) != value]


def _recipe(study: Study, scale: str, recipe: Recipe) -> list[str]:
    lines = ["| setting | paper | here | why |", "|:--|:--|:--|:--|"]
    for row in reports.recipe_rows(study, scale, recipe):
        here = f"**{row['study']}**" if row["study"] != row["paper"] else f"{row['study']}"
        lines.append(f"| {row['meaning']} | {row['paper']} | {here} | {row['why']} |")
    return lines


def run_page(run: Run) -> str:
    """One run: what it measured, how it was made, and how to repeat it."""
    trained, evaluated = runs.read_record(run, "train"), runs.read_record(run, "evaluate")
    study = run.study
    low, high = run.scale_range
    scale = f"S={low}" if low == high else f"S drawn from [{low}; {high}]"
    title = f"{study.name}: network {run.config}, train scale {run.train_scale}"
    lines = ["---", "orphan: true", "---", f"# {title}" + (f", {run.variant}" if run.variant else ""), ""]
    lines += [
        f"Run `{run.name}` of the study [{study.name}](../{study.name}.md), seed {run.seed}: {scale} pixels, crops of "
        f"{study.crop}.",
        "",
    ]
    if evaluated:
        lines += [
            "## Measured",
            "",
            "| measurement | top-1 error (%) | top-5 error (%) | images |",
            "|:--|--:|--:|--:|",
        ]
        for name, found in evaluated.measurements.items():
            cells = []
            for key in ("top1_error", "top5_error"):
                bounds = error_interval(found[key], found["n"])
                cells.append(f"{found[key]:.2f} [{bounds[0]:.2f}, {bounds[1]:.2f}]")
            lines.append(f"| {name} | {cells[0]} | {cells[1]} | {found['n']} |")
        lines += ["", "In brackets the 95 % interval over the validation images; one seed.", ""]
    lines += [
        "## Learning curve",
        "",
        f"```{{image}} {run.name}-curve.png",
        f":alt: Loss, errors and learning rate of {run.name} by epoch",
        "```",
        "",
    ]
    executed = [kind for kind in notebooks.TEMPLATES if (run.folder / f"{kind}.ipynb").exists()]
    if executed:
        links = ", ".join(f"[{kind}]({run.name}-{kind}.ipynb)" for kind in executed)
        lines += [f"The notebooks as they were executed: {links}.", ""]
    lines += ["## Made by", "", *_provenance(run, trained, evaluated), ""]
    lines += [
        "## Recipe",
        "",
        *_recipe(study, run.train_scale, Recipe.model_validate(trained.parameters["recipe"])),
        "",
    ]
    lines += ["## Repeat it", "", "```bash", f"git checkout {trained.sources['commit']}"]
    lines += [notebooks.command(run, kind) for kind in notebooks.TEMPLATES if kind == "train" or evaluated]
    lines += ["```", "", "## Files", "", "| file | sha256 |", "|:--|:--|"]
    for name, digest in runs.read_seal(run.folder).items():
        download = name in ("train.json", "evaluate.json", "history.csv")
        lines.append(
            f"| {{download}}`{name} <{run.name}/{name}>` | `{digest}` |" if download else f"| `{name}` | `{digest}` |"
        )
    lines += [
        "",
        f"In the repository: `runs/{study.name}/{run.name}/`. Check them with `verydeep check`.",
        "",
    ]
    return "\n".join(lines)


def _provenance(run: Run, trained: runs.TrainRecord, evaluated: runs.EvaluateRecord | None) -> list[str]:
    cost, data, counts = trained.cost, trained.data, trained.data["counts"]
    sources, machine, device = trained.sources, trained.environment, trained.device
    dirty = "" if sources["dirty"] is False else ", with changes that were not committed"
    rows = {"started from": "random weights"}
    if parent := trained.parent:
        rows["started from"] = f"[{parent['run']}]({parent['run']}.md), weights `{parent['weights_sha256'][:SHORT]}`"
    rows["commit"] = f"{_commit(sources)}{dirty}; package sources `{sources['sources_sha256'][:SHORT]}`"
    rows["data"] = (
        f"{data['source']}: {counts['train']} training images of which {data['held_out']['count']} are held out, "
        f"{counts['val']} validation images; manifest `{data['manifest_sha256'][:SHORT]}`"
    )
    rows["trained"] = (
        f"{cost['epochs']} epochs, {cost['images_seen']} images, {cost['multiply_adds']:.3g} multiply-adds, "
        f"{trained.parameters['recipe']['precision']}"
    )
    rows["wall time"] = (
        f"{cost['seconds'] / 60:.1f} minutes in {len(trained.sessions)} session(s), {cost['images_per_second']:.0f} "
        f"images/s; load average at the end {trained.sessions[-1].load_average:.1f} on {machine['cores']} cores"
    )
    rows["machine"] = (
        f"{machine['processor']}, {device['type']}, {device['threads']} threads, {device['processes']} process(es)"
    )
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items() if number)
    rows["software"] = f"Python {machine['python']}, {packages}"
    rows["date"] = trained.started
    if evaluated:
        seconds = evaluated.cost["seconds"]
        rows["tested"] = f"{evaluated.started}, in {seconds:.0f} s, commit {_commit(evaluated.sources)}"
    return ["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())]


def _commit(sources: dict) -> str:
    return f"`{sources['commit'][:SHORT]}`" if sources["commit"] else "unknown"
