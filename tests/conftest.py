"""Shared fixtures: a checkout of its own for every test that writes, one trained smoke network for all, a browser."""

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

REPOSITORY = Path(__file__).resolve().parents[1]
#: The settings of every test that draws its cases at random.
EVERY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

# Several test processes share two cores: waiting threads must not spin, and each process has a core to itself. So
# too in one alone: more threads add up in another order, and a test would pass or fail by how it was started.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
STARTUP = str(REPOSITORY / "tests" / "startup")  # whose sitecustomize every Python finds
if STARTUP not in os.environ.get("PYTHONPATH", ""):
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [STARTUP, os.environ.get("PYTHONPATH")]))

#: Begun first, in this order: what takes longest, or what others wait for.
FIRST = (
    "tests/book/test_book.py",
    "tests/evaluation/test_released.py",
    "tests/test_faults_of_machines.py",
    "tests/book/test_audit.py",
    "tests/chapters/test_chapters.py",
    "tests/book/test_browser.py",
    "tests/training/test_training.py",
    "tests/training/test_launch.py",
    "tests/notebooks/test_notebooks.py",
)
#: Files whose tests go to whichever process is free, each by itself; of other files one process has all tests.
DIVIDED = frozenset({"tests/test_faults_of_machines.py", "tests/test_recorded.py"})
#: Of those the test whose cases one process has: each hashes the sources of a commit, which many runs share.
TOGETHER = "test_a_recorded_run_holds_and_was_made_from_committed_sources"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest first: begun last, it would keep one core busy while the others have nothing left to do.

    What is marked ``gpu`` is skipped where there is none, and what is marked ``slurm`` or ``hosts`` unless it is asked
    for: it takes minutes, and writes a record.
    """
    for name in ("slurm", "hosts"):
        if name not in config.getoption("markexpr"):
            for item in (item for item in items if item.get_closest_marker(name)):
                item.add_marker(pytest.mark.skip(reason=f"not part of make test: make {name}"))
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="no GPU that torch sees on this machine; with one: make gpu"))
    order = {name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(order)))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files side by side, in the order of the tests; those of ``DIVIDED`` test by test."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            name = nodeid.partition("::")[0]
            if TOGETHER in nodeid:
                return nodeid.partition("[")[0]
            return nodeid if name in DIVIDED else name

    return Scheduling(config, log)


def pytest_terminal_summary(terminalreporter) -> None:
    """Say which files took longest: the seconds of all their tests and fixtures."""
    seconds: Counter[str] = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    if sum(seconds.values()) > 60:
        terminalreporter.section(f"slowest files, of {sum(seconds.values()):.0f} seconds in all")
        for name, spent in seconds.most_common(12):
            terminalreporter.write_line(f"{spent:.0f}s {name}")


def once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first test process to ask for it makes by ``make``; the others wait, and have the same."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, made = shared / name, shared / f"{name}.made"
    with FileLock(shared / f"{name}.lock"):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


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


def enter(root: Path, patch: pytest.MonkeyPatch) -> Path:
    """The package takes ``root`` for its checkout from now on, for as long as ``patch`` holds."""
    patch.setenv("VERYDEEP_ROOT", str(root))
    patch.setenv("VERYDEEP_ARTIFACTS", str(root / "artifacts"))
    patch.chdir(root)
    return root


@contextlib.contextmanager
def entered(root: Path):
    """Within the block the package takes ``root`` for its checkout."""
    with pytest.MonkeyPatch.context() as patch:
        yield enter(root, patch)


@pytest.fixture(scope="session")
def digits_store(tmp_path_factory) -> Path:
    """The store of the images of the smoke study, made once for all tests: only to be copied."""
    from verydeep.data import sources, store

    def make(folder: Path) -> None:
        with entered(make_checkout(folder / "checkout")):
            store.open_store(sources.source("digits"))

    return once(tmp_path_factory, "digits", make) / "checkout/artifacts/data/digits"


@pytest.fixture
def checkout(request, tmp_path, monkeypatch) -> Path:
    """An empty checkout that the package takes for its own; to tests of training it has the digits at hand."""
    root = enter(make_checkout(tmp_path / "checkout"), monkeypatch)
    if request.node.path.parent.name == "training":
        shutil.copytree(request.getfixturevalue("digits_store"), root / "artifacts/data/digits")
    return root


@pytest.fixture(scope="session")
def trained_checkout(tmp_path_factory) -> Path:
    """A checkout in which A of the smoke study was trained and evaluated through the notebooks, once for all tests."""
    from verydeep import notebooks, studies

    def train(folder: Path) -> None:
        with entered(make_checkout(folder / "checkout")):
            notebooks.execute_run(studies.find_run("smoke", "A", 256))

    return once(tmp_path_factory, "trained", train) / "checkout"


def gone_on(trained_checkout: Path, tmp_path_factory, name: str, do: Callable[[], object]) -> Path:
    """A copy of the trained checkout in which ``do`` was done too, once for all tests: only to be copied."""

    def make(folder: Path) -> None:
        with entered(shutil.copytree(trained_checkout, folder / "checkout")):
            do()

    return once(tmp_path_factory, name, make) / "checkout"


@pytest.fixture(scope="session")
def d_trained_checkout(trained_checkout, tmp_path_factory) -> Path:
    """The trained checkout, in which plain papermill trained D from that A on two processes, once for all tests."""
    asked = {"study": "smoke", "config": "D", "train_scale": 256, "seed": 0, "processes": 2}

    def train() -> None:
        done = papermill("training/train.ipynb", asked, Path.cwd().parent / "out.ipynb")
        assert done.returncode == 0, done.stderr

    return gone_on(trained_checkout, tmp_path_factory, "d-trained", train)


def papermill(template: str, parameters: dict, output: Path) -> subprocess.CompletedProcess[str]:
    """Execute a template of the checkout at hand by papermill itself, as a user without our command would."""
    command = [sys.executable, "-m", "papermill", f"book/{template}", str(output), "-y", json.dumps(parameters)]
    return subprocess.run([*command, "--no-progress-bar"], capture_output=True, text=True, timeout=300)


@pytest.fixture
def repository(monkeypatch) -> None:
    """The records of this repository, only to be read."""
    monkeypatch.setenv("VERYDEEP_ROOT", str(REPOSITORY))


@pytest.fixture
def trained(trained_checkout, tmp_path, monkeypatch) -> Path:
    """A private copy of the trained checkout, to look at or to damage."""
    return enter(shutil.copytree(trained_checkout, tmp_path / "copy"), monkeypatch)


@pytest.fixture
def d_trained(d_trained_checkout, tmp_path, monkeypatch) -> Path:
    """A private copy of the checkout in which D is trained too, and not tested."""
    return enter(shutil.copytree(d_trained_checkout, tmp_path / "copy"), monkeypatch)


@pytest.fixture(scope="session")
def html(trained_checkout, tmp_path_factory) -> Path:
    """The pages of the whole book, built strictly from the trained checkout, once for all tests: only to be read."""
    import books

    folder = once(tmp_path_factory, "book", lambda folder: books.make(folder, trained_checkout))
    return folder / "checkout/_build/html"


@pytest.fixture(scope="session")
def address(html):
    """Where the book is served."""
    with _served(html) as found:
        yield found


@pytest.fixture(scope="session")
def numbers(html):
    """The numbers of the checkout that the book was built from, by identity."""
    from verydeep import results

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(html.parents[1]))
        return {number.id: number for number in results.read("smoke").numbers}


FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


#: How the addresses begin of what a page of the book may ask for.
OWN = ("http://127.0.0.1:", "data:", "blob:", "file:")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each on standard error; a browser may keep the scripts that all pages load."""

    def end_headers(self):
        if "/_static/" in self.path:
            self.send_header("Cache-Control", "max-age=3600")
        super().end_headers()

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


@contextlib.contextmanager
def _watched(browser):
    # one context for all: in a new one the browser would fetch every script anew
    context = browser.contexts[0] if browser.contexts else browser.new_context(viewport={"width": 1280, "height": 900})
    opened, faults = context.new_page(), []
    opened.on("request", lambda request: request.url.startswith(OWN) or faults.append(f"asked for {request.url}"))
    opened.on("console", lambda message: message.type == "error" and faults.append(message.text))
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "response", lambda response: response.status >= 400 and faults.append(f"{response.status} {response.url}")
    )
    yield opened
    if opened.url.startswith("http"):
        opened.evaluate("localStorage.clear()")  # what the next page must not find there
    opened.close()
    assert not faults


@pytest.fixture(scope="session")
def watched():
    """``with watched(browser) as page``: a page; any console error, failed request or script from outside fails it."""
    return _watched


@pytest.fixture
def page(browser):
    """Such a page for one test."""
    with _watched(browser) as opened:
        yield opened
