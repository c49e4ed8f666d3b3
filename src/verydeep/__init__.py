"""A reproduction study of "Very Deep Convolutional Networks for Large-Scale Image Recognition".

Simonyan and Zisserman, arXiv 1409.1556v6. "How it is built" in the book says how the parts hang together.
``verydeep.pretrained("narrow/D-256")`` gives a trained network, its transform and its classes.
"""

import tomllib
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# accelerate imports tqdm's notebook bar, which complains into every executed notebook that widgets are missing;
# this package shows none there (see progress.py).
warnings.filterwarnings("ignore", message="IProgress not found")

try:
    __version__ = version("verydeep")
except PackageNotFoundError:  # a checkout that is not installed, as torch.hub uses one
    __version__ = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]["version"]


def __getattr__(name: str):
    """What needs torch is imported when it is asked for, so that the command line starts at once without it."""
    if name == "pretrained":
        return import_module("verydeep.evaluation.pretrained").pretrained
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
