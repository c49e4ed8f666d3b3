"""What made a number: sources, versions, machine. Read without importing torch."""

import io
import json
import os
import platform
import subprocess
import tarfile
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import NamedTuple

from verydeep import files, machine, paths
from verydeep.errors import VerydeepError
from verydeep.runs.parts import Device, Environment, Sources
from verydeep.runs.records import TESTS

PACKAGES = ("torch", "torchvision", "accelerate", "numpy", "pillow", "pandas", "scikit-learn", "verydeep")
#: The package's own files that count as sources.
SOURCE_SUFFIXES = (".py", ".yaml", ".csv")


def now() -> str:
    """The time in UTC, to the second, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def git(*arguments: str) -> str | None:
    """Output of a git command in the checkout, or ``None`` where git does not answer for it (:func:`git_unknown`)."""
    return None if git_unknown() else _output(paths.root(), *arguments)


def git_unknown() -> str | None:
    """Why git tells nothing of this checkout, with what to do where something can be done; ``None`` where it does."""
    root = paths.root()
    done = _git(root, "rev-parse", "--show-toplevel")
    if done is None:
        return "git is not installed"
    if done.returncode and "dubious ownership" in done.stderr:
        return f"git refuses a checkout of another user; run: git config --global --add safe.directory {root}"
    if done.returncode:
        return "this is no git clone"
    if Path(done.stdout.strip()).resolve() != root.resolve():
        return "this is no git clone, though it lies in one of something else"
    return None


def history_unknown() -> str | None:
    """Why git does not tell the whole history of this checkout; ``None`` where it does."""
    if why := git_unknown():
        return why
    if git("rev-parse", "--is-shallow-repository") != "false":
        return "a shallow clone has the end of its history alone; run: git fetch --unshallow"
    return None


def _output(root: Path, *arguments: str) -> str | None:
    done = _git(root, *arguments)
    return None if done is None or done.returncode else done.stdout.rstrip()


def _git(root: Path, *arguments: str, text: bool = True) -> subprocess.CompletedProcess | None:
    """git in ``root`` and nowhere else, whatever a hook or another program has set; ``None`` where it cannot be run.

    Bytes come as they were committed: ``core.autocrlf`` would change those of commits without ``.gitattributes``.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.eol=lf", *arguments]
    try:
        return subprocess.run(
            command,
            cwd=root,
            env=environment | {"LC_ALL": "C"},
            capture_output=True,
            text=text,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None


class Head(NamedTuple):
    """The commit that is checked out, its date (YYYY-MM-DD) and its tags; ``None`` and none where there is no git."""

    commit: str | None
    date: str | None
    tags: tuple[str, ...]


def head() -> Head:
    """What is checked out, asked once for each checkout: the pages of a book ask for every number."""
    return _head(paths.root())


@cache
def _head(root: Path) -> Head:
    commit, _, date = (git("show", "--no-patch", "--format=%H %cs", "HEAD") or "").partition(" ")
    return Head(commit or None, date or None, tuple((git("tag", "--points-at", "HEAD") or "").split()))


def first_started(folder: Path, started: str) -> str:
    """When a test was first made (ISO 8601) of which the record in a run's folder was ``started`` then."""
    own = folder.relative_to(paths.runs()).as_posix()
    return min([started, *_replaced(paths.root()).get(own, [])])


@cache
def _replaced(root: Path) -> dict[str, list[str]]:
    """When the tests were started whose records are gone, or have others in their place, by study and run."""
    started: dict[str, list[str]] = {}
    asked = [f"runs/*/*/{kind}.json" for kind in TESTS]
    log = git("log", "--no-renames", "--diff-filter=MD", "--format=commit %H", "--name-only", "--", *asked)
    for entry in (log or "").split("commit ")[1:]:
        commit, *names = filter(None, entry.split("\n"))
        for name in names:
            if text := git("show", f"{commit}^:{name}"):  # none at the end of a shallow clone
                started.setdefault("/".join(Path(name).parts[1:3]), []).append(json.loads(text)["started"])
    return started


def committed_runs(commit: str) -> dict[str, str]:
    """The files under ``runs/`` that a commit has, each with git's name of its content; none where git has it not.

    ``commit`` is the whole name of one, as for :func:`sources_sha256_at`.
    """
    return _committed_runs(paths.root(), commit)


@cache
def _committed_runs(root: Path, commit: str) -> dict[str, str]:
    listed = git("ls-tree", "-r", "-z", "--format=%(objectname) %(path)", commit, "runs/") or ""
    return {path: content for content, _, path in (line.partition(" ") for line in listed.split("\0") if line)}


def last_change(path: Path) -> str | None:
    """The commit that changed ``path``, or a file under it, last; ``None`` where git does not tell."""
    return git("log", "-1", "--format=%H", "--", path.relative_to(paths.root()).as_posix()) or None


def is_committed(path: Path) -> bool:
    """Whether everything under ``path`` is as in the commit that is checked out."""
    changed = _uncommitted(paths.root())
    mine = path.relative_to(paths.root()).as_posix() + "/"
    return not any(f"{other.rstrip('/')}/".startswith(mine) or mine.startswith(other) for other in changed)


@cache
def _uncommitted(root: Path) -> tuple[str, ...]:
    """Files and folders (with a slash at the end) under ``runs/`` that the commit has not, or has otherwise."""
    return _changed("--untracked-files=normal", "--ignored", "--", "runs") or ()


def gone() -> list[str]:
    """The files under ``runs/`` that the commit has and that are not here."""
    listed = git("ls-files", "--deleted", "-z", "--", "runs") or ""
    return [name for name in listed.split("\0") if name]


def _changed(*asked: str) -> tuple[str, ...] | None:
    """The paths that ``git status`` lists, without the litter of desktops; ``None`` where git does not answer."""
    listed = git("status", "--porcelain", "-z", *asked)
    if listed is None:
        return None
    entries = [entry[3:] for entry in listed.split("\0") if entry]
    return tuple(path for path in entries if not files.is_litter(Path(path).name))


def sources_sha256(package: Path | None = None) -> str:
    """One hash over the package's sources: of the sorted lines ``<sha256>  <path>`` of its files."""
    package = package or paths.package()
    sums = {path.relative_to(package): files.sha256(path) for path in files.listed(package, "**/*") if _counts(path)}
    return _sha256_of(sums)


def _counts(path: PurePath) -> bool:
    return path.suffix in SOURCE_SUFFIXES and "__pycache__" not in path.parts


def _sha256_of(sums: dict[PurePath, str]) -> str:
    lines = [f"{digest}  {path.as_posix()}" for path, digest in sums.items()]
    return files.sha256_bytes("\n".join(sorted(lines)).encode())


def sources_sha256_at(commit: str) -> str | None:
    """:func:`sources_sha256` of the package as committed, or ``None`` where git does not have that commit.

    ``commit`` is the whole name of one, as the schema of records asks: git would take another word for an option.
    """
    return _sources_sha256_at(paths.root(), commit)


@cache
def _sources_sha256_at(root: Path, commit: str) -> str | None:
    if git_unknown():
        return None
    done = _git(root, "archive", "--format=tar", commit, "src/verydeep", text=False)
    if done is None or done.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as bundle:
        inside = {PurePath(member.name): member for member in bundle if member.isfile()}
        counted = [path for path in inside if _counts(path) and not any(map(files.is_litter, path.parts))]
        content = {path.relative_to("src/verydeep"): bundle.extractfile(inside[path]).read() for path in counted}
    return _sha256_of({path: files.sha256_bytes(data) for path, data in content.items()})


def is_of_checkout() -> bool:
    """Whether the package that was imported is the one of this checkout; where there is none it is not."""
    here = paths.checkout()
    return here is not None and paths.package() == (here / "src" / "verydeep").resolve()


def require_own_sources() -> None:
    """Raise :class:`VerydeepError` where a checkout has sources of its own and another's were imported.

    A record made so would name one checkout's commit and the other's sources.
    """
    root = paths.root()
    if (root / "src" / "verydeep").exists() and not is_of_checkout():
        raise VerydeepError(
            f"the checkout {root} has sources of its own, but {paths.package()} was imported: use the environment of "
            f"that checkout ({root}/.venv, made by make), or set PYTHONPATH={root}/src"
        )


def sources() -> Sources:
    """What was imported: hash of the sources, where they lie, their commit, and whether they differ from it.

    ``commit`` and ``dirty`` are ``None`` where that is not known, and ``unknown`` says why.
    """
    imported, here = sources_sha256(), is_of_checkout()
    of = partial(Sources, sources_sha256=imported, package="src/verydeep" if here else "outside the checkout")
    if not here:
        return of(commit=None, dirty=None, unknown="the package was not imported from a checkout")
    commit = git("rev-parse", "HEAD")
    if commit is None:
        return of(commit=None, dirty=None, unknown=git_unknown() or "nothing is committed yet")
    # new files count, and so do those that somebody's git is told to ignore
    changed = _changed("--untracked-files=all", "--", "src", "book", "pyproject.toml")
    if changed is None:
        return of(commit=commit, dirty=None, unknown="git does not say what was changed")
    return of(commit=commit, dirty=bool(changed) or sources_sha256_at(commit) != imported)


def load_average() -> float | None:
    """Processes that want to run, over the last minute: whether timings were taken on an idle machine."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


#: Of the variables that are recorded, those that change no bit: of how threads begin and wait. How many is said apart.
_OF_THREADS = ("OMP_", "GOMP_", "KMP_")
#: And those that a processor does not heed.
_OF_CARDS = ("CUBLAS_", "CUDNN_", "NCCL_", "TORCH_CUDNN_")


def machine_type(environment: Environment, device: Device) -> dict:
    """What must be the same for a test to give the same bits. A record that does not say all of it is of another type.

    That is processor or GPU, torch and what it computes with, Pillow, which decodes the images, and the threads.
    """
    idle = _OF_THREADS + (() if device.type == "cuda" else _OF_CARDS)
    variables = device.variables
    return {
        "processor": environment.processor,
        "packages": {name: environment.packages.get(name) for name in ("torch", "pillow")},
        "device": device.name,
        "threads": device.threads,
        "instruction_set": device.instruction_set,
        "cuda": device.cuda,
        "variables": variables and {k: value for k, value in variables.items() if not k.startswith(idle)},
    }


def environment() -> Environment:
    """Versions, operating system and processor."""
    return Environment(
        python=platform.python_version(),
        packages={name: _version(name) for name in PACKAGES},
        system=f"{platform.system()} {platform.machine()}",
        processor=_processor(),
        cores=machine.cores(),
    )
