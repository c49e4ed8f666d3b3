"""Images described by a network's last hidden layer (Appendix B): a pass a scale, kept in the run's workspace."""

import time
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from verydeep import progress
from verydeep.assembly import device, load_network, normaliser, untrained_network, weights_sha256
from verydeep.data.base import Images
from verydeep.data.examples import LabelledExamples
from verydeep.data.normaliser import Normaliser
from verydeep.data.store import Store
from verydeep.evaluation.passes import MADE_WITH, kept_or_made, made_with
from verydeep.evaluation.tester import Pass, Tester
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks import dense
from verydeep.studies import Features, Run, Transfer
from verydeep.studies.transfer import PIXELS, UNTRAINED, describing_protocol

#: Side of the picture that stands for an image where its pixels alone describe it.
PIXELS_SIDE = 16


class Views(Images):
    """Images, or the objects in their boxes, in place of a store: number ``k`` is that of target ``k``."""

    too_narrow = Store.too_narrow

    def __init__(self, store: Store, examples: LabelledExamples, boxed: bool):
        self.store, self.examples, self.boxed = store, examples, boxed
        self.manifest = store.manifest.iloc[examples.rows].reset_index(drop=True)

    def image(self, k: int) -> np.ndarray:
        """uint8 (height, width, 3)."""
        image = self.store.image(self.examples.rows[k])
        if not self.boxed:
            return image
        height, width = image.shape[:2]
        left, top, right, bottom = self.examples.boxes[k] * [width, height, width, height]
        # a side that was divided by the image's and is multiplied again may be a little less than whole
        left, top = min(round(left), width - 1), min(round(top), height - 1)
        return image[top : max(top + 1, round(bottom)), left : max(left + 1, round(right))]


def describe(tester: Tester, views: Views, positions: np.ndarray, shorter: int, relu: bool) -> Pass:
    """The descriptors of the images at ``positions``, rescaled to a shorter side of ``shorter``.

    The activations of the last hidden layer, averaged over the positions that see a whole training crop and over both
    mirror images: ``descriptors``, float32 (images, width of the layer). The multiply-adds are those of a dense test,
    the class scores included, which are not computed here: less than a thousandth.
    """
    net, testing, begun = tester.net, tester.testing, time.monotonic()
    made = np.empty((len(positions), [*net.fully_connected().values()][-1].in_features), np.float32)
    views_each = 1 + tester.flip
    multiply_adds, way = 0, tester.way("dense")
    title = f"{net.config.name} features at {shorter}"
    with torch.inference_mode(), progress.bar(title=title, total=len(positions)) as bar:
        for chosen, images in tester.batches(views, positions, shorter):
            x = tester.input(images)
            total = 0
            for view in (x, x.flip(3)) if tester.flip else (x,):
                hidden = dense.hidden_map(net, view, tester.pixels_per_batch, relu).float()
                rows, columns = dense.counted(net, *view.shape[2:], testing.positions)
                total = total + hidden[:, :, :rows, :columns].mean((2, 3))
            made[chosen] = (total / views_each).cpu().numpy()
            tester.require_finite(made[chosen])
            multiply_adds += views_each * way.multiply_adds(tuple(x.shape[2:])) * len(chosen)
            bar.update(len(chosen))
    seconds = time.monotonic() - begun
    return Pass({"descriptors": made}, len(positions), seconds, multiply_adds, views_each * len(positions))


