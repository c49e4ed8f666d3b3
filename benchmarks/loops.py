"""The ways to train that the benchmarks time: our loop, the step alone, the loop most people would write, and timm's.

Each is a function that gets everything ready and gives another, which makes so many steps and gives their images a
second. All train the same network from the same weights at a rate that leaves them near where they are. An image has
the same geometry in each: its shorter side is rescaled to S, and of that a random crop is taken and mirrored at random.
"""

import contextlib
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from verydeep import assembly, errors, paths
from verydeep.data import sources
from verydeep.data.base import Entry
from verydeep.data.store import Store
from verydeep.networks.network import Network
from verydeep.studies import Run, load
from verydeep.training import loop
from verydeep.training.images import TrainingImages
from verydeep.training.updates import hold_to_deterministic_algorithms

MIB = 2**20
RATE = 1e-6  # of learning
#: Mean and deviation of ImageNet's colours, which the loops of others subtract and divide by.
COLOURS = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()


def run_of(study: str, config: str, **keys) -> Run:
    """A network of a study at S=256, as a run that starts from random weights and never ends."""
    spec = load(study)
    endless = {"epochs": 1000, "schedule": "cosine", "transfer_from_a": False, "learning_rate": RATE}
    return Run(spec.model_copy(update={"recipe": spec.recipe | endless | keys}), config, "256", 0)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Artifacts of its own for as long as the block lasts, so that no checkpoint of a real run is met; the stores are
    those that there are."""
    with tempfile.TemporaryDirectory() as name:
        stores = paths.artifacts() / "data"
        stores.mkdir(parents=True, exist_ok=True)
        (Path(name) / "data").symlink_to(stores.resolve())
        with mock.patch.dict(os.environ, {"VERYDEEP_ARTIFACTS": name}):
            yield


def some_of(images: TrainingImages, steps: int) -> TrainingImages:
    """The images of so many batches, of all classes alike; and a batch of those held out, which an epoch tests."""
    chosen = np.linspace(0, len(images.rows) - 1, steps * images.batch).round().astype(int)
    if len(np.unique(chosen)) < len(chosen):
        raise errors.VerydeepError(
            f"{steps} batches of {images.batch} are more than {len(images.rows)} images: fewer --steps"
        )
    return replace(images, rows=images.rows[chosen], held_out_rows=images.held_out_rows[: images.batch])


def write_files(store: Store, rows: np.ndarray, folder: Path) -> list[Path]:
    """The images of a store as the files that they were, in folders by class; where each is."""
    source, written = sources.source(store.source), []
    for row in store.manifest.iloc[rows].itertuples():
        path = folder / f"class{row.label:04}" / f"{row.Index:07}{Path(row.name).suffix.lower()}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.read(Entry(row.split, row.label, row.name)))
        written.append(path)
    return written


def waited(device: torch.device) -> float:
    """The time when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic()


