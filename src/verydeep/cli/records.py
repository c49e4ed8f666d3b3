"""Commands that read what was recorded: its numbers, their citations, the check of it all."""

import json
from pathlib import Path

import click

from verydeep.cli.group import cli
from verydeep.errors import VerydeepError


@cli.command()
@click.argument("study")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def numbers(study: str, as_json: bool) -> None:
    """List every cell of every table the study can fill."""
    from verydeep import results
    from verydeep.chapters import display

    every = results.read(study).numbers
    if as_json:
        click.echo(json.dumps([results.as_dict(number) for number in every], indent=1))
        return
    wide = max(len(number.id) for number in every)
    click.echo(f"{'number':{wide}}  {'errors or precision in %, parameters in millions':48}  in the paper")
    for number in every:
        printed = "" if number.paper is None else str(number.paper)
        click.echo(f"{number.id:{wide}}  {display.measured(number, 2):48}  {printed}".rstrip())


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
@click.argument("first")
@click.argument("second")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def compare(study: str, first: str, second: str, as_json: bool) -> None:
    """Compare two rows of a study on the same images.

    A row is named by its table and network, table3.A-256 (verydeep numbers STUDY lists all).
    Positive is a difference for which the second is the better one.
    """
    from verydeep.results import citation, differences

    found = differences.between(study, first, second)
    if found is None:
        raise VerydeepError(f"{study}: {first} and {second} have not both been run, or with no seed in common")
    click.echo(json.dumps(differences.as_dict(found), indent=1) if as_json else citation.compared(found))


@cli.command()
@click.argument("study")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; <study>-crate by default.")
def crate(study: str, to: Path | None) -> None:
    """Write the study's recorded runs as a Workflow Run RO-Crate."""
    from verydeep.results.crate import write_crate

    click.echo(f"{write_crate(study, to or Path(f'{study}-crate'))}: written")


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
