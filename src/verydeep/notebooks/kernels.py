"""The kernel of a notebook: this interpreter, and nothing of what its user has set up for other notebooks."""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from verydeep import paths

#: The kernel that the notebooks name.
NAME = "python3"
#: Bytes of a path below which sockets can lie: the system allows 107 in all, and their names here have up to 27.
_LONGEST = 80
#: Code that every Python of a user starts with, and a choice of where pictures are drawn.
_TAKEN_AWAY = ("PYTHONSTARTUP", "MPLBACKEND")


def _short_enough() -> str | None:
    """Where a folder for sockets may lie: where temporary files usually do, or if that path is too long, ``/tmp``."""
    return None if len(os.fsencode(tempfile.gettempdir())) <= _LONGEST else "/tmp"


@contextlib.contextmanager
def own_world() -> Iterator[Path]:
    """Within the block a kernel that is started is this interpreter, whatever else is called ``python3``.

    It needs no home directory, and finds no startup files, no profile and no settings of matplotlib. It finds the same
    folders as this process: paths in its environment are absolute, since a kernel works in another folder.

    Yields
    ------
    Path
        A folder that only this user may enter, for the kernel's sockets; it is gone after the block.
    """
    with tempfile.TemporaryDirectory(prefix="kernel.", dir=_short_enough()) as name:
        folder = Path(name)
        spec = {
            "argv": [
                *(sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"),
                "--InteractiveShellApp.ignore_cwd=True",  # a random.py that lies there is not Python's
                "--Application.log_level=50",  # what ends a notebook is said by who started it
            ],
            "display_name": "Python 3",
            "language": "python",
        }
        (folder / "kernels" / NAME).mkdir(parents=True)
        (folder / "kernels" / NAME / "kernel.json").write_text(json.dumps(spec))
        (folder / "matplotlibrc").touch()
        before = dict(os.environ)
        for variable in _TAKEN_AWAY:
            os.environ.pop(variable, None)
        os.environ.update(_absolute())
        os.environ |= {
            "JUPYTER_PATH": os.pathsep.join([name, *filter(None, [before.get("JUPYTER_PATH")])]),
            **{f"JUPYTER_{kind}_DIR": f"{name}/jupyter" for kind in ("CONFIG", "DATA", "RUNTIME")},
            "IPYTHONDIR": f"{name}/ipython",
            "MATPLOTLIBRC": f"{name}/matplotlibrc",
        }
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)


def _absolute() -> dict[str, str]:
    """The variables that name our folders, and those of modules, as seen from here."""
    folders = {"VERYDEEP_ROOT": str(paths.root())}
    for name, path in (("VERYDEEP_ARTIFACTS", paths.artifacts), ("VERYDEEP_DATA", paths.data)):
        if os.environ.get(name):
            folders[name] = str(path())
    if modules := os.environ.get("PYTHONPATH"):
        folders["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in modules.split(os.pathsep))
    return folders
