"""A network for somebody's own images: a folder of them, a folder a class, becomes a network with its errors."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from verydeep import files, locks, paths, progress, runs
from verydeep.assembly import device, normaliser, weights_sha256
from verydeep.data.base import Images
from verydeep.data.examples import aside, of_one_class
from verydeep.data.images import decode
from verydeep.data.views import require_rescalable
from verydeep.errors import DataError, VerydeepError
from verydeep.evaluation.measure import require_trained
from verydeep.evaluation.passes import MADE_WITH, kept_or_made, made_with
from verydeep.finetuning.kept import NOTE, PAGE, Note, settings
from verydeep.finetuning.loop import Lesson, fit, new_network
from verydeep.finetuning.pages import page
from verydeep.finetuning.rates import best_rate
from verydeep.finetuning.testing import posteriors
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.networks import weights
from verydeep.networks.network import Network
from verydeep.paths import WEIGHTS
from verydeep.runs import Sources, provenance, remote
from verydeep.statistics import error_interval
from verydeep.studies import OwnImages, Run

#: Of each class so many images at least: two to learn from, one to test on.
LEAST = 3
EPOCHS, HELD_OUT = 30, 0.3


class OwnFolder(Images):
    """The images in a folder, a folder a class, in place of a store. Each is read, and refused, when this is made.

    Raises
    ------
    DataError
        In one line, where there are fewer than two classes, a class has too few images, a file is no image, or its
        name cannot be printed.
    """

    shape = None  # the images are of many sizes, and decoded when they are asked for
    too_narrow = "crop it, or remove it"

    def __init__(self, folder: Path):
        self.folder = folder
        classes = [path for path in files.listed(folder, "*") if path.is_dir()]
        if stray := next((path for path in files.listed(folder, "*") if not path.is_dir()), None):
            raise DataError(f"{stray}: lies beside the folders of the classes; put it into one of them, or remove it")
        if len(classes) < 2:
            raise DataError(
                f"{folder}: {len(classes)} folders with images in them; make one for each class, two at least"
            )
        rows = []
        for label, of_class in enumerate(classes):
            images = files.listed(of_class, "*")
            if len(images) < LEAST:
                raise DataError(f"{of_class}: {len(images)} images; a class needs {LEAST} at least")
            rows += [(label, image.relative_to(folder).as_posix()) for image in images]
        files.require_printable(folder, [name for _, name in rows])
        self.words = [path.name for path in classes]
        self.manifest = pd.DataFrame(rows, columns=["label", "name"])
        self.rows = {name: row for row, name in enumerate(self.manifest["name"])}
        self.sizes, hashes = [], {}
        for row, name in enumerate(progress.bar(self.manifest["name"], "reading")):
            self.sizes.append(self.image(row).shape[:2])
            if (same := hashes.setdefault(files.sha256(folder / name), name)) != name:
                raise DataError(f"{folder / name}: the same image as {same}; one of them would be tested on, remove it")
        #: of all names and contents
        self.sha256 = files.sha256_bytes(json.dumps({name: digest for digest, name in hashes.items()}).encode())

    def image(self, row: int) -> np.ndarray:
        """Image number ``row`` as it is seen: uint8 (height, width, 3)."""
        path = self.folder / self.manifest["name"].iat[row]
        if not path.is_file():
            raise DataError(f"{path}: not an image; a class has images alone in its folder")
        advice = "give a JPEG, PNG, GIF, BMP, TIFF or WebP image, or remove it"
        return decode(path.read_bytes(), str(path), upright=True, advice=advice)

    def require_scale(self, scale: int) -> None:
        """Raise :class:`DataError` where an image is too narrow to be rescaled to a shorter side ``scale``."""
        for row, (height, width) in enumerate(self.sizes):
            name = str(self.folder / self.manifest["name"].iat[row])
            require_rescalable(name, height, width, scale, advice=self.too_narrow)

    def split(self, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Rows to learn from, and rows to test on: of each class that share, by the names alone.

        Raises
        ------
        DataError
            Where so large a share leaves a class too few images to learn from.
        """
        labels = self.manifest["label"].to_numpy()
        tested = aside(of_one_class(labels, len(self.words)), self.manifest["name"].to_numpy(), share)
        left = np.bincount(labels[~tested], minlength=len(self.words))
        if (fewest := left.min()) < LEAST - 1:
            few = self.folder / self.words[int(left.argmin())]
            raise DataError(
                f"{few}: {fewest} of its images to learn from when {share:g} of them are held out; {LEAST - 1} are "
                "needed, one of them to choose the rate on: give more images, or a smaller share by --held-out"
            )
        return np.flatnonzero(~tested), np.flatnonzero(tested)


