"""Testing of networks that give boxes (Appendix A): on the centre crop, and densely over the whole image.

Boxes leave a pass as they are in the image, in parts of its width and height, each with what the classification
network of the same scale says of its class at the same window. They are merged for a measurement.
"""

import time
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from verydeep import files, progress
from verydeep.assembly import load_network, open_boxes, weights_sha256
from verydeep.data.base import Images
from verydeep.data.boxes import Boxes, corners, mean_boxes
from verydeep.data.places import Place
from verydeep.data.views import centre_position
from verydeep.errors import VerydeepError
from verydeep.evaluation.merging import merge, overlap
from verydeep.evaluation.passes import Passes
from verydeep.evaluation.tester import Pass, Tester
from verydeep.networks import dense
from verydeep.networks.vgg import VGG
from verydeep.runs import boxes as answers
from verydeep.runs import predictions
from verydeep.runs.answers import read
from verydeep.studies import Measurement, Run, classes_of
from verydeep.studies.localisation import Localisation
from verydeep.studies.measurements import BASELINES, GIVEN


class Windows(NamedTuple):
    """What every window of one image says: ``boxes`` (windows, classes, 4) and their class scores (windows, classes).

    The classes are those named for the image, best first, and at the end the true one.
    """

    boxes: np.ndarray
    scores: np.ndarray


