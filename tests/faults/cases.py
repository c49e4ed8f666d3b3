"""A case of bad input: what it is, how it is made, through which entry point it comes, and the line it gives.

A case is made in a world of its own, and must end in one line that matches, a status that is not zero, no traceback,
and not one file written or changed.
"""

import contextlib
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from unittest import mock

from faults import small
from faults.world import World
from verydeep import cli
from verydeep.data import archives

Entry = list[str] | Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One bad input.

    ``make`` puts it into a world and gives the arguments of ``verydeep``, or a function to call where the entry point
    is a notebook. ``says`` is what the first line must match. ``lines`` is ``None`` where ``verydeep check`` gives a
    line for every fault and counts them. ``trained`` cases start in a world with a trained and tested network.
    """

    group: str
    name: str
    make: Callable[[World], Entry]
    says: str
    trained: bool = False
    lines: int | None = 1


@dataclass(frozen=True)
class Outcome:
    """What a case gave: the lines said, and every way in which that was not what it should be."""

    said: str
    faults: list[str]


CASES: list[Case] = []


def case(group: str, name: str, says: str, **others):
    """Add the decorated function to the table."""

    def add(make):
        CASES.append(Case(group, name, make, says, **others))
        return make

    return add


def attempt(one: Case, world: World) -> Outcome:
    """Make a case in ``world``, run it, and look at what it said and what it left."""
    with world.entered(), small.sets(), mock.patch.object(archives, "MAX_MEMBERS", 50):
        entry = one.make(world)
        before = world.snapshot()
        status, out, error = call(entry)
        after = world.snapshot()
    lines = [line for line in error.splitlines() if line.strip() and "%|" not in line]
    faults = []
    if status in (0, None):
        faults.append(f"ended well: {out}")
    if "Traceback" in error:
        faults.append(f"a traceback: {error[-1500:]}")
    if len(lines) != one.lines if one.lines else len(lines) < 2:
        faults.append(f"{len(lines)} lines, {one.lines or 'several'} expected: {error}")
    if not re.search(one.says, lines[0] if lines else ""):
        faults.append(f"{lines[:1]} does not match {one.says!r}")
    if before != after:
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        faults.append(f"written or changed: {', '.join(changed)}")
    return Outcome(lines[0] if lines else "", faults)


def call(entry: Entry) -> tuple[int, str, str]:
    """An entry point in this process: status, standard output, standard error."""
    out, error = io.StringIO(), io.StringIO()
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            if callable(entry):
                # as the command line does with what a notebook's cell raised
                with mock.patch.object(cli, "cli", lambda **_: entry()):
                    cli.main()
            else:
                with mock.patch.object(sys, "argv", ["verydeep", *entry]):
                    cli.main()
        except SystemExit as stop:
            status = stop.code
        except BaseException as escaped:
            status = 1
            error.write(f"Traceback: {type(escaped).__name__}: {escaped}")
    said = error.getvalue()
    return (1, out.getvalue(), f"{said}{status}") if isinstance(status, str) else (status or 0, out.getvalue(), said)


def with_changed(owner, name: str, value, arguments: list[str]) -> Entry:
    """A call of the command line with one attribute changed."""
    command = cli.cli  # call() puts the entry in its place

    def run():
        with mock.patch.object(owner, name, value):
            command.main(args=arguments, standalone_mode=False)

    return run