@dataclass(frozen=True)
class Tuned:
    """A network for own images, and what it said of those kept aside: a row each with ``image``, ``label``, ``said``
    and ``probability``. ``error`` is in percent with its 95 % interval.
    """

    folder: Path
    images: OwnFolder
    answers: pd.DataFrame
    losses: list[float]

    @property
    def error(self) -> tuple[float, float, float]:
        """Share of wrong answers in percent, and its 95 % interval."""
        wrong = 100 * float((self.answers["label"] != self.answers["said"]).mean())
        return wrong, *error_interval(wrong, len(self.answers))

    @property
    def words(self) -> list[str]:
        """The classes in the order of the network's outputs."""
        return self.images.words

    def examples(self, count: int = 12) -> Iterator[tuple[np.ndarray, str, bool]]:
        """Images tested on, what was said, and whether that is right: wrong ones first, of each the surest."""
        wrong = self.answers["label"] != self.answers["said"]
        ordered = self.answers.assign(wrong=wrong).sort_values(["wrong", "probability"], ascending=False).head(count)
        for answer in ordered.itertuples():
            said = f"{self.words[answer.said]} {100 * answer.probability:.0f} %"
            yield self.images.image(self.images.rows[answer.image]), said, not answer.wrong

    @property
    def by_class(self) -> pd.DataFrame:
        """Of each class how many images were tested, how many were wrong, and the error with its interval, percent."""
        rows = []
        for label, word in enumerate(self.words):
            part = self.answers[self.answers["label"] == label]
            wrong = int((part["said"] != label).sum())
            low, high = error_interval(100 * wrong / len(part), len(part))
            rows.append({"class": word, "tested": len(part), "wrong": wrong, "error": 100 * wrong / len(part),
                         "low": low, "high": high})  # fmt: skip
        return pd.DataFrame(rows).set_index("class")


def tune(
    asked: OwnImages, to: Path | None = None, *, epochs: int = EPOCHS, held_out: float = HELD_OUT,
    pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line,
) -> Tuned:  # fmt: skip
    """Fine-tune a network to the images in a folder, test it on those kept aside, and write both.

    Into ``to`` go ``weights.safetensors`` (half precision), ``tuned.json`` (what it was made of, its classes and its
    errors) and ``page.html`` (the errors, right and wrong examples).

    Parameters
    ----------
    to
        A folder that is not there yet; beside the images by default, with ``-tuned`` behind their name.
    held_out
        Share of each class's images that is tested on and never learned from.
    pixels_per_batch
        Pixels that go through the network at once in tests.

    Raises
    ------
    DataError
        When the folder is not what it should be; in one line, before anything is learned.
    VerydeepError
        When the network is not trained, or ``to`` is no path, is there already, cannot be written or is being made by
        another process; before anything is learned. What has come to be there meanwhile is left alone too.
    """
    run, folder = asked.run, asked.folder.resolve()
    made_by = provenance.sources()  # while they are what was imported
    to = _place(folder, to)
    if not 0 < held_out < 1:
        raise VerydeepError(f"the share held out is between 0 and 1, not {held_out}")
    if epochs < 1:
        raise VerydeepError(f"epochs must be a whole number from 1 upwards, not {epochs}")
    require_trained(run)
    runs.require_weights(run)
    with locks.hold(remote.cache() / "own" / f"{files.sha256_bytes(str(to).encode())[:12]}.lock", str(to)):
        _place(folder, to)  # again: another process may have made it while this one waited
        return _tune(replace(asked, folder=folder), to, epochs, held_out, pixels_per_batch, report, made_by)


