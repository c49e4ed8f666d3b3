"""What the benchmarks share: errors of one pass over the validation images, photographs, processes, records."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from verydeep import files
from verydeep.errors import VerydeepError
from verydeep.runs import predictions, provenance
from verydeep.runs.parts import Device, Part

if TYPE_CHECKING:  # torch would be most of the memory that benchmarks/manifest.py measures
    from verydeep.evaluation.tester import Tester
    from verydeep.evaluation.ways import Way


def errors(tester: "Tester", way: "Way | str", store, rows: np.ndarray, shorter: int) -> dict[str, float]:
    """Top-1 and top-5 error, in percent, of one pass over the images ``rows`` of ``store``."""
    labels = store.manifest["label"].to_numpy()[rows]
    images = store.manifest["name"].iloc[rows].tolist()
    posteriors = tester.make(way, store, rows, shorter).posteriors
    measured = predictions.errors(predictions.table(getattr(way, "name", way), images, labels, posteriors))
    return {name: measured[name] for name in ("top1_error", "top5_error")}


def mib(used: resource.struct_rusage) -> float:
    """The most memory that a process had, in MiB: told in KiB, on a Mac in bytes."""
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def photograph(number: int, size: tuple[int, int]) -> Image.Image:
    """Smooth random colours with some noise: as a JPEG of quality 90 as many bytes as a photograph of that size."""
    random = np.random.default_rng(number)
    coarse = Image.fromarray(random.integers(0, 256, (size[1] // 12, size[0] // 12, 3), dtype=np.uint8))
    fine = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)) + random.normal(0, 8, (*size[::-1], 1))
    return Image.fromarray(fine.clip(0, 255).astype(np.uint8))


def in_own_process(script: str, *arguments: str, what: str, **variables: str):
    """What the script (its ``__file__``) prints last when it is called with these arguments, read as JSON.

    Raises
    ------
    VerydeepError
        When it fails: ``what`` was asked, and the last line of what it said.
    """
    environment = os.environ | variables
    done = subprocess.run(
        [sys.executable, script, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise VerydeepError(f"{what}: {(done.stderr.strip().splitlines() or ['ended without a word'])[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def processor_time() -> float:
    """Seconds of processor time of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Record:
    """What a benchmark will write, begun before anything is measured: it names the sources that were then imported.

    Parameters
    ----------
    script
        The benchmark's ``__file__``, beside which the record lies, or the record's own path.
    study
        The study that is measured, where each has a record of its own.
    """

    def __init__(self, script: str | Path, study: str | None = None):
        script = Path(script).resolve()
        self.path = script.with_name(f"{script.stem}{f'-{study}' if study else ''}.json")
        self.of_study = {"study": study} if study else {}
        # while they are what was imported: a benchmark takes an hour, in which the checkout may change
        self.made_by = {
            "date": provenance.now(), "sources": provenance.sources(), "environment": provenance.environment()
        }  # fmt: skip

    def write(self, what: str, rates: dict[str, dict], device: Device | dict, **others) -> None:
        """Write ``what`` was measured and its ``rates``, on what, by what, and the ``others``."""
        record = {"what": what, "rates": rates, "device": device} | self.made_by | self.of_study | others
        record = {key: value.model_dump() if isinstance(value, Part) else value for key, value in record.items()}
        files.write_json(self.path, record)
