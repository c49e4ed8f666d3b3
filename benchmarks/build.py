"""What it costs to build the book, whole and after a change: this commit beside an earlier one.

    python benchmarks/build.py [--before COMMIT]

Builds the book strictly from the recorded runs, each commit in a clone of its own with its own sources, chapters and
pages, both with the runs of this commit, but for what one of them cannot read. Then a chapter gets one more sentence,
and the book is built again; then one record says otherwise what its test took, and the book is built once more: it
must show both. Wall time needs a machine with nothing else to do; the seconds of processor time, of a build and all
processes that it has started, say the same on a busy one. In every process of the first build, each opening of a
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
import nbformat
import torch
from common import Record, processor_time

from verydeep import files, paths
from verydeep.assembly import device_record

#: The commit before pages were read and written side by side, the contents beside them made once, and kernels started
#: with the records read.
BEFORE = "2407a46"
#: What both builds are without: the smoke study, and a record that commits before it cannot read.
LEFT_OUT = ("smoke", "*-tuned-on-*")
#: The chapter that is changed, and the test whose record is.
CHAPTER, SENTENCE = "networks/pooling", "And one more sentence."
TESTED, SECONDS = "quarter/A-256-s0", 98765.0
ROLES = ("result", "verdict")

#: Python runs this at the start of every process of a build.
WATCH = """
import atexit, json, multiprocessing.util, os, re, sys, time

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

def forked():
    opened[0] = 0
    roles.clear()

os.register_at_fork(after_in_child=forked)
multiprocessing.util.register_after_fork(write, lambda _: multiprocessing.util.Finalize(None, write, exitpriority=0))
atexit.register(write)
"""


def build(commit: str, folder: Path) -> dict[str, float]:
    """Build the book of a commit, and again with a changed chapter; what each cost, and what its roles did."""
    root, watched, site = folder / "checkout", folder / "watched", folder / "site"
    subprocess.run(["git", "clone", "-q", str(paths.root()), str(root)], check=True)
    subprocess.run(["git", "checkout", "-q", commit], cwd=root, check=True)
    shutil.rmtree(root / "runs")
    shutil.copytree(paths.runs(), root / "runs", ignore=shutil.ignore_patterns(*LEFT_OUT))
    watched.mkdir()
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCH)
    search = os.pathsep.join([str(site), str(root / "src")])
    environment = os.environ | {"PYTHONPATH": search, "WATCHED": str(watched), "VERYDEEP_ROOT": str(root)}
    rates = _timed(root, environment, "whole build")
    processes = [json.loads(path.read_text()) for path in watched.iterdir()]
    rates["records opened"] = sum(process["opened"] for process in processes)
    for name in ROLES:
        timed = [process["roles"][name] for process in processes if name in process["roles"]]
        later = [spent for of_process in timed for spent in of_process[1:]]
        rates[f"{name}: after the first"] = len(later)
        rates[f"{name}: records opened for each"] = sum(opened for _, opened in later) / len(later)
        rates[f"{name}: milliseconds each"] = 1000 * sum(spent for spent, _ in later) / len(later)
    change_prose(root)
    rates |= _timed(root, environment, "one chapter changed")
    _must_show(root, CHAPTER, SENTENCE)
    change_record(root)
    rates |= _timed(root, environment, "one record changed")
    _must_show(root, f"runs/{TESTED}", f"in {SECONDS:.0f} s")
    return rates


def _timed(root: Path, environment: dict[str, str], what: str) -> dict[str, float]:
    """Build the book in ``root``: seconds, and seconds of processor time with all processes that it started."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "book", "-W", "-n", "--keep-going"]
    begun, before = time.monotonic(), processor_time()
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    seconds, used = time.monotonic() - begun, processor_time() - before
    if done.returncode:
        sys.exit(f"the book does not build:\n{done.stderr[-2000:]}")
    return {f"{what}: seconds": seconds, f"{what}: processor seconds": used}


def change_prose(root: Path) -> None:
    """Add a sentence to a chapter of the checkout ``root``."""
    path = root / "book" / f"{CHAPTER}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[-1].source += f"\n\n{SENTENCE}\n"
    nbformat.write(notebook, path)


def change_record(root: Path) -> None:
    """Have a record of the checkout ``root`` say otherwise what its test took, and seal it as it is then."""
    folder = root / "runs" / TESTED
    path, seal = folder / "evaluate.json", folder / "SHA256SUMS"
    before, record = files.sha256(path), json.loads(path.read_text(encoding="utf-8"))
    record["cost"]["seconds"] = SECONDS
    files.write_json(path, record)
    files.write_text(seal, seal.read_text(encoding="utf-8").replace(before, files.sha256(path)))


def _must_show(root: Path, page: str, text: str) -> None:
    if text not in (root / "_build/html" / f"{page}.html").read_text(encoding="utf-8"):
        sys.exit(f"the page {page} does not show {text!r}: it is stale")


@click.command()
@click.option("--before", default=BEFORE, show_default=True)
def main(before: str) -> None:
    """Build both, one after the other."""
    record, rates = Record(__file__), {}
    for title, commit in ((f"before, {before}", before), ("now", "HEAD")):
        with tempfile.TemporaryDirectory() as folder:
            rates[title] = build(commit, Path(folder))
        click.echo(f"{title}: {rates[title]}")
    record.write(
        "the build of the book, whole, after one chapter and after one record was changed; what each role costs",
        rates,
        device_record(torch.device("cpu")),
    )


if __name__ == "__main__":
    main()
