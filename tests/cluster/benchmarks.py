"""What is taken from ``benchmarks/``, which is no package: its comparison of processes, and the form of a record."""

import sys

from conftest import REPOSITORY

FOLDER = REPOSITORY / "benchmarks"
sys.path.append(str(FOLDER))

import common  # noqa: E402
import processes  # noqa: E402

__all__ = ["FOLDER", "common", "processes"]
