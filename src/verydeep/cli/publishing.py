"""Commands that write what leaves the checkout: networks for other programs, the README's table, the book's PDF."""

from pathlib import Path

import click

from verydeep.cli.group import cli, network_arguments


@cli.command()
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; that of the book's page by default.")
@network_arguments
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
    table = f"<!-- headline -->\n{error_tables.headline('quarter')}\n<!-- end -->"
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
