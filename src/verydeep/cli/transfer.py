"""Commands that carry a trained network to other data: its features with a linear classifier, or trained further."""

import click

from verydeep.cli.group import cli, given, pixels_option, wait_option


@cli.command()
@click.argument("data")
@click.argument("members", nargs=-1, required=True)
@pixels_option
@wait_option
def transfer(data: str, members: tuple[str, ...], **machine) -> None:
    """Test the features of networks on other data (Appendix B).

    Trains and tests a linear classifier on them. DATA is voc2007, voc2007-val, voc2012, voc2012-action, caltech101,
    caltech256 or photographs.

    MEMBERS are trained networks as study/config-scale, for example narrow/D-jitter; the features of several are
    stacked. The passes over the images are kept, so one network's serve it alone and in a pair.
    """
    from verydeep import notebooks, studies

    asked = studies.find_transfer(list(members), data)
    notebooks.execute_recorded(asked, **given(machine))
    click.echo(f"{asked.name}: done, see {asked.folder}")
