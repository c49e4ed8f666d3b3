"""A trained network in one line: its weights found and checked, what it expects of a picture, and its classes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from verydeep import assembly, files, paths, runs
from verydeep.data import sources
from verydeep.data.images import pixels_of, require_rgb
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import centre_position
from verydeep.errors import VerydeepError
from verydeep.evaluation.tester import rescaled_picture
from verydeep.networks import vgg, weights
from verydeep.paths import WEIGHTS
from verydeep.runs import environment_variables, publication, remote
from verydeep.studies import Run
from verydeep.studies.measurements import single
from verydeep.studies.names import RunName
from verydeep.studies.plan import find_run, named_run
from verydeep.studies.schema import Testing

_RECORD = "train.json"


@dataclass(frozen=True)
class Transform:
    """From a picture to what the network sees: rescaled, its centre cropped, mean RGB subtracted (Sect. 2.1, 4.1).

    ``scale`` is the shorter side in pixels of the rescaled picture, ``crop`` the side of the training crop.
    """

    normalise: Normaliser
    scale: int
    crop: int
    testing: Testing

    def __call__(self, picture: Image.Image | np.ndarray) -> torch.Tensor:
        """The centre crop of a picture, a PIL image or RGB uint8 (height, width, 3): float32 (3, crop, crop)."""
        image = self._rescaled(picture)
        top, left = (centre_position(side, self.crop) for side in image.shape[:2])
        return self._tensor(image[top : top + self.crop, left : left + self.crop])

    def uncropped(self, picture: Image.Image | np.ndarray) -> torch.Tensor:
        """The whole picture, for :func:`verydeep.networks.dense.score_map`: float32 (3, height, width)."""
        return self._tensor(self._rescaled(picture))

    def _rescaled(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        image = pixels_of(picture) if isinstance(picture, Image.Image) else picture
        require_rgb(image)
        return rescaled_picture(self.testing, image, self.scale)

    def _tensor(self, image: np.ndarray) -> torch.Tensor:
        return self.normalise(np.ascontiguousarray(image)[None])[0]


@dataclass(frozen=True, repr=False)  # that of its run has the whole study
class Pretrained:
    """A trained network, what it expects of a picture, and the names of its classes in the order of its scores."""

    network: vgg.VGG
    transform: Transform
    classes: list[str]
    run: Run
    weights_sha256: str
    #: of its training; none where others trained it
    record: runs.TrainRecord | None = None

    @property
    def name(self) -> str:
        """Its study and run, ``narrow/D-256-s0``."""
        return self.run.address

    def __repr__(self) -> str:
        return f"<{self.name}: {len(self.classes)} classes, weights {self.weights_sha256[:10]}>"


def pretrained(name: str | Path, *, sha256: str | None = None, device: str | torch.device = "cpu") -> Pretrained:
    """A network of a study in evaluation mode and float32, with its transform and its classes.

    Its weights are those of the checkout. Where there is none, as after installing from a wheel, or it has not this
    run, they are fetched from the repository whose address is ``$VERYDEEP_REPOSITORY_URL``, checked by the seal of the
    run, and kept. Weights of other publishers come from where these publish them.

    Parameters
    ----------
    name
        As ``study/config-scale[-variant][-sSEED]``, for example ``"narrow/D-256"``; or the path of a run's folder or of
        the weights in it.
    sha256
        The hash that the weights must have; a model card states it. By default that of the run's record.

    Raises
    ------
    UnknownName
        For a study, configuration, scale or variant that does not exist.
    VerydeepError
        When the weights cannot be had, or are others than were recorded or asked for, or the network gives boxes.
    """
    environment_variables.require_precision()
    assembly.exact_float32()
    run, folder = _find(name)
    if run.boxes:
        raise VerydeepError(f"{name} gives boxes and not classes; take {run.study.name}/{run.parent.row}")
    net, record = assembly.network(run), None
    if run.published:
        path = remote.cache() / run.published.publisher / run.published.file
        weights.obtain(run.published, net, path)
    else:
        path = folder / WEIGHTS
        record = _record(run, folder)
        _require_hash(path, record.weights_sha256, f"the record of {run.name}")
        weights.load_into(net, path)
    normalise = assembly.normaliser(run, device, record)
    if sha256 is not None:
        _require_hash(path, sha256, "who asked for it")
    scale = run.study.pixels(single(run.train_scale).test_scales[0])
    transform = Transform(normalise, scale, run.size.crop, run.testing)
    return Pretrained(net.to(device).eval(), transform, class_names(run), run, files.sha256(path), record)


def class_names(run: Run) -> list[str]:
    """The names of a network's classes in the order of its scores, without its images."""
    source = sources.SOURCES[run.study.data.source]
    if source.class_names:
        return list(source.class_names.values())
    from torchvision.models import VGG16_Weights

    # ILSVRC's, sorted by WordNet id as ours are; of a generated set in the tests as many as it has
    return VGG16_Weights.IMAGENET1K_V1.meta["categories"][: source.num_classes]


def _find(name: str | Path) -> tuple[Run, Path | None]:
    """The run that is asked for, and the folder with its record and weights; none for weights of others."""
    path = paths.expanded(name)
    if path.name == WEIGHTS:
        path = path.parent
    if (path / _RECORD).is_file():
        return _recorded_in(path), path
    if path.is_absolute() or isinstance(name, Path):
        raise VerydeepError(f"{name}: no folder of a trained run, which has {_RECORD} and {WEIGHTS}")
    run = named_run(name)
    if run.published:
        return run, None
    here = paths.checkout()
    if here and runs.read_record(run, "train") and run.weights.exists():
        return run, run.weights.parent
    if publication.repository_url():
        return run, remote.fetch_run(run.study.name, run.name, [_RECORD, WEIGHTS])
    if here is None:
        raise VerydeepError(
            f"{name}: no weights here; set VERYDEEP_ROOT to a checkout of the repository, or VERYDEEP_REPOSITORY_URL "
            f"to its address, or give the path of a run's folder"
        )
    runs.require_weights(run)
    raise VerydeepError(
        f"{name}: no weights in {here}; run: {run.command}, or set VERYDEEP_REPOSITORY_URL to the address that has them"
    )


def _recorded_in(folder: Path) -> Run:
    """The run whose record lies in a folder, wherever that is."""
    record = runs.read_file(folder / _RECORD)
    return find_run(record.study, record.config, record.train_scale, record.seed, record.variant)


def _record(run: Run, folder: Path) -> runs.TrainRecord:
    """The record of the training in ``folder``, which must be of ``run`` as its study builds it now."""
    path = folder / _RECORD
    record = runs.read_file(path if path.exists() else runs.record_path(run, "train"))
    if (record.study, RunName(record.config, record.train_scale, record.variant, record.seed)) != (
        run.study.name,
        RunName.parse(run.name),
    ):
        raise VerydeepError(f"{path}: is the record of another run than {run.address}")
    assembly.require_as_recorded(run, record)
    return record


def _require_hash(path: Path, expected: str, whose: str) -> None:
    if not path.exists():
        raise VerydeepError(f"{path}: no weights there")
    if (digest := files.sha256(path)) != expected.lower():
        raise VerydeepError(f"{path}: its sha256 is {digest[:12]}..., {whose} says {expected[:12]}...; get it again")
