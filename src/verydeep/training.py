"""Training of one network by the study's recipe (Sect. 3.1), resumable to the bit.

Every random draw is a function of (seed, epoch, image) or (seed, step), so a run killed at any instant and
resumed gives the weights of the uninterrupted one on the same machine.
"""

import contextlib
import logging
import math
import os
import platform
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import torchvision
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.utils.data import DataLoader

from verydeep import checkpoints, errors, files, launch, progress, provenance, runs, weights
from verydeep.data import sources
from verydeep.data.store import Store, held_out, open_store
from verydeep.data.views import (
    CentreCrop,
    TrainingBatches,
    TrainingViews,
    centre_batches,
    colour_shifts,
    draw_epoch,
)
from verydeep.errors import Interrupted, TrainingDiverged, VerydeepError
from verydeep.networks import vgg
from verydeep.networks.initialisation import initialise, transfer_from_a
from verydeep.schedules import Schedule
from verydeep.studies import Run
from verydeep.studies.plan import BATCH_NORM

with launch.importing():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

#: A checkpoint is written after every epoch, and within an epoch when this many seconds have passed.
CHECKPOINT_SECONDS = 300
#: Images that one device takes at once unless told otherwise; the rest of its part of a batch is accumulated.
MICRO_BATCH = 256
EVALUATION_BATCH = 256

# Seeds of the separate random streams; the views' stream is (seed, epoch) in verydeep.data.views.
_STREAM_WEIGHTS, _STREAM_DROPOUT = 1, 2


def network(run: Run) -> vgg.VGG:
    """The network of a run, with torch's default weights, in channels-last layout."""
    net = vgg.build(
        run.config,
        **run.study.size(),
        dropout=run.recipe.dropout,
        lrn_alpha=run.study.network.lrn_alpha,
        batch_norm=run.variant == BATCH_NORM,
    )
    return net.to(memory_format=torch.channels_last)


def load_network(run: Run) -> vgg.VGG:
    """The network of a run from its published weights, in evaluation mode; torchvision's are downloaded if absent."""
    launch.require_precision()
    net = network(run)
    if run.published:
        weights.download(run.published, run.weights)
        weights.load_torchvision(net, run.weights)
    else:
        _load_trained(net, run)
    return net.eval()


def _load_trained(net: vgg.VGG, run: Run) -> None:
    """Load the weights that ``run`` was trained to, and no others that may lie in their place."""
    record = runs.read_record(run, "train")
    if record and run.weights.exists() and files.sha256(run.weights) != record.artefacts["weights.safetensors"]:
        raise VerydeepError(
            f"{run.weights}: not the weights that {run.name} was trained to; restore them (git checkout), or delete "
            f"them and train again"
        )
    weights.load_into(net, run.weights)


def normaliser(run: Run, store: Store, device="cpu") -> "Normaliser":
    """What the run's network expects of its input."""
    if run.published:
        return Normaliser.torchvision(device)
    return Normaliser.of(store, run.recipe.unit_variance, device)


def open_data(run: Run) -> Store:
    """The images of the run's study."""
    return open_store(sources.source(run.study.data.source))


def data_record(store: Store, per_class: int | None) -> dict:
    """The data's fingerprint: source, counts, hash of the manifest, and which images are held out, if any."""
    known = {"source": store.source, "counts": store.counts(), "manifest_sha256": store.manifest_sha256}
    if per_class is None:
        return known
    rows = held_out(store.manifest, per_class)
    names = "\n".join(sorted(store.manifest["name"].iloc[rows]))
    return known | {
        "held_out": {
            "rule": "smallest sha256 of the name, in each class",
            "per_class": per_class,
            "count": len(rows),
            "sha256": files.sha256_bytes(names.encode()),
        },
        "statistics": asdict(store.statistics),
    }


