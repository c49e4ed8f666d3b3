"""The command line: thin, one line for an error, exit status 1 for a fault and 2 for a wrong command.

torch is imported by the commands that need it, so that the others answer at once.
"""

import json
import os
import sys
from pathlib import Path

import click

from verydeep import locks
from verydeep.errors import VerydeepError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verydeep")
def cli() -> None:
    """A reproduction study of VGG (arXiv 1409.1556)."""
    from verydeep.runs import variables

    variables.require_importable()


def _network(command):
    """The arguments that name one network of a study."""
    for decorate in (
        click.option("--variant", help="A variant that the study names."),
        click.option("--seed", default=0, show_default=True, help="Seed of every random draw."),
        click.argument("train_scale"),
        click.argument("config"),
        click.argument("study"),
    ):
        command = decorate(command)
    return command


def _machine(command):
    """The options that say what a training may take of the machine."""
    command = click.option("--micro-batch", type=click.IntRange(1), help="Images that a device takes at once.")(command)
    return click.option("--processes", type=click.IntRange(1), help="Devices to train on.")(command)


def _wait(context, parameter, asked: bool) -> None:
    if asked:
        os.environ[locks.WAITS] = "1"


_waits = click.option(
    "--wait", is_flag=True, expose_value=False, callback=_wait, help="Wait for another process that is at work on it."
)
_pixels = click.option(
    "--pixels-per-batch", type=click.IntRange(1), help="Pixels that go through the network at once in testing."
)


@cli.group()
def data() -> None:
    """Get and verify the data sets."""


@data.command("get")
@click.argument("name")
def data_get(name: str) -> None:
    """Download and unpack a data set, or say how to place it by hand."""
    from verydeep.data.sources import source
    from verydeep.data.store import open_store

    data_set = source(name)
    click.echo(f"{name}: {data_set.get()}")
    store = open_store(data_set)
    counts, again = store.counts(), store.repeated()
    click.echo(f"{name}: {counts['train']} training and {counts['val']} validation images")
    if again["images"]:
        click.echo(
            f"{name}: {again['images']} of them are there more than once, {again['classes']} under several classes, "
            f"{again['splits']} in training and validation"
        )


@data.command("verify")
@click.argument("name")
def data_verify(name: str) -> None:
    """Read every image again and compare it with the manifest."""
    from verydeep.data.sources import source
    from verydeep.data.store import verify

    click.echo(f"{name}: every image matches manifest {verify(source(name))}")


@cli.group()
def study() -> None:
    """Show the studies."""


@study.command("list")
def study_list() -> None:
    """Print the studies, a line each."""
    from verydeep import studies

    for name in studies.names():
        click.echo(f"{name:12} {studies.load(name).title}")


@study.command("show")
@click.argument("name")
def study_show(name: str) -> None:
    """Print a study's recipe and the runs it needs, with their cost."""
    from verydeep.results.status import show_study

    click.echo(show_study(name))


@cli.command()
@_pixels
@_waits
@click.option("--only", type=click.Choice(["train", "evaluate"]), help="Do one of the two.")
@_network
@_machine
def run(study: str, config: str, train_scale: str, seed: int, variant: str | None, only: str | None, **machine) -> None:
    """Train and evaluate one network, through the notebooks.

    Trains first whatever it starts from.
    Resumes what was interrupted and does nothing for what is done. TRAIN_SCALE is 256, 384 or jitter.
    """
    from verydeep import notebooks, studies

    asked = studies.find_run(study, config, train_scale, seed, variant)
    if only:
        notebooks.execute(asked, only, **_given(machine))
    else:
        notebooks.execute_run(asked, **_given(machine))
    click.echo(f"{asked.name}: done, see {asked.folder}")


@cli.command()
@_waits
@_network
@_machine
def train(study: str, config: str, train_scale: str, seed: int, variant: str | None, **machine) -> None:
    """Train one network without the notebook.

    It is what torchrun and accelerate launch call.
    """
    from verydeep import studies, training

    training.train(studies.find_run(study, config, train_scale, seed, variant), **_given(machine))


@cli.command()
@click.argument("members", nargs=-1)
@click.option("--method", default="dense", show_default=True, help="dense, multi-crop or both.")
@click.option("--table6", metavar="STUDY", help="In place of MEMBERS: every row of Table 6 that a study can fill.")
@_pixels
@_waits
def fuse(members: tuple[str, ...], method: str, table6: str | None, **machine) -> None:
    """Test several networks together, their soft-max outputs averaged.

    MEMBERS are evaluated networks as study/config-scale, for example quarter/D-jitter quarter/E-jitter; add -sSEED for
    another seed than 0.
    """
    from verydeep import notebooks, studies

    if bool(members) == bool(table6):
        raise click.UsageError("give the MEMBERS of one fusion, or --table6 and a study.")
    if table6:
        fusions = list(studies.table6_fusions(studies.load(table6)).values())
    else:
        fusions = [studies.find_fusion(list(members), method)]
    for fusion in fusions:
        notebooks.execute(fusion, "fuse", **_given(machine))
        click.echo(f"{fusion.name}: done, see {fusion.folder}")


def _given(options: dict) -> dict:
    return {name: value for name, value in options.items() if value is not None}


