"""Commands that write what leaves the checkout: networks for other programs, the README's table, the book's PDF."""

from pathlib import Path

import click

from verydeep.cli.group import cli, network_arguments


@cli.command()
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; that of the book's page by default.")
@network_arguments
def export(study: str, config: str, train_scale: str, seed: int, variant: str | None, to: Path | None) -> None:
    """Write a network for other programs.

    As ONNX for images of any size, with what it expects of them; and where the widths allow it as a state dict that
    torchvision's constructors load.
    """
    from verydeep import paths, studies
    from verydeep.evaluation import export as exporting

    asked = studies.find_run(study, config, train_scale, seed, variant)
    if to is None:
        exporting.require_fits_page(asked)
    written = exporting.export(asked, to or paths.book() / "evaluation" / "touch")
    for path in written:
        click.echo(f"{path}: written")


@cli.command()
@click.argument("name")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="File to write; printed by default.")
def card(name: str, to: Path | None) -> None:
    """Print the model card of a published network.

    NAME is study/config-scale, for example narrow/D-256. Model hubs take the card as README.md beside the weights.
    """
    from verydeep import files
    from verydeep.errors import VerydeepError
    from verydeep.results import cards
    from verydeep.studies.plan import named_run

    text = cards.card(named_run(name))
    if to is None:
        click.echo(text, nl=False)
        return
    if to.exists():
        raise VerydeepError(f"{to}: is there already; name another file, or remove it")
    files.write_text(to, text)
    click.echo(f"{to}: written")


@cli.command()
def readme() -> None:
    """Write the headline table of the README anew from the records."""
    import re

    from verydeep import files, paths
    from verydeep.chapters import error_tables
    from verydeep.errors import VerydeepError

    path = paths.root() / "README.md"
    text = path.read_text(encoding="utf-8")
    table = f"<!-- headline -->\n{error_tables.headline()}\n<!-- end -->"
    written, found = re.subn(r"<!-- headline -->.*?<!-- end -->", lambda _: table, text, flags=re.DOTALL)
    if found != 1:
        raise VerydeepError(f"{path}: the table stands between <!-- headline --> and <!-- end -->, {found} times here")
    files.write_text(path, written)
    click.echo(f"{path}: written" if written != text else f"{path}: is as the records say")


@cli.command()
def pdf() -> None:
    """Print the built book as one PDF, _build/verydeep.pdf."""
    from verydeep import paths
    from verydeep.book import pdf

    html, target = paths.root() / "_build" / "html", paths.root() / "_build" / "verydeep.pdf"
    pages = pdf.make(html, target)
    pdf.publish(html, target, pages)
    click.echo(f"{paths.short(target)}: {pages} pages")