@dataclass
class Normaliser:
    """Turns uint8 views into what the network sees: mean RGB subtracted (Sect. 2.1), colour shift added."""

    mean: torch.Tensor  # (3,), in pixel values 0-255
    divisor: float | torch.Tensor

    @classmethod
    def of(cls, store: Store, unit_variance: bool, device="cpu") -> "Normaliser":
        mean = torch.tensor(store.statistics.mean, dtype=torch.float32, device=device)
        return cls(mean, store.statistics.deviation if unit_variance else 1.0)

    @classmethod
    def torchvision(cls, device="cpu") -> "Normaliser":
        """What torchvision's weights were trained on."""
        preset = torchvision.models.VGG16_Weights.IMAGENET1K_V1.transforms()
        mean, deviation = (255 * torch.tensor(values, device=device) for values in (preset.mean, preset.std))
        return cls(mean, deviation)

    def __call__(self, images: np.ndarray, shifts: np.ndarray | None = None) -> torch.Tensor:
        """(n, height, width, 3) uint8 -> (n, 3, height, width) float32 in channels-last layout."""
        n, height, width, _ = images.shape
        offset = self.mean[None, None]
        if shifts is not None:
            offset = offset - torch.from_numpy(shifts).to(self.mean.device)[:, None]
        # Arithmetic on whole rows of pixels: on three channels at a time it would take longer than a convolution.
        x = torch.tensor(images, device=self.mean.device).to(torch.float32).view(n, height, 3 * width)
        divisor = self.divisor if isinstance(self.divisor, float) else self.divisor.repeat(width)
        return x.sub_(offset.repeat(1, 1, width)).div_(divisor).view(n, height, width, 3).permute(0, 3, 1, 2)


@dataclass
class _Progress:
    """The part of a training's state that is neither weights nor momentum."""

    epoch: int = 0
    step: int = 0  # within the epoch
    loss_sum: float = 0.0
    correct: int = 0
    seconds: float = 0.0  # spent in this epoch, over all sessions
    history: list[dict] = field(default_factory=list)
    sessions: list[dict] = field(default_factory=list)


def train(
    run: Run, *, processes: int = 1, micro_batch: int = MICRO_BATCH, report: Callable[[str], None] = progress.line
) -> Path:
    """Train ``run``, and first whatever it starts from; do nothing for what is finished already.

    Leaves ``history.csv``, ``weights.safetensors`` and ``train.json`` in the run's folder, and a checkpoint in
    its workspace until then. Interrupted by SIGINT, SIGTERM or a kill, the same call goes on where it was.

    Parameters
    ----------
    processes
        Devices to train on. With more than one, processes are started here (from a notebook too); under
        ``torchrun`` or ``accelerate launch`` leave it at 1.
    micro_batch
        Images that a device takes at once. A smaller one needs less memory and gives the same update, by
        accumulating gradients until the study's batch is full.
    report
        Receives a line for every epoch. With several processes it is called in the first of them, and so must be
        a function of a module.

    Returns
    -------
    Path
        The run's folder.

    Raises
    ------
    TrainingDiverged
        When the loss is no longer finite; names the epoch, the rate and the last good checkpoint.
    Interrupted
        After a signal, with the state saved.
    """
    if not run.study.train:
        raise VerydeepError(f"the study {run.study.name} trains nothing: it tests published weights")
    launch.require_precision()
    rank, size = launch.process()
    if size > 1 and processes > 1:
        raise VerydeepError(f"a launcher has started {size} processes already: leave --processes at 1")
    if _is_trained(run):
        runs.seal_record(run, "train")
        report(f"{run.name}: already trained")
        return run.folder
    if run.parent is not None:
        train(run.parent, processes=processes, micro_batch=micro_batch, report=report)
    # Of the processes that torchrun has started, the first holds the run for all.
    with runs.working_on(run) if rank == 0 else contextlib.nullcontext():
        if _is_trained(run):
            pass  # by the process that had it until now
        elif processes > 1:
            _launch(processes, run, micro_batch, report)
        else:
            _fit(run, micro_batch, report)
    return run.folder


