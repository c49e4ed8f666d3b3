"""Books that tests build: of the checkout in which the smoke study's A was trained."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import REPOSITORY


def build(root, **more):
    if not (root / "src").exists():
        (root / "src").symlink_to(REPOSITORY / "src")  # of which chapters show parts
    environment = os.environ | {"VERYDEEP_ROOT": str(root)} | more
    command = [f"{sys.prefix}/bin/jupyter-book", "build", "book", "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment, timeout=1800)


def show_smoke(root):
    """Let the pages of results show the smoke study: no other is trained in the tests' checkout."""
    chapters = ["index.md", "cite.md", "departures.ipynb", "checklist.ipynb", "evaluation/cost.ipynb"]
    for path in [root / "book" / name for name in chapters] + sorted((root / "book/results").glob("*.ipynb")):
        text = re.sub(r'(\\?")quarter\1', r"\1smoke\1", path.read_text())
        text = re.sub(r"`quarter\.(?!\S*-(?:long|all-crops))", "`smoke.", text)  # smoke has no such variants
        path.write_text(re.sub(r"(\{result-table\} \d) quarter", r"\1 smoke", text))
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
