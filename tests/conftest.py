"""Shared fixtures: a checkout of its own for every test that writes, one trained smoke network for all, a browser."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
#: The settings of every test that draws its cases at random.
EVERY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# Several test processes share two cores; waiting threads must not spin.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def make_checkout(folder: Path) -> Path:
    """A copy of the book and its configuration with an empty ``runs/``."""
    (folder / "runs").mkdir(parents=True)
    for name in ("_config.yml", "CITATION.cff", "CONTRIBUTING.md", "constraints.txt"):
        shutil.copy(REPOSITORY / name, folder)
    for name in ("workflow", "benchmarks"):
        shutil.copytree(REPOSITORY / name, folder / name)
    # What a build writes, and the 19 MB of the page that runs a network, which only a build asks for.
    left_out = shutil.ignore_patterns("runs", "reference", ".ipynb_checkpoints", "touch")
    shutil.copytree(REPOSITORY / "book", folder / "book", ignore=left_out)
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """An empty checkout that the package takes for its own."""
    root = make_checkout(tmp_path / "checkout")
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def trained_checkout(tmp_path_factory) -> Path:
    """A checkout in which A of the smoke study was trained and evaluated through the notebooks."""
    from verydeep import notebooks, studies

    root = make_checkout(tmp_path_factory.mktemp("trained") / "checkout")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(root))
        patch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
        patch.chdir(root)
        notebooks.execute_run(studies.find_run("smoke", "A", 256))
    return root


@pytest.fixture
def trained(trained_checkout, tmp_path, monkeypatch) -> Path:
    """A private copy of the trained checkout, to look at or to damage."""
    root = tmp_path / "copy"
    shutil.copytree(trained_checkout, root)
    monkeypatch.setenv("VERYDEEP_ROOT", str(root))
    monkeypatch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
    monkeypatch.chdir(root)
    return root


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each on standard error."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def _served(folder: Path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def served():
    """``with served(folder) as address``: a plain server of the files in a folder."""
    return _served


@pytest.fixture(scope="module")
def browser():
    from verydeep.book.pdf import BROWSERS

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=FLAGS)) as opened,
    ):
        yield opened


@pytest.fixture
def page(browser):
    """A page that fails the test on any console error, failed request or script from outside."""
    opened, faults = browser.new_page(viewport={"width": 1280, "height": 900}), []
    opened.on("console", lambda message: message.type == "error" and faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "response", lambda response: response.status >= 400 and faults.append(f"{response.status} {response.url}")
    )
    yield opened
    opened.close()
    assert not faults
