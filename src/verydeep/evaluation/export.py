"""A network for other programs: as ONNX, with what it expects of its input, and as torchvision's constructors load it.

A browser that tests a network as :mod:`verydeep.evaluation.ways` does needs nothing else.
"""

import json
from pathlib import Path

from verydeep import files, paths
from verydeep.errors import VerydeepError
from verydeep.evaluation.measure import require_trained
from verydeep.evaluation.pretrained import Pretrained, pretrained
from verydeep.networks import interchange
from verydeep.studies import Run
from verydeep.studies.schema import Testing

NETWORK, SETTINGS = "network.onnx", "network.json"
#: The network, of seed 0, that the book's page in the browser shows.
ON_PAGE = "narrow/D-256"


def export(run: Run, folder: Path) -> list[Path]:
    """Write a network to ``folder``; return the files.

    ``network.onnx`` is the dense form for images of any height and width, ``network.json`` says what it expects of them
    and which classes its scores are of. Where torchvision has a constructor for it, ``vgg16.safetensors`` or the like
    is a state dict that this loads; its input is that of ``network.json`` too. All compute in float32, whatever the
    precision that the study tests in.

    Raises
    ------
    VerydeepError
        When the run is not trained, its weights cannot be had or are others', it has a layer that ONNX is not written
        with, or the folder has a ``network.json`` that is of something else, as of a network that was fine-tuned.
    """
    _require_own(folder / SETTINGS)
    if paths.checkout():
        require_trained(run)
    model = pretrained(run.address)
    written = [folder / NETWORK, folder / SETTINGS]
    interchange.write_onnx(model.network, folder / NETWORK)
    files.write_json(folder / SETTINGS, _settings(model))
    if not interchange.torchvision_fault(model.network):
        written.append(interchange.write_torchvision(model.network, folder))
    return written


def _require_own(settings: Path) -> None:
    """Refuse a folder whose file of this name was not written by :func:`export`."""
    if not settings.exists():
        return
    try:
        written = json.loads(settings.read_bytes())
    except ValueError:
        written = None
    if not (isinstance(written, dict) and {"run", "crops_per_side"} <= written.keys()):
        raise VerydeepError(f"{settings}: is there already, and of no export; name another folder with --to")


def _settings(model: Pretrained) -> dict:
    run, stated = model.run, model.transform.normalise.statement()
    if model.record:  # which has the mean in double precision
        stated["mean"] = model.record.data.statistics.mean
    return {
        "run": model.name,
        "weights_sha256": model.weights_sha256,
        "classes": model.classes,
        **stated,
        "crop": run.size.crop,
        "crops_per_side": run.testing.crops_per_side,
    }


def require_fits_page(run: Run) -> None:
    """Raise :class:`VerydeepError` for a network that is not the one which the book's page in the browser tells of."""
    if run.published:
        raise VerydeepError(f"{run.name}: its weights are not ours; the page shows ours, name a folder with --to")
    testing = run.testing.model_copy(update={"precision": Testing().precision})
    if testing != Testing():
        raise VerydeepError(f"the study {run.study.name} tests otherwise than the page in the browser does")
    if (f"{run.study.name}/{run.row}", run.seed) != (ON_PAGE, 0):
        raise VerydeepError(f"{run.address}: the book's page shows {ON_PAGE}; name a folder with --to")
