"""Books that tests build: of the checkout in which the smoke study's A was trained."""

import re
import shutil
import subprocess
from pathlib import Path

import forks
from conftest import REPOSITORY

COMMAND = ["jupyter-book", "build", "book", "-W", "-n", "--keep-going"]

#: Chapters that measure what no test reads: their parameters, and what is enough. Others rerun them.
SMALL = (
    ("peers.ipynb", "size = 224  #", "size = 64  #"),
    ("peers.ipynb", "seconds = 0.5  #", "seconds = 0.05  #"),
    ("dense-form.ipynb", "width_divisor = 1  #", "width_divisor = 8  #"),
)


def build(root, **more) -> subprocess.CompletedProcess[str]:
    """Build the book of a checkout as the command does, in a process of its own."""
    if not (root / "src").exists():
        (root / "src").symlink_to(REPOSITORY / "src")  # of which chapters show parts
    return forks.run(*COMMAND, folder=root, timeout=1800, VERYDEEP_ROOT=str(root), **more)


def show_smoke(root):
    """Let the pages of results show the smoke study: no other is trained in the tests' checkout."""
    chapters = ["index.md", "cite.md", "departures.ipynb", "checklist.ipynb", "evaluation/cost.ipynb"]
    for path in [root / "book" / name for name in chapters] + sorted((root / "book/results").glob("*.ipynb")):
        text = re.sub(r'(\\?")quarter\1', r"\1smoke\1", path.read_text())
        # smoke has no such variants, no boxes of B with 5x5 filters, and none of these data
        text = re.sub(r"`quarter\.(?!\S*(?:-long|-all-crops|B-5x5-256-pcr|table11))", "`smoke.", text)
        path.write_text(re.sub(r"(\{result-table\} \d) quarter", r"\1 smoke", text))
    for name, asked, enough in SMALL:
        path = root / "book/networks" / name
        text = path.read_text()
        assert asked in text
        path.write_text(text.replace(asked, enough))
    append(root / "book/cite.md", f"\nA name as long as that of a fusion: `runs/smoke/{'D-256+' * 12}dense-s0/`\n")


def append(path, text):
    with path.open("a") as stream:
        stream.write(text)


def make(folder: Path, trained_checkout: Path) -> None:
    """Build the whole book, strictly, in ``folder``."""
    root = shutil.copytree(trained_checkout, folder / "checkout")
    shutil.copytree(REPOSITORY / "book/evaluation/touch", root / "book/evaluation/touch")
    show_smoke(root)
    done = build(root)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
