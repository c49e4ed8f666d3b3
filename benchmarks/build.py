"""What it costs to build the book, and how often that reads a record: this commit beside an earlier one.

    python benchmarks/build.py [--before COMMIT]

Builds the book strictly from the recorded runs twice, each in a worktree of its own with its own sources, chapters and
pages, both with the runs of this commit; the smoke study is left out. In every process of a build, each opening of a
record below ``runs/`` is counted, and each role of the book is timed. Writes ``benchmarks/build.json``.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import torch
from common import write

from verydeep import paths
from verydeep.assembly import device_record

#: The commit before `results.read`, when each role read the records anew.
BEFORE = "00a1eba"
ROLES = ("result", "verdict")

#: Python runs this at the start of every process of a build.
WATCH = """
import atexit, json, os, re, sys, time

opened, roles = [0], {}
record = re.compile(r"/runs/[^/]+/[^/]+/[^/]+[.](json|parquet)$|/runs/[^/]+/[^/]+/SHA256SUMS$")

def watch(event, arguments):
    if event == "open" and record.search(str(arguments[0])) and "/book/runs/" not in str(arguments[0]):
        opened[0] += 1

sys.addaudithook(watch)
if "jupyter-book" in sys.argv[0] or "jupyter-book" in " ".join(sys.orig_argv):
    from sphinx.util.docutils import SphinxRole
    call = SphinxRole.__call__

    def timed(self, name, *others, **options):
        before, begun = opened[0], time.perf_counter()
        try:
            return call(self, name, *others, **options)
        finally:
            roles.setdefault(name, []).append((time.perf_counter() - begun, opened[0] - before))

    SphinxRole.__call__ = timed

def write():
    with open(f"{os.environ['WATCHED']}/{os.getpid()}.json", "w") as stream:
        json.dump({"opened": opened[0], "roles": roles}, stream)

atexit.register(write)
"""


def build(commit: str, folder: Path) -> dict[str, float]:
    """Build the book of a commit; seconds, records opened, and what its roles cost after the first of each kind."""
    root, watched, site = folder / "checkout", folder / "watched", folder / "site"
    subprocess.run(["git", "clone", "-q", str(paths.root()), str(root)], check=True)
    subprocess.run(["git", "checkout", "-q", commit], cwd=root, check=True)
    shutil.rmtree(root / "runs")
    shutil.copytree(paths.runs(), root / "runs", ignore=shutil.ignore_patterns("smoke"))
    watched.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCH)
    search = os.pathsep.join([str(site), str(root / "src")])
    environment = os.environ | {"PYTHONPATH": search, "WATCHED": str(watched), "VERYDEEP_ROOT": str(root)}
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "book", "-W", "-n", "--keep-going"]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    if done.returncode:
        sys.exit(f"the book of {commit} does not build:\n{done.stderr[-2000:]}")
    processes = [json.loads(path.read_text()) for path in watched.iterdir()]
    rates = {"seconds": seconds, "records opened": sum(process["opened"] for process in processes)}
    roles = next(process["roles"] for process in processes if process["roles"])
    for name in ROLES:
        later = roles[name][1:]
        rates[f"{name}: after the first"] = len(later)
        rates[f"{name}: records opened for each"] = sum(opened for _, opened in later) / len(later)
        rates[f"{name}: milliseconds each"] = 1000 * sum(spent for spent, _ in later) / len(later)
    return rates


@click.command()
@click.option("--before", default=BEFORE, show_default=True)
def main(before: str) -> None:
    """Build both, one after the other."""
    rates = {}
    for title, commit in ((f"before, {before}", before), ("now", "HEAD")):
        with tempfile.TemporaryDirectory() as folder:
            rates[title] = build(commit, Path(folder))
        click.echo(f"{title}: {rates[title]}")
    write(
        __file__,
        "the whole build of the book, and what each role of a sentence costs",
        rates,
        device_record(torch.device("cpu")),
    )


if __name__ == "__main__":
    main()
