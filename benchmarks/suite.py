"""What the tests take: ``.ci/run`` as CI runs it, on a fresh clone of this commit and with an empty home directory.

    python benchmarks/suite.py [--log FILE]

Prints what the tests print. Wall time needs a machine with nothing else to do; the seconds of processor time say the
same on a busy one. Writes ``benchmarks/suite.json``, unless a test failed; what is not committed is not tested.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch
from common import Record, processor_time

from verydeep import paths
from verydeep.assembly import device_record

_CLOSING = re.compile(r"^=+ (?P<counts>.*) in (?P<seconds>[\d.]+)s( \([\d:]+\))? =+$", re.MULTILINE)
_IN_ALL = re.compile(r"^=+ slowest files, of (\d+) seconds in all =+$", re.MULTILINE)
_OF_FILE = re.compile(r"^(\d+)s (tests/\S+)$", re.MULTILINE)


def read(printed: str) -> dict:
    """What the tests say of themselves at the end: their counts by outcome, seconds, and those of the slowest files.

    Raises
    ------
    ValueError
        When they did not come to an end.
    """
    if (closing := _CLOSING.search(printed)) is None:
        raise ValueError(f"the tests did not come to an end: {printed[-500:]}")
    counts = {outcome: int(number) for number, outcome in re.findall(r"(\d+) (\w+)", closing["counts"])}
    in_all = _IN_ALL.search(printed)
    return {
        "counts": counts,
        "seconds": float(closing["seconds"]),
        "seconds of all tests": int(in_all[1]) if in_all else None,
        "slowest": {name: int(seconds) for seconds, name in _OF_FILE.findall(printed)},
    }


def run(folder: Path, log: Path | None) -> tuple[dict, float, float]:
    """Run ``.ci/run`` in a clone below ``folder``: what :func:`read` gives, seconds, and seconds of processor time.

    Exits, and nothing is recorded, when it fails.
    """
    root, home = folder / "checkout", folder / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "-q", str(paths.root()), str(root)], check=True)
    ours = ("VERYDEEP_", "PYTHON", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {"HOME": str(home)}
    begun, before, printed = time.monotonic(), processor_time(), []
    tests = subprocess.Popen(
        [".ci/run"], cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    for line in tests.stdout:
        printed.append(line)
        click.echo(line, nl=False)
    failed = tests.wait()
    seconds, used = time.monotonic() - begun, processor_time() - before
    if log is not None:
        log.write_text("".join(printed), encoding="utf-8")
    if failed:
        sys.exit(f"nothing recorded: .ci/run ended with status {failed}")
    return read("".join(printed)), seconds, used


@click.command()
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), help="Where to keep what the tests print.")
def main(log: Path | None) -> None:
    """Run the tests, and record what they took."""
    record = Record(__file__)
    with tempfile.TemporaryDirectory() as folder:
        tests, seconds, used = run(Path(folder), log)
    record.write(
        "the tests as CI runs them: on a fresh clone, installation included",
        {"whole": {"seconds": seconds, "processor_seconds": used}},
        device_record(torch.device("cpu")),
        tests=tests,
    )


if __name__ == "__main__":
    main()