def _tune(
    asked: OwnImages, to: Path, epochs: int, held_out: float, pixels_per_batch: int, report, made_by: Sources
) -> Tuned:
    run, folder, images = asked.run, asked.folder, OwnFolder(asked.folder)
    images.require_scale(run.study.pixels(256))
    train, test = images.split(held_out)
    report(f"{folder}: {len(images.words)} classes, {len(train)} images to learn from, {len(test)} to test on")
    normalise = normaliser(run, device())
    lesson = Lesson(images, train, epochs, run.seed)
    kept = _Kept.of(run, images, lesson, held_out, pixels_per_batch)
    rate = best_rate(run, lesson, len(images.words), normalise, True, pixels_per_batch, kept.left)
    net = new_network(run, len(images.words), trained=True)
    losses = kept.fitted(net, lambda: fit(net, run, lesson, normalise, trained=True, rate=rate))
    report(f"learned at a rate of {rate:g}: loss {losses[0]:.3f} in the first epoch, {losses[-1]:.3f} in the last")
    with files.atomic_folder(to, new=True) as making:
        digest = weights.publish(net, making / WEIGHTS)
        weights.load_into(net, making / WEIGHTS)  # what is tested is what is written
        said = posteriors(net, run, normalise, images, test, pixels_per_batch)
        answers = pd.DataFrame(
            {
                "image": images.manifest["name"].to_numpy()[test],
                "label": images.manifest["label"].to_numpy()[test],
                "said": said.argmax(1),
                "probability": said.max(1),
            }
        )
        tuned = Tuned(making, images, answers, losses)
        _write_note(tuned, asked, epochs, rate, len(train), digest, normalise, made_by)
        files.write_text(making / PAGE, page(tuned, run.address))
    shutil.rmtree(kept.folder, ignore_errors=True)
    return replace(tuned, folder=to)


@dataclass(frozen=True)
class _Kept:
    """What was learned of some images so far, kept where it is found again after an interruption: it takes hours."""

    folder: Path
    key: dict

    @classmethod
    def of(cls, run: Run, images: OwnFolder, lesson: Lesson, held_out: float, pixels_per_batch: int) -> "_Kept":
        """By all that it hangs on, which the name of its folder says too."""
        key = {
            "network": run.address,
            "weights": weights_sha256(run),
            "settings": settings(run),
            "images": images.sha256,
            "epochs": lesson.epochs,
            "held out": held_out,
            MADE_WITH: made_with(device(), pixels_per_batch),
        }
        digest = files.sha256_bytes(json.dumps(key, sort_keys=True).encode())
        return cls(remote.cache() / "own" / digest[:12], key)

    def left(self, rate: float, left: Callable[[], float]) -> float:
        """What training at a rate leaves, see :func:`best_rate`."""
        return self._arrays(f"rate-{rate:g}", lambda: {"left": np.array([left()])})["left"].item()

    def fitted(self, net: Network, fit: Callable[[], list[float]]) -> list[float]:
        """What ``fit`` returns, once it has trained the network."""

        def made() -> dict[str, np.ndarray]:
            losses = fit()
            return {"losses": np.array(losses)} | {
                name: value.cpu().numpy() for name, value in net.state_dict().items()
            }

        arrays = self._arrays("network", made)
        losses = arrays.pop("losses").tolist()
        net.load_state_dict({name: torch.from_numpy(value) for name, value in arrays.items()})
        net.to(device()).eval()
        return losses

    def _arrays(self, name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        path = self.folder / f"{name}.safetensors"
        return kept_or_made(path, self.key | {"learned": name}, (), lambda: (make(), {}))[0]


def _place(folder: Path, to: str | Path | None) -> Path:
    """Where the network for the images in ``folder`` goes: nothing is there yet, and it can be written."""
    if not to and not folder.name:
        raise VerydeepError(f"{folder}: nothing can be written beside it; name a folder with --to")
    if not isinstance(to, str | Path | None):
        raise VerydeepError(f"to is the path of the folder that the network goes to, not {to!r}")
    to = paths.expanded(to) if to else folder.with_name(f"{folder.name}-tuned")
    if to.exists():
        raise VerydeepError(f"{to} exists already; name another folder with --to, or remove it")
    files.require_writable(to)
    return to


def _write_note(
    tuned: Tuned, asked: OwnImages, epochs: int, rate: float, learned: int, digest: str, normalise, made_by
) -> None:
    run, (error, low, high) = asked.run, tuned.error
    note = Note(
        started_from=run.address,
        settings=settings(run),
        classes=tuned.words,
        **normalise.statement(),
        test_scale=run.study.pixels(256),
        epochs=epochs,
        learning_rate=rate,
        images_learned_from=learned,
        images_tested_on=len(tuned.answers),
        error=error,
        interval=(low, high),
        weights_sha256=digest,
        sources_sha256=made_by.sources_sha256,
        commit=made_by.commit,
        made=provenance.now(),
    )
    files.write_json(tuned.folder / NOTE, note.model_dump(mode="json"))
