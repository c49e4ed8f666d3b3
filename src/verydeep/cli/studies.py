"""Commands that show studies and how far they are."""

import click

from verydeep.cli.group import cli


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
@click.argument("study")
def status(study: str) -> None:
    """Show what is done, stale, running and missing.

    What is stale was made before the study's settings or its networks changed. The same command makes a test, a fusion,
    a transfer and a tuning again. A network is not trained again unasked: "run" and "localise" say which settings have
    changed, and what to remove.
    """
    from verydeep.results import status

    click.echo(status.status(study))