class Descriptors:
    """The descriptors that one network gives the examples of a data set, taken from its workspace or made.

    A file there counts only when it is of the same weights, images and settings and was made as it would be now
    (:func:`verydeep.evaluation.passes.made_with`), or is the very one that a record names.

    Parameters
    ----------
    recorded
        Hashes of passes that records name.
    part
        Positions of the examples to describe; nothing that was kept is then used, and nothing is kept.
    """

    def __init__(
        self, transfer: Transfer, run: Run, store: Store, examples: LabelledExamples, *,
        recorded: frozenset[str] = frozenset(), pixels_per_batch: int = PIXELS_PER_BATCH,
        part: np.ndarray | None = None,
    ):  # fmt: skip
        self.transfer, self.run, self.store, self.examples = transfer, run, store, examples
        self.recorded, self.pixels_per_batch, self.part = recorded, pixels_per_batch, part
        self.positions = np.arange(len(examples.names)) if part is None else part
        self.made: dict[str, dict] = {}
        self.weights_sha256 = weights_sha256(run)

    @cached_property
    def key(self) -> dict:
        """Of what whatever is kept of this network and these examples was made."""
        return {
            "weights": self.weights_sha256,
            "data": self.store.manifest_sha256,
            "labels": self.examples.sha256(),
            "protocol": describing_protocol(self.run),
            MADE_WITH: made_with(device(), self.pixels_per_batch),
        }

    @cached_property
    def _normalise(self) -> Normaliser:
        """What the network expects of its input: the mean of the images that it was trained on."""
        return normaliser(self.run, device())

    def _tester(self, of: str) -> Tester:
        net = untrained_network(self.run) if of == UNTRAINED else load_network(self.run)
        return Tester(net, self._normalise, self.run.testing, self.run.recipe.flip, self.pixels_per_batch)

    @cached_property
    def _testers(self) -> dict[str, Tester]:
        return {}

    def path(self, name: str) -> Path:
        """Where the descriptors of the pass ``name`` are kept, in the run's workspace."""
        return self.run.workspace / "features" / self.transfer.source / f"{name}.safetensors"

    def at(self, of: str, view: str, scale: int) -> np.ndarray:
        """Descriptors at one scale: float32 (examples, width). ``view`` is ``"box"``, or the image."""
        name = "-".join(filter(None, (of, "box" if view == "box" else "", f"dense-{scale}")))
        if self.part is not None:
            return self._make(of, view, scale).arrays["descriptors"]
        arrays, self.made[f"{self.run.name}/{name}"] = kept_or_made(
            self.path(name), self.key | {"pass": name}, self.recorded, lambda: self._make(of, view, scale).parted()
        )
        return arrays["descriptors"]

    def _make(self, of: str, view: str, scale: int) -> Pass:
        if of not in self._testers:
            self._testers[of] = self._tester(of)
        views = Views(self.store, self.examples, view == "box")
        relu = self.run.study.transfer.hidden == "relu"
        return describe(self._testers[of], views, self.positions, self.run.study.pixels(scale), relu)

    def pixels(self) -> np.ndarray:
        """The pixels of small pictures of the whole images, less half of the range: float32 (examples, numbers)."""
        views = Views(self.store, self.examples, False)
        made = np.empty((len(self.positions), 3 * PIXELS_SIDE**2), np.float32)
        for place, k in enumerate(self.positions):
            picture = Image.fromarray(np.ascontiguousarray(views.image(k)))
            small = picture.resize((PIXELS_SIDE, PIXELS_SIDE), Image.Resampling.BILINEAR)
            made[place] = np.asarray(small, np.float32).ravel() - 127.5
        return made

    def joined(self, features: Features) -> np.ndarray:
        """One way of describing the examples, not yet normalised as a whole: float32 (examples, numbers)."""
        if features.of == PIXELS:
            return self.pixels()
        parts = []
        for view in features.view.split("+"):
            scales = [self.at(features.of, view, scale) for scale in features.scales]
            parts.append(join(scales, features.join, self.run.study.transfer.normalise))
        return np.concatenate(parts, 1)


def join(descriptors: list[np.ndarray], how: str, normalise: str) -> np.ndarray:
    """The descriptors of several scales, (n, width) each, as one: their mean, their maximum, or one behind another.

    Parameters
    ----------
    normalise
        ``"each"``: each is divided by its length first, and what comes out again. ``"whole"``: neither is.
    """
    if normalise == "each":
        descriptors = [unit(of_scale) for of_scale in descriptors]
    if how == "stack":
        joined = np.concatenate(descriptors, 1)
    elif how == "max":
        joined = np.max(descriptors, 0)
    else:
        joined = np.mean(descriptors, 0, dtype=np.float64).astype(np.float32)
    return unit(joined) if normalise == "each" else joined


def unit(descriptors: np.ndarray) -> np.ndarray:
    """Descriptors (n, width) divided by their Euclidean lengths; one that is nothing stays so."""
    lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return np.divide(descriptors, lengths, out=np.zeros_like(descriptors), where=lengths > 0)