class Localiser:
    """A network that gives boxes, ready to be tested, and beside it the classification network that rates them.

    Parameters
    ----------
    tester
        Of the network that gives boxes.
    classifier
        On the same device and in the same precision.
    """

    def __init__(self, tester: Tester, classifier: VGG, options: Localisation, regression: str):
        self.tester, self.options, self.regression = tester, options, regression
        self.rater = Tester(classifier, tester.normalise, tester.testing, tester.flip, tester.pixels_per_batch)

    @property
    def net(self) -> VGG:
        """The network that gives boxes; the other is ``rater.net``."""
        return self.tester.net

    def make(self, method: str, store: Images, rows: np.ndarray, shorter: int, classes: np.ndarray) -> Pass:
        """A pass over the images ``rows`` rescaled to a shorter side of ``shorter``.

        Parameters
        ----------
        method
            ``"centre-boxes"`` or ``"dense-boxes"``.
        classes
            The classes whose boxes are asked for, (images, k).

        Returns
        -------
        Pass
            ``boxes`` (windows of all images, k, 4), ``scores`` (windows, k), and how many ``windows`` each image has.
        """
        begun, forward_passes = time.monotonic(), 0
        by_image: list[Windows | None] = [None] * len(rows)
        way = {"centre-boxes": self._centre, "dense-boxes": self._dense}[method]
        title = f"{self.net.config.name} {method} at {shorter}"
        multiply_adds = 0
        with torch.inference_mode(), progress.bar(title=title, total=len(rows)) as bar:
            for positions, images in self.tester.batches(store, rows, shorter):
                made, passes, work = way(images, classes[positions])
                for position, windows in zip(positions, made, strict=True):
                    self.tester.require_finite(windows.boxes)
                    self.rater.require_finite(windows.scores)
                    by_image[position] = windows
                forward_passes += passes * len(positions)
                multiply_adds += work * len(positions)
                bar.update(len(positions))
        arrays = {
            "boxes": np.concatenate([windows.boxes for windows in by_image]).astype(np.float32),
            "scores": np.concatenate([windows.scores for windows in by_image]).astype(np.float32),
            "windows": np.array([len(windows.boxes) for windows in by_image], np.int32),
        }
        return Pass(arrays, len(rows), time.monotonic() - begun, multiply_adds, forward_passes)

    def _centre(self, images: np.ndarray, classes: np.ndarray) -> tuple[list[Windows], int, int]:
        """Protocol 1: the centre crop, whose one window needs no rating."""
        (height, width), side = images.shape[1:3], self.net.crop
        place = Place(height, width, centre_position(height, side), centre_position(width, side), side)
        crops = images[:, place.top : place.top + side, place.left : place.left + side]
        crops = self.tester.normalise(np.ascontiguousarray(crops))
        said = dense.score_map(self.net, crops).float().cpu().numpy()
        made = []
        for outputs, wanted in zip(said, classes, strict=True):
            boxes = place.in_image(self._corners(outputs, wanted))
            made.append(Windows(boxes[0], np.ones(boxes.shape[1:3], np.float32)))
        return made, 1, self.tester.way("dense").multiply_adds((side, side))

    def _dense(self, images: np.ndarray, classes: np.ndarray) -> tuple[list[Windows], int, int]:
        """Protocol 2: every window of the whole image, and of its mirror image where the study asks it."""
        (height, width), side = images.shape[1:3], self.net.crop
        views = [False, True] if self.options.mirror else [False]
        parts: list[list[Windows]] = [[] for _ in images]
        for mirror in views:
            x = self.tester.input(np.ascontiguousarray(images[:, :, ::-1]) if mirror else images)
            said, scores = (self._map(net, x) for net in (self.net, self.rater.net))
            scores = scores.softmax(1).cpu().numpy()
            for part, outputs, rated, wanted in zip(parts, said.cpu().numpy(), scores, classes, strict=True):
                part.append(self._windows(outputs, rated, wanted, (height, width, side), mirror))
        made = [Windows(*(np.concatenate(each) for each in zip(*part, strict=True))) for part in parts]
        # the network that gives boxes and the one that rates them
        work = sum(tester.way("dense").multiply_adds((height, width)) for tester in (self.tester, self.rater))
        return made, 2 * len(views), len(views) * work

    def _map(self, net: VGG, x) -> torch.Tensor:
        """Outputs at every window that counts: (n, outputs, rows, columns)."""
        outputs = dense.score_map(net, x, self.tester.pixels_per_batch).float()
        rows, columns = dense.counted(net, *x.shape[2:], self.tester.testing.positions)
        return outputs[:, :, :rows, :columns]

    def _windows(self, outputs, rated, wanted, size: tuple[int, int, int], mirror: bool) -> Windows:
        """The boxes of one image's ``wanted`` classes at every window, as they lie in the image, and their scores."""
        (height, width, side), stride = size, self.net.config.stride
        in_crops = self._corners(outputs, wanted)
        boxes = np.empty_like(in_crops)
        for row, column in np.ndindex(*in_crops.shape[:2]):
            left = column * stride
            # a window of the mirror image lies as far from the right as it seems to lie from the left
            place = Place(height, width, row * stride, width - side - left if mirror else left, side, mirror)
            boxes[row, column] = place.in_image(in_crops[row, column])
        scores = rated[wanted].transpose(1, 2, 0)
        return Windows(boxes.reshape(-1, len(wanted), 4), scores.reshape(-1, len(wanted)))

    def _corners(self, outputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Outputs (numbers, rows, columns) as boxes of the wanted classes: (rows, columns, classes, 4), in crops."""
        numbers = outputs.reshape(-1, 4, *outputs.shape[1:])
        chosen = numbers[np.zeros_like(wanted) if self.regression == "scr" else wanted]
        return corners(chosen.transpose(2, 3, 0, 1).astype(np.float64), self.options.units, self.net.crop)


class BoxPasses(Passes):
    """The boxes of one network, pass by pass, as :class:`verydeep.evaluation.passes.Passes` keeps posteriors."""

    file, kept_in = answers.FILE, "boxes"

    def __init__(self, run: Run, *arguments, **options):
        super().__init__(run, *arguments, **options)
        self.boxes: Boxes = open_boxes(run, self.store)
        self.system = Classification(run, self.names)
        self.key |= {
            "boxes": self.boxes.fingerprint(self.store)["sha256"],
            "rated by": weights_sha256(run.parent),
        }
        self.key |= {"classes": self.system.sha256}

    @cached_property
    def localiser(self) -> Localiser:
        """Made when the first pass is."""
        return Localiser(self.tester, load_network(self.run.parent), self.run.localisation, self.run.boxes)

    @property
    def wanted(self) -> np.ndarray:
        """The classes of each image whose boxes are asked for, (images, k): those named, at the end the true one."""
        return np.concatenate([self.system.classes, self.labels[:, None]], 1)

    def make(self, single: Measurement) -> Pass:
        classes = self.labels[:, None] if single.method == "centre-boxes" else self.wanted
        return self.localiser.make(single.method, self.store, self.rows, self.pixels(single.name), classes)

    def windows(self, measurement: Measurement) -> Iterator[Windows]:
        """Every image's windows, those of several scales together."""
        return union(self.parts(measurement))

    def parts(self, measurement: Measurement) -> list:
        """The windows of each of its scales."""
        return [self.arrays(single) for single in measurement.passes]

    def together(self, method: str, parts: list) -> pd.DataFrame:
        """Their boxes merged as if of one network (A.2)."""
        return self.judged(method, False, merged(union(parts), slice(-1), self.run.localisation, len(self.rows)))

    def table(self, measurement: Measurement) -> pd.DataFrame:
        baseline = measurement.method.removeprefix(GIVEN)
        if baseline in BASELINES:
            given = measurement.method != baseline
            return self.judged(measurement.name, given, self._without_network(baseline, given))
        given = measurement.method != "dense-boxes"
        columns = slice(-1, None) if given else slice(-1)
        options = self.run.localisation
        return self.judged(measurement.name, given, merged(self.windows(measurement), columns, options, len(self.rows)))

    def judged(self, name: str, given: bool, boxes: np.ndarray) -> pd.DataFrame:
        """The table of boxes (images, k, 4) of the named classes, or of the true one where it is ``given``."""
        classes = self.labels[:, None] if given else self.system.classes
        truth = [self.boxes.of(row) for row in self.rows]
        boxes = boxes.astype(np.float32).clip(0, 1)  # no object reaches out of its image; judged as it is kept
        ious = np.stack([overlap(said, true).max(1) for said, true in zip(boxes, truth, strict=True)])
        return answers.table(name, self.names, self.labels, classes, boxes, ious, truth)

    def _without_network(self, baseline: str, given: bool) -> np.ndarray:
        """The boxes that need no network, of the named classes or the true one: (images, k, 4)."""
        classes = self.labels[:, None] if given else self.system.classes
        if baseline == "whole-image":
            return np.broadcast_to([0.0, 0.0, 1.0, 1.0], (*classes.shape, 4))
        mean, of_class = self._mean_boxes
        return of_class[classes] if baseline == "class-mean-box" else np.broadcast_to(mean, (*classes.shape, 4))

    @cached_property
    def _mean_boxes(self) -> tuple[np.ndarray, np.ndarray]:
        rows = self.boxes.having(self.store.rows("train"))
        labels = self.store.manifest["label"].to_numpy()[rows]
        return mean_boxes(self.boxes, rows, labels, self.store.num_classes)

    def asked(self) -> dict:
        rated = {"run": self.run.parent.name, "weights_sha256": self.key["rated by"]}
        return {"classes": self.system.record(), "rated_by": rated}


class Classification:
    """The five best classes that the study's classification system names for each image (A.1).

    Raises
    ------
    VerydeepError
        When the system is not tested yet; says how to test it.
    """

    def __init__(self, run: Run, names: list[str]):
        self.system, self.measurement = classes_of(run)
        path = self.system.folder / predictions.FILE
        if not path.exists():
            raise VerydeepError(
                f"{run.name}: its boxes are given to the classes of {self.system.name}, which is not tested yet; run: "
                f"{self.system.command}"
            )
        table = read(path, self.measurement).set_index("image")
        if missing := [name for name in names if name not in table.index]:
            raise VerydeepError(f"{self.system.name} was not tested by {self.measurement} on {missing[0]}")
        columns = [f"class_{k + 1}" for k in range(predictions.BEST) if f"class_{k + 1}" in table]
        self.classes = table.loc[names, columns].to_numpy(np.int64)
        self.sha256 = files.sha256(path)

    def record(self) -> dict:
        """Which system it was, for the record."""
        return {"run": self.system.name, "measurement": self.measurement, "predictions_sha256": self.sha256}


def union(passes: list[dict[str, np.ndarray]]) -> Iterator[Windows]:
    """Image by image the windows of several passes together: of scales, or of networks (A.2)."""
    ends = [arrays["windows"].cumsum() for arrays in passes]
    for image in range(len(ends[0])):
        parts = []
        for arrays, end in zip(passes, ends, strict=True):
            cut = slice(end[image] - arrays["windows"][image], end[image])
            parts.append(Windows(arrays["boxes"][cut], arrays["scores"][cut]))
        yield Windows(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def merged(every: Iterator[Windows], columns: slice, options: Localisation, images: int) -> np.ndarray:
    """The best merged box of each of some of the classes of every one of so many images: (images, classes, 4)."""
    best = []
    for windows in progress.bar(every, title="merging boxes", total=images):
        boxes, scores = windows.boxes[:, columns], windows.scores[:, columns]
        best.append([merge(boxes[:, k], scores[:, k], options).boxes[0] for k in range(boxes.shape[1])])
    return np.array(best)
