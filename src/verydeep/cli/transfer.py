"""Commands that carry a trained network to other data: its features with a linear classifier, or trained further."""

from pathlib import Path

import click

from verydeep.cli.group import cli, given, pixels_option, wait_option
from verydeep.errors import VerydeepError


@cli.command()
@click.argument("data")
@click.argument("members", nargs=-1, required=True)
@pixels_option
@wait_option
def transfer(data: str, members: tuple[str, ...], **machine) -> None:
    """Test the features of networks on other data (Appendix B).

    Trains and tests a linear classifier on them. DATA is voc2007, voc2007-val, voc2012, voc2012-action, caltech101,
    caltech256 or photographs.

    MEMBERS are networks as study/config-scale, for example narrow/D-jitter; one that is not trained yet is trained
    first. The features of several are stacked. The passes over the images are kept, so one network's serve it alone
    and in a pair.
    """
    from verydeep import notebooks, studies

    asked = studies.find_transfer(list(members), data)
    notebooks.execute_recorded(asked, **given(machine))
    click.echo(f"{asked.name}: done, see {asked.folder}")


@cli.command()
@click.argument("network")
@click.argument("images")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to write; IMAGES-tuned by default.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the images; 30 by default.")
@click.option("--held-out", type=float, help="Share of each class that is tested on; 0.3 by default.")
@pixels_option
@wait_option
def finetune(network: str, images: str, to: Path | None, pixels_per_batch: int | None, **learning) -> None:
    """Train a network further on other images.

    NETWORK is study/config-scale, for example narrow/D-jitter. IMAGES is a folder with a folder of images for each
    class, of which a network, its errors and a page of examples are made. Or it is a data set, caltech101 or
    photographs, on which three ways of learning are compared and recorded.
    """
    from verydeep import finetuning, notebooks, studies

    asked = studies.find_tuning(network, images)
    if isinstance(asked, studies.OwnImages):
        tuned = finetuning.tune(asked, to, **given(learning | {"pixels_per_batch": pixels_per_batch}))
        error, low, high = tuned.error
        click.echo(f"error on {len(tuned.answers)} images kept aside: {error:.1f} % (95 % {low:.1f} to {high:.1f})")
        click.echo(f"{tuned.folder}: weights.safetensors, tuned.json and page.html written")
        return
    if to or given(learning):
        raise VerydeepError(f"--to, --epochs and --held-out are for a folder of images; {images} is a data set")
    notebooks.execute_recorded(asked, **given({"pixels_per_batch": pixels_per_batch}))
    click.echo(f"{asked.name}: done, see {asked.folder}")