@dataclass(frozen=True)
class Loops:
    """The ways to train the network of ``run`` for so many steps at a time.

    ``weights`` are what each starts from, or torch's own.
    """

    run: Run
    steps: int
    micro_batch: int
    device: torch.device
    weights: dict | None = None

    @property
    def images(self) -> int:
        """Images of so many steps."""
        return self.steps * self.run.recipe.batch

    def network(self, **update) -> tuple[Network, torch.optim.Optimizer]:
        """A network as it is trained, and its optimiser, which may be told of another way to ``update``."""
        with self.device:  # where drawing 138 million weights takes no time
            net = assembly.network(self.run).train()
        if self.weights is not None:
            net.load_state_dict(self.weights)
        recipe = self.run.recipe
        update |= {"lr": RATE, "momentum": recipe.momentum, "weight_decay": recipe.weight_decay}
        return net, torch.optim.SGD(net.parameters(), **update)

    def ours(self, images: TrainingImages) -> Callable[[], float]:
        """The loop of :mod:`verydeep.training` over images of which an epoch has so many steps; the rate is the one
        that it reports itself."""
        with mock.patch.object(TrainingImages, "of", return_value=images):
            training = loop.Training(self.run, self.micro_batch, lambda _: None)
        training.saving = training.saved = math.inf  # no checkpoint of a network that nobody wants
        batches = iter(images.loader(self.run.recipe.epochs, 0, 0, 1))

        def epoch() -> float:
            hold_to_deterministic_algorithms()
            training._epoch(batches)
            return training.state.history[-1]["images_per_second"]

        return epoch

    def bare(
        self, backend: str | None = None, layout: torch.memory_format = torch.channels_last, **update
    ) -> Callable[..., float]:
        """The step alone, on random tensors that are on the device already; by torch.compile with a ``backend``."""
        net, optimiser = self.network(**update)
        net = net.to(memory_format=layout)
        if backend:
            net = torch.compile(net, backend=backend)
        crop, batch, device = self.run.study.crop, self.run.recipe.batch, self.device
        x = torch.randn(batch, 3, crop, crop, device=device).contiguous(memory_format=layout)
        labels = torch.randint(self.run.study.num_classes, (batch,), device=device)

        def step() -> None:
            for part, targets in zip(x.split(self.micro_batch), labels.split(self.micro_batch), strict=True):
                with self._autocast(self.run.recipe.precision):
                    outputs = net(part)
                (F.cross_entropy(outputs.float(), targets, reduction="sum") / batch).backward()
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)

        def turn(deterministic: bool = True) -> float:
            if deterministic:
                hold_to_deterministic_algorithms()
            else:
                torch.use_deterministic_algorithms(False)
            for _ in range(max(1, self.steps // 4)):
                step()
            begun = waited(device)
            for _ in range(self.steps):
                step()
            return self.images / (waited(device) - begun)

        return turn

    def common(self, folder: Path, workers: int, precision: str) -> Callable[[], float]:
        """The loop that most people would write: torchvision's ``ImageFolder`` and transforms, and plain SGD."""
        net, optimiser = self.network()
        net = net.to(memory_format=torch.contiguous_format)
        transforms = v2.Compose([
            *self._geometry(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(COLOURS.mean, COLOURS.std),
        ])  # fmt: skip
        images = torchvision.datasets.ImageFolder(folder, transforms)
        sampler = torch.utils.data.RandomSampler(images, num_samples=self.images)
        loader = DataLoader(
            images, self.run.recipe.batch, sampler=sampler, num_workers=workers,
            pin_memory=self.device.type == "cuda", persistent_workers=workers > 0,
        )  # fmt: skip
        return lambda: self._plain_epoch(loader, net, optimiser, precision)

    def timms(self, folder: Path, workers: int, precision: str) -> Callable[[], float]:
        """timm's data set, loader and optimiser, and the loop of its ``train.py``; its transforms alone give way to
        those of the same geometry. As many files as an epoch has images must lie in ``folder``."""
        try:  # an optional dependency, which a GPU's machine need not have
            import timm.data  # noqa: PLC0415
            import timm.data.transforms  # noqa: PLC0415
            import timm.optim  # noqa: PLC0415
        except ImportError:
            raise errors.VerydeepError("timm is not installed; run: pip install -e '.[benchmarks]'") from None
        net, _ = self.network()
        recipe, crop = self.run.recipe, self.run.study.crop
        optimiser = timm.optim.create_optimizer_v2(
            net, "momentum", lr=RATE, weight_decay=recipe.weight_decay, momentum=recipe.momentum
        )
        images = timm.data.create_dataset("", str(folder), is_training=True)
        if len(images) < self.images:
            raise errors.VerydeepError(f"{folder}: {len(images)} files, and an epoch has {self.images} images")
        loader = timm.data.create_loader(
            images, (3, crop, crop), recipe.batch, is_training=True, mean=COLOURS.mean, std=COLOURS.std,
            num_workers=workers, device=self.device, pin_memory=self.device.type == "cuda",
            persistent_workers=workers > 0,
        )  # fmt: skip
        images.transform = v2.Compose([*self._geometry(), timm.data.transforms.ToNumpy()])
        return lambda: self._plain_epoch(loader, net, optimiser, precision, torch.channels_last)

    def _geometry(self) -> list[torch.nn.Module]:
        return [v2.Resize(self.run.scale_range[0]), v2.RandomCrop(self.run.study.crop), v2.RandomHorizontalFlip()]

    def _autocast(self, precision: str) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bfloat16")

    def _plain_epoch(
        self, loader: Iterable, net: Network, optimiser: torch.optim.Optimizer, precision: str,
        layout: torch.memory_format = torch.contiguous_format,
    ) -> float:  # fmt: skip
        """One epoch as everyone writes it, and its images a second."""
        torch.use_deterministic_algorithms(False)
        begun, total, seen = time.monotonic(), 0.0, 0
        for images, labels in loader:
            optimiser.zero_grad()
            x = images.to(self.device, non_blocking=True).contiguous(memory_format=layout)
            with self._autocast(precision):
                loss = F.cross_entropy(net(x), labels.to(self.device, non_blocking=True))
            loss.backward()
            optimiser.step()
            total += loss.item()
            seen += len(labels)
        return seen / (waited(self.device) - begun)


def in_turns(ways: dict[str, Callable[[], float]], turns: int, say: Callable[[str], None], until: float = math.inf):
    """Call every way once in each turn, and begin no further turn after the time ``until``: a dictionary a turn."""
    made: list[dict[str, float]] = []
    while len(made) < turns and not (made and time.monotonic() > until):
        made.append({name: way() for name, way in ways.items()})
        say(f"turn {len(made)}: {made[-1]}")
    return made


def medians(turns: list[dict[str, float]], name: str, **beside: str) -> dict[str, float]:
    """Median images a second of a way, and the medians of its ratios to others of the same turn."""
    ratios = {f"ratio_to_{key}": float(np.median([turn[name] / turn[other] for turn in turns])) for key, other in
              beside.items()}  # fmt: skip
    return {"images_per_second": float(np.median([turn[name] for turn in turns])), **ratios, "turns": len(turns)}
