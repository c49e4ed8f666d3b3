"""The command that all others belong to, and the arguments and options that several of them take."""

import os

import click

from verydeep import locks


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verydeep")
def cli() -> None:
    """A reproduction study of VGG (arXiv 1409.1556)."""
    from verydeep.runs import environment_variables

    environment_variables.require_importable()


def network_arguments(command):
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


def machine_options(command):
    """The options that say what a training may take of the machine."""
    command = click.option("--micro-batch", type=click.IntRange(1), help="Images that a device takes at once.")(command)
    return click.option("--processes", type=click.IntRange(1), help="Devices to train on.")(command)


def _wait(context, parameter, asked: bool) -> None:
    if asked:
        os.environ[locks.WAITS] = "1"


wait_option = click.option(
    "--wait", is_flag=True, expose_value=False, callback=_wait, help="Wait for another process that is at work on it."
)
pixels_option = click.option(
    "--pixels-per-batch", type=click.IntRange(1), help="Pixels that go through the network at once in testing."
)


def given(options: dict) -> dict:
    """The options that were given, so that those left out keep the called function's own default."""
    return {name: value for name, value in options.items() if value is not None}