def _is_trained(run: Run) -> bool:
    return runs.read_record(run, "train") is not None and (run.pilot or run.weights.exists())


def _launch(processes: int, run: Run, *arguments) -> None:
    """What torchrun does, from within a program or a notebook: so many processes, and an end when one of them fails.

    They are started afresh: a forked one would inherit the locks of threads that it does not have.
    """
    open_data(run)  # decoded once, before every process wants it
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        start_method="spawn",
        run_id=run.name,
    )
    level, threads = logging.root.manager.disable, os.environ.get("OMP_NUM_THREADS")
    logging.disable(logging.CRITICAL)  # what went wrong is said below, once
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    try:
        with launch.undisturbed():
            elastic_launch(config, _fit)(run, *arguments)
    except ChildFailedError as error:
        raise VerydeepError(_why_failed(run, error, processes)) from None
    finally:
        logging.disable(level)
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]


def _why_failed(run: Run, error: ChildFailedError, processes: int) -> str:
    """One line: the rank of the process that ended first, why, and what to do."""
    rank, failure = error.get_first_failure()
    which = f"{run.name}: rank {rank} of {processes} processes"
    if failure.exitcode < 0:
        return f"{which} was ended by {failure.signal_name()}, and the others stopped; the same command goes on"
    message = failure.message if isinstance(failure.message, str) else failure.message["message"]
    kind, _, message = message.strip().splitlines()[0].partition(": ")
    return f"{which}: {message if hasattr(errors, kind) else f'{kind}: {message}'}"


def _fit(run: Run, micro_batch: int, report) -> None:
    with launch.undisturbed():
        _Training(run, micro_batch, report).fit()


