"""Commands for data sets: get and verify them."""

import click

from verydeep.cli.group import cli


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
    from verydeep.data.integrity import verify
    from verydeep.data.sources import source

    click.echo(f"{name}: every image matches manifest {verify(source(name))}")