@cli.command()
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def numbers(study: str, as_json: bool) -> None:
    """List every cell of every table the study can fill."""
    from verydeep import results
    from verydeep.chapters import error_tables

    every = results.read(study).numbers
    if as_json:
        click.echo(json.dumps([results.as_dict(number) for number in every], indent=1))
        return
    wide = max(len(number.id) for number in every)
    click.echo(f"{'number':{wide}}  {'errors in %, parameters in millions':36}  in the paper")
    for number in every:
        printed = "" if number.paper is None else str(number.paper)
        click.echo(f"{number.id:{wide}}  {error_tables.cell(number, 2):36}  {printed}".rstrip())


@cli.command()
@click.argument("identity", metavar="ID")
@click.option("--format", "form", type=click.Choice(["text", "bibtex", "csl"]), help="One form; all by default.")
def cite(identity: str, form: str | None) -> None:
    """Print how to cite a number, in three forms.

    A sentence, a BibTeX entry and a CSL-JSON item (Zotero, Pandoc).
    Each says the version, the commit and the page, with the book's address where it is set
    ($VERYDEEP_BOOK_URL, or html: baseurl: in _config.yml).
    """
    from verydeep import results
    from verydeep.results import citation

    number = results.number(identity)
    forms = [form] if form else list(citation.FORMATS)
    click.echo("\n\n".join(citation.cite(number, name) for name in forms))


@cli.command()
@click.argument("study")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; <study>-crate by default.")
def crate(study: str, to: Path | None) -> None:
    """Write the study's recorded runs as a Workflow Run RO-Crate."""
    from verydeep.results.crate import write_crate

    click.echo(f"{write_crate(study, to or Path(f'{study}-crate'))}: written")


@cli.command()
@click.argument("study")
def status(study: str) -> None:
    """Show what is done, running and missing."""
    from verydeep.results import status

    click.echo(status.status(study))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


@cli.command()
def check() -> None:
    """Verify every file under runs/, and that changed rules are told.

    Prints a line for each fault.
    """
    from verydeep import runs
    from verydeep.results.claims import history

    folders, faults = runs.run_folders(), runs.check_all() + history.undisclosed_changes()
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise VerydeepError(f"{_counted(len(faults), 'fault')} in {_counted(len(folders), 'run')}")
    click.echo(f"{_counted(len(folders), 'run')} checked: every file is as it was recorded")
    for line in runs.unchecked():
        click.echo(line)


@cli.command()
@click.argument("study")
@click.argument("names", nargs=-1, metavar="[RUN]...")
@click.option("--images", type=click.IntRange(1), help="Only so many validation images, spread evenly.")
def verify(study: str, names: tuple[str, ...], images: int | None) -> None:
    """Test runs anew and compare with the recorded predictions.

    Starts from the weights that are published, or lie in the workspace.
    RUN is a folder below runs/STUDY, for example A-256-s0; by default every tested run that has such weights.
    """
    from verydeep import runs, studies
    from verydeep.chapters import display
    from verydeep.evaluation.verification import verify as verified
    from verydeep.studies.fusions import member

    if names:
        asked = [member(f"{study}/{name}") for name in names]
    else:
        spec = studies.load(study)
        asked = [run for run in runs.recorded_runs(spec) if runs.read_record(run, "evaluate") and run.weights_expected]
    if not asked:
        raise VerydeepError(f"the study {study} has no tested run")
    for run in asked:
        table = verified(run, images)
        click.echo(f"{run.name}: agrees with its record")
        click.echo(display.text(display.table(table, units={"recorded": "%", "again": "%"})).to_string())


@cli.command()
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; that of the book's page by default.")
@_network
def export(study: str, config: str, train_scale: str, seed: int, variant: str | None, to: Path | None) -> None:
    """Write a trained network as ONNX, as browsers run it."""
    from verydeep import paths, studies
    from verydeep.evaluation.browser import export as exported

    folder = to or paths.book() / "evaluation" / "touch"
    exported(studies.find_run(study, config, train_scale, seed, variant), folder)
    click.echo(f"{folder}: written")


@cli.command()
def readme() -> None:
    """Write the headline table of the README anew from the records."""
    import re

    from verydeep import files, paths
    from verydeep.chapters import error_tables

    path = paths.root() / "README.md"
    text = path.read_text(encoding="utf-8")
    table = f"<!-- headline -->\n{error_tables.headline()}\n<!-- end -->"
    files.write_text(path, re.sub(r"<!-- headline -->.*?<!-- end -->", lambda _: table, text, flags=re.DOTALL))


@cli.command()
def pdf() -> None:
    """Print the built book as one PDF, _build/verydeep.pdf."""
    from verydeep import paths
    from verydeep.book import pdf

    html, target = paths.root() / "_build" / "html", paths.root() / "_build" / "verydeep.pdf"
    pages = pdf.make(html, target)
    pdf.publish(html, target, pages)
    click.echo(f"{paths.short(target)}: {pages} pages")


def main() -> None:
    """Entry point: any error of ours or of the command line is one line and a non-zero status."""
    try:
        cli(standalone_mode=False)
    except VerydeepError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'a file'}: {error.strerror or error}")
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("error: interrupted; the same command goes on where it was")


if __name__ == "__main__":
    main()
