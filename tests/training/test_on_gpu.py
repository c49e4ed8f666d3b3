"""Training on a GPU: to the bit, in every precision, never waited for; in miniature on a CPU where that can be."""

import gc
import os
import signal
import subprocess
import sys

import pandas as pd
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from tiny import digest, silent, tiny_run

from verydeep import runs, studies, training
from verydeep.errors import OutOfMemory, TrainingDiverged
from verydeep.training import accelerators, images, loop, steps, updates

gpu = pytest.mark.gpu
CUDA = pytest.param("cuda", marks=gpu)
PRECISIONS = ("float32", "bfloat16", "float16")


@pytest.fixture
def on(monkeypatch):
    """``on(device)``: train there, also where there is a GPU beside the processor."""

    def choose(device: str) -> None:
        AcceleratorState._reset_state(reset_partial_state=True)  # a device once chosen is kept
        if device == "cpu":
            monkeypatch.setenv("ACCELERATE_USE_CPU", "1")

    yield choose
    AcceleratorState._reset_state(reset_partial_state=True)


def trained(run, device: str, **options) -> tuple[pd.DataFrame, dict[str, torch.Tensor], str]:
    """History without its times, weights and their hash, of a training that must have been on ``device``; forgotten."""
    training.train(run, report=silent, **options)
    record = runs.read_record(run, "train")
    assert record.device.type == device and record.device.deterministic_algorithms
    history = pd.read_csv(run.folder / "history.csv").drop(columns=["seconds", "images_per_second"])
    found = history, load_file(run.weights), digest(run)
    for path in run.folder.iterdir():
        path.unlink()
    return found


def same(one, other) -> None:
    """The same to the last bit; losses are kept in full, weights in half precision."""
    pd.testing.assert_frame_equal(one[0], other[0], check_exact=True)
    assert one[2] == other[2]


def updates_of(run, micro_batch=256) -> updates.Updates:
    accelerator = accelerators.accelerator(run)
    return updates.Updates(run, images.TrainingImages.of(run), accelerator, micro_batch)


# -- to the bit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "precision"), [("cpu", "bfloat16"), *(pytest.param("cuda", name, marks=gpu) for name in PRECISIONS)]
)
def test_two_trainings_are_equal(checkout, on, device, precision):
    on(device)
    run = tiny_run(precision=precision, dropout=0.5, epochs=2)
    one = trained(run, device)
    same(one, trained(run, device))
    assert one[0]["train_loss"].iloc[-1] < one[0]["train_loss"].iloc[0]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from tiny import silent, tiny_run
from verydeep import training
from verydeep.training import loop
from verydeep.training.updates import Updates
original, calls, loop.CHECKPOINT_SECONDS = Updates.update, [], 0.0

def update(self, *where):
    calls.append(where)
    if len(calls) == 60:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, *where)

