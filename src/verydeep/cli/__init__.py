"""The command line: thin, one line for an error, exit status 1 for a fault and 2 for a wrong command.

A module for each group of commands; importing it adds them to :data:`cli`. torch is imported by the commands that need
it, so that the others answer at once.
"""

import io
import sys

import click

from verydeep.cli import data, networks, publishing, records, studies, transfer
from verydeep.cli.group import cli
from verydeep.errors import VerydeepError

__all__ = ["cli", "data", "main", "networks", "publishing", "records", "studies", "transfer"]


def main() -> None:
    """Entry point: any error of ours or of the command line is one line and a non-zero status."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # the log of a cluster's job is read while the job works
        sys.stdout.reconfigure(line_buffering=True)
    try:
        cli(standalone_mode=False)
    except VerydeepError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: {error.filename or 'standard output'}: {error.strerror or error}")
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.UsageError as error:
        click.echo(f"error: {error.format_message()}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit("error: interrupted; run it again to continue")