class _Training:
    """One training from its start or its checkpoint to its record."""

    def __init__(self, run: Run, micro_batch: int, report: Callable[[str], None]):
        self.run, self.recipe, self.micro_batch, self.report = run, run.recipe, micro_batch, report
        precision = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}[self.recipe.precision]
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # without it cuBLAS is not deterministic
        AcceleratorState._reset_state()  # a parent trained before this may have had another precision
        # accelerate joins the processes of a machine without accelerators only when it is told that there are none
        on_cpu = launch.asks_for_cpu() or not torch.accelerator.is_available()
        self.accelerator = Accelerator(cpu=on_cpu, mixed_precision=precision)
        self.device = self.accelerator.device
        if self.recipe.precision == "float16" and self.device.type != "cuda":
            raise VerydeepError(f"{run.name}: precision float16 needs a GPU; bfloat16 and float32 run anywhere")
        self.parts = self.accelerator.num_processes
        if self.parts > self.recipe.batch:
            raise VerydeepError(
                f"{run.name}: a batch of {self.recipe.batch} cannot be split over {self.parts} processes"
            )
        with self.accelerator.main_process_first():  # one builds the store, the others open it
            self.store = open_data(run)
        aside = held_out(self.store.manifest, run.study.data.held_out_per_class)
        self.held_out_rows = aside
        self.train_rows = np.setdiff1d(self.store.rows("train"), aside)
        self.steps = len(self.train_rows) // self.recipe.batch
        if self.steps == 0:
            raise VerydeepError(f"{run.name}: {len(self.train_rows)} images do not fill a batch of {self.recipe.batch}")
        self.schedule = Schedule(self.recipe, self.steps)
        self.normalise = Normaliser.of(self.store, self.recipe.unit_variance, self.device)
        low, high = run.scale_range
        self.views = TrainingViews(run.study.crop, low, high, self.recipe.flip)
        self.centre = CentreCrop(run.study.crop, (low + high) // 2)
        self.checkpoint = run.workspace / "checkpoint.pt"
        self.started = provenance.now()
        self.sources = provenance.sources()  # now, while they are what was imported
        self.state = _Progress()
        self.stop_signal: int | None = None

    # -- state -----------------------------------------------------------------------------------------

    def identity(self) -> dict:
        """What must be the same for a checkpoint to be gone on with."""
        parent = self.run.parent
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "network": self.run.study.network.model_dump() | {"config": self.run.config},
            "data": self.store.manifest_sha256,
            "held-out images": self.run.study.data.held_out_per_class,
            "parent": files.sha256(parent.weights) if parent else None,
        }

    def start(self) -> None:
        """Draw or load the weights, or take up the checkpoint."""
        torch.use_deterministic_algorithms(True, warn_only=True)
        net = network(self.run)
        generator = torch.Generator().manual_seed(_seed(self.run.seed, _STREAM_WEIGHTS, 0))
        initialise(net, self.recipe.initialisation, generator)
        parent = self.run.parent
        if parent is not None and self.run.train_scale == "256":
            transfer_from_a(net, load_network(parent))
        elif parent is not None:
            _load_trained(net, parent)
        net.features.requires_grad_(self.recipe.trained_layers == "all")
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        optimiser = torch.optim.SGD(
            learning, lr=0.0, momentum=self.recipe.momentum, weight_decay=self.recipe.weight_decay
        )
        self.net, self.optimiser = self.accelerator.prepare(net, optimiser)
        self.plain = self.accelerator.unwrap_model(self.net)
        saved = checkpoints.load(self.checkpoint, self.identity())
        if saved is not None:
            self.plain.load_state_dict(saved["net"])
            self.optimiser.load_state_dict(saved["optimiser"])
            if self.accelerator.scaler is not None:
                self.accelerator.scaler.load_state_dict(saved["scaler"])
            self.state = _Progress(**saved["progress"])
            self.schedule.errors = [row["held_out_top1_error"] for row in self.state.history]
            self.report(f"{self.run.name}: goes on at epoch {self.state.epoch + 1}, step {self.state.step}")

    def save(self) -> None:
        """Write a checkpoint, from the first process."""
        self._count_session()
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            checkpoints.save(
                self.checkpoint,
                {
                    "identity": self.identity(),
                    "net": self.plain.state_dict(),
                    "optimiser": self.optimiser.state_dict(),
                    "scaler": scaler.state_dict() if scaler is not None else None,
                    "progress": asdict(self.state),
                },
            )
        self.last_save = time.monotonic()

    def _count_session(self) -> None:
        self.session["seconds"] = time.monotonic() - self.session_start
        self.session["load_average"] = provenance.load_average()

    # -- the loop --------------------------------------------------------------------------------------

    def fit(self) -> None:
        self.start()
        self.session_start = self.last_save = time.monotonic()
        self.session = {
            "started": self.started,
            "seconds": 0.0,
            "images": 0,
            "sources_sha256": self.sources["sources_sha256"],
            "load_average": 0.0,
        }
        self.state.sessions.append(self.session)
        with self._signals():
            while not self.schedule.finished:
                self._epoch()
        if self.accelerator.is_main_process:
            self._finish()
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _epoch(self) -> None:
        state, recipe = self.state, self.recipe
        draws = draw_epoch(self.run.seed, state.epoch, len(self.train_rows))
        part = self.accelerator.process_index
        batches = TrainingBatches(self.store, self.train_rows, self.views, draws, recipe.batch, part, self.parts)
        loader = DataLoader(batches, batch_size=None, sampler=range(state.step, len(batches)), num_workers=_workers())
        started = time.monotonic()
        before = state.seconds
        bar = progress.bar(loader, f"{self.run.name} epoch {state.epoch + 1}/{recipe.epochs}", unit="batch")
        self.net.train()
        for batch in bar:
            loss, correct = self._step(batch)
            state.loss_sum += loss
            state.correct += correct
            state.step += 1
            state.seconds = before + time.monotonic() - started
            self.session["images"] += recipe.batch
            if self._stop_asked():
                self.save()
                raise Interrupted(
                    f"{self.run.name}: stopped by {signal.Signals(self.stop_signal).name} in epoch {state.epoch + 1}, "
                    f"state saved in {self.checkpoint}; the same command goes on"
                )
            if time.monotonic() - self.last_save > CHECKPOINT_SECONDS and self.parts == 1:
                self.save()
        seen = self.steps * recipe.batch
        row = {
            "epoch": state.epoch + 1,
            "learning_rate": self._rate(self.steps - 1),
            "train_loss": state.loss_sum / self.steps,
            "train_top1_error": 100 * (1 - state.correct / seen),
            **self._held_out(),
            "images_per_second": seen / state.seconds,
            "seconds": state.seconds,
        }
        state.history.append(row)
        self.schedule.errors.append(row["held_out_top1_error"])
        state.epoch, state.step, state.loss_sum, state.correct, state.seconds = (
            state.epoch + 1,
            0,
            0.0,
            0,
            0.0,
        )
        self.save()
        if self.accelerator.is_main_process:
            self.report(
                f"{self.run.name}: epoch {row['epoch']}/{recipe.epochs}  rate {row['learning_rate']:.2g}  "
                f"loss {row['train_loss']:.3f}  held-out top-1 {row['held_out_top1_error']:.1f} "
                f"top-5 {row['held_out_top5_error']:.1f}  {row['images_per_second']:.0f} images/s"
            )

    def _rate(self, step: int) -> float:
        return self.schedule.rate(self.state.epoch * self.steps + step)

    def _step(self, batch) -> tuple[float, int]:
        """One update over this process's part of a batch; returns the global mean loss and correct count."""
        step = self.state.epoch * self.steps + self.state.step
        torch.manual_seed(_seed(self.run.seed, _STREAM_DROPOUT, step * self.parts + self.accelerator.process_index))
        rate = self._rate(self.state.step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        shifts = None
        if self.recipe.colour_shift:
            shifts = colour_shifts(self.store.statistics, batch.colour, self.recipe.colour_shift)
        images = self.normalise(batch.images, shifts)
        labels = torch.from_numpy(batch.labels).to(self.device)
        # parts of a batch may differ by an image, so each counts by its images in the average over processes
        part_size = self.recipe.batch / self.parts
        total, correct = torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        starts = range(0, len(labels), self.micro_batch)
        for start in starts:
            last = start == starts[-1]
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.net):
                part = slice(start, start + self.micro_batch)
                with self.accelerator.autocast():
                    scores = self.net(images[part])
                loss = F.cross_entropy(scores.float(), labels[part], reduction="sum") / part_size
                self.accelerator.backward(loss)
            total += loss.detach()
            correct += (scores.detach().argmax(1) == labels[part]).sum()
        if self.parts > 1:
            total = self.accelerator.reduce(total, "mean")
            correct = self.accelerator.reduce(correct, "sum")
        value = total.item()
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{self.run.name}: loss is {value} in epoch {self.state.epoch + 1}, step {self.state.step}, at rate "
                f"{rate:.3g}; the last good state is {self._last_checkpoint()}. Lower learning_rate or set clip_norm"
            )
        if self.recipe.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.net.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return value, int(correct.item())

    def _last_checkpoint(self) -> str:
        return str(self.checkpoint) if self.checkpoint.exists() else "the start: no checkpoint was written yet"

    def _held_out(self) -> dict:
        """Loss and errors (percent) on the centre crops of the held-out images, every process the same."""
        self.net.eval()
        loss, wrong1, wrong5 = 0.0, 0, 0
        rows = self.held_out_rows
        with torch.inference_mode():
            for images, labels in centre_batches(self.store, rows, self.centre, EVALUATION_BATCH):
                with self.accelerator.autocast():
                    scores = self.plain(self.normalise(images))
                target = torch.from_numpy(labels).to(self.device)
                loss += F.cross_entropy(scores.float(), target, reduction="sum").item()
                hits = scores.topk(min(5, scores.shape[1])).indices == target[:, None]
                wrong1 += int((~hits[:, 0]).sum())
                wrong5 += int((~hits.any(1)).sum())
        n = len(rows)
        return {
            "held_out_loss": loss / n,
            "held_out_top1_error": 100 * wrong1 / n,
            "held_out_top5_error": 100 * wrong5 / n,
        }

    # -- the end ---------------------------------------------------------------------------------------

    def _finish(self) -> None:
        run, state = self.run, self.state
        self._count_session()
        kept = ["weights.safetensors"] if run.weights.parent == run.folder else []
        runs.unseal(run.folder, ["train.json", "history.csv", *kept])
        digest = weights.publish(self.plain, run.weights)
        with files.atomic(run.folder / "history.csv") as part:
            pd.DataFrame(state.history).to_csv(part, index=False)
        last = state.history[-1]
        seconds = sum(session["seconds"] for session in state.sessions)
        images = len(state.history) * self.steps * self.recipe.batch
        parent = run.parent
        low, high = run.scale_range
        record = runs.TrainRecord(
            study=run.study.name,
            config=run.config,
            train_scale=run.train_scale,
            variant=run.variant,
            seed=run.seed,
            parameters={
                "recipe": self.recipe.model_dump(mode="json"),
                "network": run.study.network.model_dump(mode="json"),
                "num_classes": run.study.num_classes,
                "crop": run.study.crop,
                "scale_min": low,
                "scale_max": high,
            },
            parent={"run": parent.name, "weights_sha256": files.sha256(parent.weights)} if parent else None,
            sources=self.sources,
            environment=provenance.environment(),
            device=device_record(self.device, self.parts),
            data=data_record(self.store, run.study.data.held_out_per_class),
            started=state.sessions[0]["started"],
            finished=provenance.now(),
            cost={
                "training_images": len(self.train_rows),
                "epochs": len(state.history),
                "steps": len(state.history) * self.steps,
                "images_seen": images,
                "seconds": seconds,
                "images_per_second": images / sum(row["seconds"] for row in state.history),
                # forward, and twice that for the gradients with respect to activations and weights
                "multiply_adds": 3 * images * run.multiply_adds,
            },
            sessions=[runs.Session(**session) for session in state.sessions],
            metrics={key: last[key] for key in last if key.startswith(("train", "held_out"))},
            artefacts={
                "weights.safetensors": digest,
                "history.csv": files.sha256(run.folder / "history.csv"),
            },
        )
        runs.write_record(run, record)
        runs.seal(run.folder, ["train.json", "history.csv", *kept])
        self.checkpoint.unlink(missing_ok=True)

    # -- signals ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM for the end of the step, so that the state saved is between two steps."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        caught = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._note) for number in caught}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        self.stop_signal = number

    def _stop_asked(self) -> bool:
        """Whether any process was asked to stop; all of them stop at the same step."""
        if self.parts == 1:
            return self.stop_signal is not None
        asked = torch.tensor(self.stop_signal or 0, device=self.device)
        number = int(self.accelerator.gather(asked).max())
        self.stop_signal = number or None
        return bool(number)


def _seed(seed: int, stream: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, stream, index]).generate_state(1, np.uint64)[0] >> 1)


def _workers() -> int:
    """Processes that prepare views. On a CPU the network needs every core; a GPU waits for them."""
    return min(8, os.cpu_count() or 1) if torch.cuda.is_available() else 0


def device_record(device: torch.device, processes: int = 1) -> dict:
    """Device, threads, instruction set, determinism flags, and the variables on which the last bits depend."""
    return {
        "type": device.type,
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine(),
        "processes": processes,
        "threads": torch.get_num_threads(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "variables": launch.recorded(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
    }