Updates.update = update
training.train(tiny_run(dropout=0.5, precision=sys.argv[2]), report=silent)
"""


@pytest.mark.parametrize("precision", PRECISIONS)
@gpu
def test_a_killed_training_goes_on_to_the_same_bits(checkout, precision):
    """Killed within the second epoch; the momentum and the scaler of float16 come back with the weights."""
    run = tiny_run(dropout=0.5, precision=precision)
    whole = trained(run, "cuda")
    command = [sys.executable, "-c", KILLED, os.path.dirname(__file__), precision]
    search = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ | search)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    saved = torch.load(run.workspace / "checkpoint.pt", map_location="cpu", weights_only=True)
    assert (saved["progress"]["epoch"], saved["progress"]["step"]) == (1, 18)
    assert (saved["scaler"] is not None) == (precision == "float16")
    same(whole, trained(run, "cuda"))


# -- precision and layout ------------------------------------------------------------------------------


@gpu
def test_a_gpu_trains_in_float16_and_its_scaler_moves(checkout):
    run = tiny_run(precision="float16", epochs=6)
    history, _, _ = trained(run, "cuda")
    assert history["train_loss"].iloc[-1] < 2.2
    made = updates_of(run)
    scaler = made.accelerator.scaler
    assert scaler.is_enabled()
    made.net.train()
    batch = next(iter(made.images.loader(1, 0, 0, 1)))
    before, weight = scaler.get_scale(), next(made.plain.parameters())
    kept = weight.detach().clone()
    with torch.no_grad():
        made.plain.classifier[-1].bias.fill_(float("inf"))  # the gradients are no numbers: no step, and a lower scale
    made.update(batch, 0, 0)
    assert scaler.get_scale() < before and torch.equal(weight, kept)


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_bfloat16_multiplies_in_it_and_keeps_weights_in_float32(checkout, on, device):
    on(device)
    made, seen = updates_of(tiny_run(precision="bfloat16")), []
    made.net.train()
    made.plain.features[0].register_forward_hook(lambda _, inputs, output: seen.append(output))
    batch = next(iter(made.images.loader(1, 0, 0, 1)))
    step = made.update(batch, 0, 0)
    assert seen[0].dtype == torch.bfloat16 and step.loss.dtype == torch.float32
    assert {weight.dtype for weight in made.plain.parameters()} == {torch.float32}
    assert {weight.device.type for weight in made.plain.parameters()} == {device}


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_everything_is_in_channels_last_layout(checkout, on, device):
    on(device)
    made, seen = updates_of(tiny_run(precision="bfloat16")), []
    made.net.train()
    convolutions = [module for module in made.plain.modules() if isinstance(module, torch.nn.Conv2d)]
    for module in convolutions:
        module.register_forward_hook(lambda _, inputs, output: seen.extend([inputs[0], output]))
    made.update(next(iter(made.images.loader(1, 0, 0, 1))), 0, 0)
    tensors = seen + [module.weight for module in convolutions]
    assert len(seen) == 2 * len(convolutions)
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in tensors)


# -- nothing waits -------------------------------------------------------------------------------------


@gpu
def test_a_step_never_waits_for_the_gpu(checkout, monkeypatch):
    """In the real loop, from its fifth to its fortieth step: torch raises where something waits."""
    one = torch.ones((), device="cuda")
    original, seen, number = updates.Updates.update, [], steps.KEPT
    assert number > 45  # or the losses would be fetched meanwhile

    def update(self, batch, epoch, step):
        if (epoch, step) == (0, 5):
            torch.cuda.set_sync_debug_mode("error")
            with pytest.raises(RuntimeError, match="synchroniz"):
                one.item()
        if (epoch, step) == (0, 40):
            torch.cuda.set_sync_debug_mode("default")
            seen.append(batch)
        return original(self, batch, epoch, step)

    monkeypatch.setattr(updates.Updates, "update", update)
    try:
        # with every part of an update that a recipe can ask for
        recipe = {"precision": "bfloat16", "dropout": 0.5, "colour_shift": 0.1, "clip_norm": 1.0, "epochs": 1}
        training.train(tiny_run(**recipe, warmup_epochs=0), micro_batch=16, report=silent)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert seen and seen[0].images.is_pinned() and seen[0].labels.is_pinned()


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_losses_fetched_later_are_the_same(checkout, on, monkeypatch, device):
    """Seven do not divide the 41 steps of an epoch: the last ones are fetched at its end."""
    on(device)
    run, made = tiny_run(epochs=2), []
    for number in (1, 7):
        with monkeypatch.context() as patch:
            keep(patch, number)
            made.append(trained(run, device))
    same(*made)


def keep(patch, number: int) -> None:
    """Have any device keep the losses of so many steps."""
    original = steps.Steps.__init__

    def make(self, device):
        original(self, device)
        self.kept = number

    patch.setattr(steps.Steps, "__init__", make)


@pytest.mark.parametrize("device", ["cpu", CUDA])
@pytest.mark.parametrize("seconds", [300, 0])
def test_a_divergence_seen_later_is_that_of_its_step_and_is_never_saved(checkout, on, monkeypatch, device, seconds):
    on(device)
    run = tiny_run(learning_rate=1e9, clip_norm=None, warmup_epochs=0)
    said = []
    for number in (1, 50):
        with monkeypatch.context() as patch, pytest.raises(TrainingDiverged) as stopped:
            keep(patch, number)
            patch.setattr(loop, "CHECKPOINT_SECONDS", seconds)
            training.train(run, report=silent)
        said.append(str(stopped.value))
        if (run.workspace / "checkpoint.pt").exists():
            saved = torch.load(run.workspace / "checkpoint.pt", map_location="cpu", weights_only=True)
            assert all(weight.isfinite().all() for weight in saved["net"].values())
            (run.workspace / "checkpoint.pt").unlink()
    assert said[0] == said[1]


# -- memory --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("room", "advice"), [
    (9, "run it with --micro-batch 8, which gives the same updates but for rounding"),
    (0, "nor for one: it takes a larger one"),
])  # fmt: skip
def test_too_little_memory_is_one_line_with_the_micro_batch_that_fits(checkout, on, monkeypatch, room, advice):
    """On a device that has room for so many images."""
    on("cpu")
    original = torch.nn.functional.cross_entropy

    def loss(outputs, targets, **options):
        if len(outputs) > room:  # in an update, or of the held-out images
            raise torch.OutOfMemoryError("no room")
        return original(outputs, targets, **options)

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", loss)
    run = tiny_run(epochs=1, warmup_epochs=0)
    with pytest.raises(OutOfMemory) as stopped:
        training.train(run, report=silent)
    assert str(stopped.value) == f"A-256-s0: the device has not the memory for 32 images at once; {advice}"
    assert not run.folder.exists()
    if room:
        training.train(run, micro_batch=int(advice.split()[4].strip(",")), report=silent)
        assert runs.read_record(run, "train").cost.images_seen == 41 * 32


def test_a_batch_that_goes_whole_is_told_no_smaller_one(checkout, on, monkeypatch):
    """Batch normalisation takes its means over it."""
    on("cpu")

    def loss(*_, **__):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(torch.nn.functional, "cross_entropy", loss)
    with pytest.raises(OutOfMemory, match="for 32 images at once; batch normalisation takes its means over them, so"):
        training.train(tiny_run("ResNet-18", epochs=1), report=silent)


@gpu
def test_a_gpu_that_is_full_says_the_micro_batch_that_fits(checkout):
    """A at the paper's widths on a card of 0.9 GiB, a thousand digits at once; then with what it says."""
    wide = studies.load("smoke")
    network = wide.network.model_copy(update={"width_divisor": 1})
    recipe = wide.recipe | {"batch": 1024, "epochs": 1, "warmup_epochs": 0, "learning_rate": 1e-4}
    run = studies.Run(wide.model_copy(update={"network": network, "recipe": recipe}), "A", "256", 0)
    whole = torch.cuda.get_device_properties(0).total_memory

    def empty(gib: float) -> None:
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(gib * 2**30 / whole)

    try:
        empty(0.9)
        with pytest.raises(OutOfMemory, match=r"for 1024 images at once; run it with --micro-batch \d+") as stopped:
            training.train(run, micro_batch=1024, report=silent)
        fits = int(str(stopped.value).partition("--micro-batch ")[2].partition(",")[0])
        assert 1 < fits < 1024
        del stopped  # which holds the frames of the training, and these its tensors
        empty(1.0)
        training.train(run, micro_batch=fits, report=silent)
        assert runs.read_record(run, "train").device.type == "cuda"
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
