"""The loop: it learns, it resumes to the bit, it stops where it must."""

import gc
import io
import itertools
import math
import os
import platform
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import digest, silent, tiny_run, train_until

from conftest import entered, make_checkout
from verydeep import assembly, runs, studies, training
from verydeep.errors import Interrupted, TrainingDiverged, VerydeepError
from verydeep.networks import vgg, weights
from verydeep.networks.configurations import Size
from verydeep.results import status
from verydeep.runs import provenance
from verydeep.training import accelerators, checkpoints, launch, loader, loop
from verydeep.training.updates import Updates


def built(run: studies.Run, **otherwise) -> studies.Run:
    """The same run with other keys of the network."""
    network = run.study.network.model_copy(update=otherwise)
    return replace(run, study=run.study.model_copy(update={"network": network}))


def normalised(run: studies.Run) -> studies.Run:
    """The same run with batch normalisation."""
    return built(run, batch_norm=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The weights of an uninterrupted run, trained in a place of its own, once for all tests."""
    with entered(make_checkout(tmp_path_factory.mktemp("reference") / "checkout")):
        run = tiny_run(dropout=0.5)
        training.train(run, report=silent)
        return digest(run)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """History and weights of a run that one process trained, once for all tests."""
    with entered(make_checkout(tmp_path_factory.mktemp("alone") / "checkout")):
        return trained_by(1)


def trained_by(processes: int) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
    """History and weights of a run of two epochs, at a rate at which what rounding changes stays small."""
    run = tiny_run(epochs=2, learning_rate=0.001, dropout=0.3)
    handlers = [signal.getsignal(number) for number in launch.AGENT]
    training.train(run, processes=processes, report=silent)
    assert [signal.getsignal(number) for number in launch.AGENT] == handlers
    assert runs.read_record(run, "train").device.processes == processes
    return pd.read_csv(run.folder / "history.csv"), load_file(run.weights)


def test_a_finished_run_is_complete_and_is_not_trained_again(checkout, capsys):
    run = tiny_run()
    training.train(run, report=silent)
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "SHA256SUMS", "history.csv", "train.json", "weights.safetensors",
    ]  # fmt: skip
    assert runs.check_folder(run.folder) == []
    record = runs.read_record(run, "train")
    assert record.parameters["recipe"] == run.recipe.model_dump(mode="json")
    assert record.cost.images_seen == 3 * 41 * 32  # 1,333 images make 41 batches of 32
    assert record.artefacts["weights.safetensors"] == digest(run)
    history = pd.read_csv(run.folder / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert not (run.workspace / "checkpoint.pt").exists()
    before = (run.folder / "train.json").stat().st_mtime_ns
    training.train(run)
    assert "already trained" in capsys.readouterr().out
    assert (run.folder / "train.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(("saving", "since", "finished", "due"), [
    (0.1, 0.0, False, True),  # as good as nothing
    (10.0, 199.0, False, False), (10.0, 201.0, False, True),  # a twentieth of the time since the last
    (10.0, 0.0, True, True),  # the last one always
])  # fmt: skip
def test_a_checkpoint_after_an_epoch_takes_a_twentieth_of_the_time(monkeypatch, saving, since, finished, due):
    training_ = SimpleNamespace(
        saved=0.0, saving=saving, updates=SimpleNamespace(schedule=SimpleNamespace(finished=finished))
    )
    monkeypatch.setattr(loop.time, "monotonic", lambda: since)
    (kind,) = [one for one in vars(loop).values() if hasattr(one, "_is_due")]
    assert kind._is_due(training_) is due


@pytest.mark.parametrize(("here", "asked", "refused"), [("8", 1, 8), ("2", 1, 0), ("", 8, 8)])
def test_no_two_processes_of_a_machine_share_a_card(monkeypatch, here, asked, refused):
    """Whether torchrun started them or the command is to."""
    monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(launch.assembly, "device", lambda: torch.device("cuda"))
    told = pytest.raises(VerydeepError, match=f"{refused} processes are more than the 2 GPUs")
    with told if refused else nullcontext():
        launch._require_gpus(asked)


@pytest.mark.parametrize(("here", "workers"), [("", 8), ("8", 2), ("32", 1)])
def test_processes_of_a_machine_share_its_cores_to_prepare_images(monkeypatch, here, workers):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", here)
    monkeypatch.setattr(loader.machine, "cores", lambda: 16)
    assert (loader.workers(True), loader.workers(False)) == (workers, 0)


def test_the_seed_decides_everything(checkout, reference):
    again = tiny_run(dropout=0.5)
    training.train(again, report=silent)
    assert digest(again) == reference
    other = studies.Run(again.study, "A", "256", 1)
    training.train(other, report=silent)
    assert digest(other) != reference


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_within_the_epoch_and_the_resumed_run_ends_in_the_same_bits(checkout, reference, number):
    run = tiny_run(dropout=0.5)

    def interrupt(line):
        if "epoch 2/3" in line:
            os.kill(os.getpid(), number)

    handler = signal.getsignal(number)
    with pytest.raises(Interrupted, match=f"{number.name} in epoch 3.*run it again to continue"):
        training.train(run, report=interrupt)
    assert signal.getsignal(number) == handler
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)
    assert (saved["progress"]["epoch"], saved["progress"]["step"]) == (2, 1)
    assert not run.folder.exists() or not list(run.folder.iterdir())
    training.train(run, report=silent)
    assert digest(run) == reference
    sessions = runs.read_record(run, "train").sessions
    assert len(sessions) == 2 and {session.device for session in sessions} == {platform.machine()}
    assert {session.processor for session in sessions} == {provenance.environment().processor}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_last_test_is_not_forgotten(checkout, monkeypatch, number):
    """What is trained is kept, and nothing further is begun."""
    child = tiny_run("D", epochs=1)

    def interrupted(*arguments):
        os.kill(os.getpid(), number)
        return held_out_errors(*arguments)

    held_out_errors = loop.held_out_errors
    monkeypatch.setattr(loop, "held_out_errors", interrupted)
    with pytest.raises(Interrupted, match=rf"A-256-s0: trained, then stopped by {number.name}; run it again"):
        training.train(child, report=silent)
    assert runs.check_folder(child.parent.folder) == [] and not child.folder.exists()


def test_a_checkpoint_within_an_epoch_resumes_to_the_same_bits(checkout, reference, monkeypatch):
    run = tiny_run(dropout=0.5)
    train_until(run, 60, monkeypatch)
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)
    assert (saved["progress"]["epoch"], saved["progress"]["step"]) == (1, 18)
    training.train(run, report=silent)
    assert digest(run) == reference


def test_a_checkpoint_of_another_recipe_is_refused(checkout):
    run = tiny_run()
    with pytest.raises(Interrupted):
        training.train(run, report=lambda line: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(VerydeepError, match=r"checkpoint.pt: was made with other recipe; delete it"):
        training.train(tiny_run(momentum=0.8), report=silent)


def test_a_checkpoint_says_of_what_images_and_of_which_parent_it_is(checkout):
    """So that one is refused whose images, or whose parent, have changed since."""
    run = tiny_run("D", epochs=2)
    training.train(run.parent, report=silent)
    with pytest.raises(Interrupted):
        training.train(run, report=lambda line: "epoch 1/" in line and os.kill(os.getpid(), signal.SIGTERM))
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)["identity"]
    assert saved.keys() == {"recipe", "network", "data", "held-out images", "parent", "seed"}
    assert saved["parent"] == digest(run.parent) and saved["held-out images"] == 10
    assert saved["data"] == assembly.open_data(run).manifest_sha256


def test_a_run_of_a_recipe_that_has_changed_says_so_and_is_left_alone(trained):
    run, recorded = tiny_run("A", epochs=2), digest(tiny_run("A"))  # the smoke study trains twelve
    for asked in (run, replace(tiny_run("D"), study=run.study)):  # neither anew nor, by a child, from such weights
        with pytest.raises(VerydeepError) as refused:
            training.train(asked, report=silent)
        assert str(refused.value) == (
            f"smoke/A-256-s0: was trained otherwise than its study says now (recipe.epochs: 12, now 2); put the study "
            f"back, or remove {run.folder} and give the same command again, which trains it again"
        )
    assert digest(run) == recorded and not asked.folder.exists()
    assert (status.state(run), status.state(studies.find_run("smoke", "A", 256))) == ("stale", "done")


def test_a_record_names_the_weights_that_its_network_started_from(checkout):
    """Not those that lie there hours later, when the parent has been trained anew."""
    run = tiny_run("D", epochs=1)
    training.train(run.parent, report=silent)
    first = digest(run.parent)

    def replace_parent(line):
        if "epoch 1/" in line:
            run.parent.weights.write_bytes(b"others")

    training.train(run, report=replace_parent)
    assert digest(run.parent) != first and runs.read_record(run, "train").parent.weights_sha256 == first


def test_a_network_starts_from_a_with_its_weights_and_biases_and_else_by_the_recipe(trained):
    run = tiny_run("D", initialisation="paper", dropout=0.25)
    net = assembly.starting_network(run, torch.Generator().manual_seed(3))
    theirs = assembly.load_network(run.parent).state_dict()
    copied = {"features.0": "features.0", "features.5": "features.3", "features.10": "features.6"}
    copied |= {"features.12": "features.8"} | {f"classifier.{k}": f"classifier.{k}" for k in (0, 3, 6)}
    for name, value in net.state_dict().items():
        layer, _, part = name.rpartition(".")
        if layer in copied:
            assert torch.equal(value, theirs[f"{copied[layer]}.{part}"]), name
        elif part == "weight":
            assert value.std().item() == pytest.approx(0.1, rel=0.15), name  # as the recipe says: a variance of 1e-2
        else:
            assert not value.any(), name
    assert {layer.p for layer in net.modules() if isinstance(layer, torch.nn.Dropout)} == {0.25}


#: Keys that older checkpoints do not have.
LATER = {
    "network": ("pooling_window", "batch_norm", "head"),
    "recipe": ("crops", "label_smoothing", "weight_average"),
}


def test_a_checkpoint_of_another_seed_is_refused_and_one_that_does_not_say_gone_on_with(checkout, reference):
    run = tiny_run(dropout=0.5)
    with pytest.raises(Interrupted):
        training.train(run, report=lambda line: os.kill(os.getpid(), signal.SIGTERM))
    other = studies.Run(run.study, "A", "256", 1)
    shutil.copytree(run.workspace, other.workspace)
    with pytest.raises(VerydeepError, match=r"A-256-s1/checkpoint.pt: was made with other seed; delete it"):
        training.train(other, report=silent)
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)
    del saved["identity"]["seed"]
    for part, later in LATER.items():
        for key in later:
            del saved["identity"][part][key]
    torch.save(saved, run.workspace / "checkpoint.pt")
    training.train(run, report=silent)
    assert digest(run) == reference


#: What is done to a whole checkpoint, and the error.
DAMAGES = {
    "no progress": lambda saved: saved.pop("progress"),
    "no weights": lambda saved: saved.pop("net"),
    "no momentum": lambda saved: saved.pop("optimiser"),
    "progress of another version": lambda saved: saved["progress"].update(surprise=1),
    "a layer missing": lambda saved: saved["net"].popitem(),
    "a layer of another shape": lambda saved: saved["net"].update({"classifier.0.bias": torch.zeros(3)}),
    "no numbers": lambda saved: next(iter(saved["net"].values())).fill_(math.nan),
}


def test_a_checkpoint_that_lacks_what_is_gone_on_with_is_refused(checkout):
    run = tiny_run()
    with pytest.raises(Interrupted):
        training.train(run, report=lambda line: os.kill(os.getpid(), signal.SIGTERM))
    path = run.workspace / "checkpoint.pt"
    whole = path.read_bytes()
    for name, damage in DAMAGES.items():
        saved = torch.load(io.BytesIO(whole), weights_only=True)
        damage(saved)
        torch.save(saved, path)
        says = "has weights that are no numbers" if name == "no numbers" else "not a readable checkpoint"
        with pytest.raises(VerydeepError, match=f"checkpoint.pt: {says}.*delete it to start again"):
            training.train(run, report=silent)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"junk")
    with pytest.raises(VerydeepError, match="not a readable checkpoint .*delete it to start again"):
        checkpoints.load(tmp_path / "checkpoint.pt", {}, {})


def test_what_an_older_checkpoint_does_not_say_was_as_it_is_by_default(tmp_path):
    path, unsaid = tmp_path / "checkpoint.pt", {"recipe": {"crops": "scaled", "epochs": 74}, "seed": 1}
    checkpoints.save(path, {"identity": {"recipe": {"epochs": 3}, "data": "d"}})
    now = {"recipe": {"crops": "scaled", "epochs": 3}, "data": "d", "seed": 1}
    assert checkpoints.load(path, now, unsaid)
    for changed in ({"recipe": {"crops": "resized", "epochs": 3}}, {"recipe": {"crops": "scaled", "epochs": 74}}):
        with pytest.raises(VerydeepError, match="was made with other recipe; delete it"):
            checkpoints.load(path, now | changed, unsaid)
    checkpoints.save(path, {"identity": now | {"seed": 0}})
    with pytest.raises(VerydeepError, match="was made with other seed; delete it"):
        checkpoints.load(path, now, unsaid)


@pytest.mark.parametrize(("run", "norm"), [
    (normalised(tiny_run(epochs=2)), "features.1"), (tiny_run("ResNet-18", epochs=2), "features.bn1"),
], ids=["A", "ResNet-18"])  # fmt: skip
def test_running_statistics_are_part_of_a_checkpoint(checkout, monkeypatch, run, norm):
    """Interrupted within an epoch, a network with batch normalisation ends in the bits of an uninterrupted one."""
    training.train(run, report=silent)
    reference = digest(run)
    for path in run.folder.iterdir():
        path.unlink()

    train_until(run, 60, monkeypatch)
    saved = torch.load(run.workspace / "checkpoint.pt", weights_only=True)["net"]
    assert saved[f"{norm}.num_batches_tracked"] == 59 and saved[f"{norm}.running_mean"].abs().max() > 0
    training.train(run, report=silent)
    assert digest(run) == reference


def test_alexnet_interrupted_ends_in_the_bits_of_an_uninterrupted_one(checkout, monkeypatch):
    """At crops of 75 pixels: smaller ones leave nothing to its FC6."""
    run = built(tiny_run("AlexNet", epochs=1, warmup_epochs=0), length_divisor=3)
    training.train(run, report=silent)
    reference = digest(run)
    for path in run.folder.iterdir():
        path.unlink()
    train_until(run, 25, monkeypatch)
    training.train(run, report=silent)
    assert digest(run) == reference


@pytest.mark.parametrize("split", [{"processes": 2}, {"micro_batch": 31}])
def test_a_batch_whose_statistics_are_taken_is_not_split(checkout, split):
    """Neither the number of processes nor of images taken at once may change a number, so the run is refused."""
    run = normalised(tiny_run("D", epochs=1))
    with pytest.raises(VerydeepError, match="D-256-s0: batch normalisation takes its means over the 32 images"):
        training.train(run, report=silent, **split)
    assert not run.parent.folder.exists(), "refused before its parent was trained"


def test_a_residual_network_is_not_split_either(checkout):
    with pytest.raises(VerydeepError, match="ResNet-18-256-s0: batch normalisation takes its means over the 32"):
        training.train(tiny_run("ResNet-18"), report=silent, micro_batch=16)


def test_blocks_that_do_not_learn_keep_their_statistics(checkout):
    run = normalised(tiny_run(epochs=1, warmup_epochs=0, trained_layers="fc", precision="bfloat16"))
    training.train(run, report=silent)
    published = load_file(run.weights)
    assert published["features.1.num_batches_tracked"] == 0
    assert torch.equal(published["features.1.running_var"], torch.ones(4))


def test_divergence_stops_with_the_epoch_the_rate_and_the_last_good_state(checkout):
    run = tiny_run(learning_rate=1e9, clip_norm=None, warmup_epochs=0)
    with pytest.raises(
        TrainingDiverged, match=r"loss is (nan|inf) in epoch 1, step \d+, at rate 1e\+09.*no checkpoint"
    ):
        training.train(run, report=silent)
    assert not run.folder.exists()


def test_weights_that_the_last_update_broke_are_neither_saved_nor_kept(checkout, monkeypatch):
    """The loss of an update is of the weights before it, and was all that was looked at."""
    original, run = Updates.update, tiny_run(epochs=1)

    def breaking(self, batch, epoch, step):
        made = original(self, batch, epoch, step)
        if step == self.images.steps - 1:
            next(self.plain.parameters()).data.fill_(math.nan)
        return made

    monkeypatch.setattr(Updates, "update", breaking)
    with pytest.raises(
        TrainingDiverged, match=r"A-256-s0: weights are not finite in epoch 2, after step 0; the last good"
    ):
        training.train(run, report=silent)
    assert not run.folder.exists() and not (run.workspace / "checkpoint.pt").exists()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_accumulation_gives_the_updates_of_the_whole_batch(checkout, monkeypatch, dropout):
    """Loss by loss over the first steps; later a unit at the kink of a ReLU may fall to the other side."""
    original = Updates.update
    losses = {32: [], 8: []}
    for micro, seen in losses.items():

        def noting(self, *where, seen=seen):
            made = original(self, *where)
            seen.append(made.loss.item())
            return made

        monkeypatch.setattr(Updates, "update", noting)
        run = tiny_run(epochs=1, dropout=dropout)
        training.train(run, micro_batch=micro, report=silent)
        (session,) = runs.read_record(run, "train").sessions  # the losses beyond the first steps hang on it
        assert (session.micro_batch, session.processes, session.threads) == (micro, 1, torch.get_num_threads())
        for path in run.folder.iterdir():
            path.unlink()
    assert len(losses[32]) == 41
    assert losses[32][:10] == pytest.approx(losses[8][:10], rel=1e-5)


def test_memory_is_flat_over_epochs(checkout):
    """What a training holds after its first epochs it holds to the end, to half a mebibyte an epoch."""
    resident = []

    def note(_):
        gc.collect()
        resident.append(psutil.Process().memory_info().rss / 2**20)

    training.train(tiny_run(epochs=12), report=note)
    assert len(resident) == 12
    growth = np.polyfit(range(8), resident[4:], 1)[0]
    assert growth < 0.5, resident


def test_parents_are_trained_first_and_named_in_the_record(checkout):
    run = tiny_run("C", "384", epochs=1)
    training.train(run, report=silent)
    chain = [run, run.parent, run.parent.parent]
    assert [r.name for r in chain] == ["C-384-s0", "C-256-s0", "A-256-s0"]
    for child, parent in itertools.pairwise(chain):
        record = runs.read_record(child, "train")
        assert (record.parent.run, record.parent.weights_sha256) == (parent.name, digest(parent))
    assert runs.read_record(run, "train").parameters["scale_min"] == 55


def test_a_recorded_parent_without_weights_is_not_trained_again_unasked(trained):
    """That replaced its record, and the numbers that were cited of it."""
    run = studies.find_run("smoke", "D", "256")
    run.parent.weights.unlink()
    kept = {path: path.read_bytes() for path in run.parent.folder.iterdir()}
    with pytest.raises(VerydeepError, match="restore them .*, or remove .* and give verydeep train smoke A 256 "):
        training.train(run, report=silent)
    assert {path: path.read_bytes() for path in run.parent.folder.iterdir()} == kept and not run.folder.exists()


def test_a_recorded_training_without_weights_is_not_made_again_unasked(trained):
    """Of one that is not published only the machine that trained it has the weights; every other has the record."""
    run = studies.find_run("smoke", "A", "256")
    run.weights.unlink()
    kept = {path: path.read_bytes() for path in run.folder.iterdir()}
    with pytest.raises(VerydeepError, match=f"or remove {run.folder} and give verydeep train smoke A 256 --seed 0, "):
        training.train(run, report=silent)
    with pytest.raises(VerydeepError, match=r"was trained otherwise .*\(recipe.epochs: 12, now 2\)"):
        training.train(tiny_run("A", epochs=2), report=silent)
    assert {path: path.read_bytes() for path in run.folder.iterdir()} == kept


def test_a_kill_after_the_record_leaves_no_checkpoint_that_a_training_anew_would_go_on_from(checkout, monkeypatch):
    run = tiny_run(epochs=1)
    with monkeypatch.context() as killed:
        killed.setattr(loop.record, "write", _then_fail(loop.record.write))
        with pytest.raises(KeyboardInterrupt):
            training.train(run, report=silent)
    assert runs.read_record(run, "train") and (run.workspace / "checkpoint.pt").exists()
    training.train(run, report=silent)
    assert not (run.workspace / "checkpoint.pt").exists()


def _then_fail(write):
    def killed(*arguments):
        write(*arguments)
        raise KeyboardInterrupt

    return killed


def test_more_processes_than_gpus_are_refused(checkout, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(VerydeepError, match="8 processes are more than the 2 GPUs that are here"):
        training.train(tiny_run(), processes=8, report=silent)


def test_half_precision_training_on_a_cpu_is_refused(checkout):
    with pytest.raises(VerydeepError, match="float16 needs a GPU"):
        training.train(tiny_run(precision="float16"), report=silent)


def test_bfloat16_trains(checkout):
    run = tiny_run(precision="bfloat16")
    training.train(run, report=silent)
    assert runs.read_record(run, "train").metrics.train_loss < 2.2


def test_a_recorded_pilot_is_not_trained_again_for_want_of_its_weights(checkout):
    smoke = studies.load("smoke")
    pilot = studies.schema.Variant(networks=["A-256"], why="x", pilot=True, set={"epochs": 1, "warmup_epochs": 0})
    run = studies.Run(smoke.model_copy(update={"variants": {"pilot": pilot}}), "A", "256", 0, "pilot")
    training.train(run, report=silent)
    assert sorted(path.name for path in run.folder.iterdir()) == ["SHA256SUMS", "history.csv", "train.json"]
    assert runs.check_folder(run.folder) == []
    run.weights.unlink()
    lines = []
    training.train(run, report=lines.append)
    assert lines == ["A-256-pilot-s0: already trained"]


def test_processes_train_the_network_of_one(checkout, alone):
    """Synchronous data parallelism equals one device (Sect. 3.3), to the rounding of the sums; the units dropped too.

    A batch of 32 makes parts of 11, 11 and 10 images. At the study's own rate a unit falls to the other side of its
    ReLU's kink after some steps (which one, depends on the processor), and the runs part: see benchmarks/processes.py.
    Gradients that are wrong by a hundredth differ by more than each bound here, ten times as much in the weights.
    """
    (curves, mine), (together, theirs) = alone, trained_by(3)
    for loss in ("train_loss", "held_out_loss"):
        assert together[loss].tolist() == pytest.approx(curves[loss].tolist(), rel=1e-4)
    for error in (column for column in curves if column.endswith("_error")):  # to one image of the hundred held out
        assert together[error].tolist() == pytest.approx(curves[error].tolist(), abs=1.0)
    for name, weight in mine.items():
        assert torch.dist(weight.float(), theirs[name].float()) < 0.01 * weight.float().norm(), name


def test_an_error_of_this_process_is_not_taken_for_the_loss_of_another(checkout, monkeypatch):
    """Of one process there is no other; of two, one that is well is told by the sum that does not come."""
    monkeypatch.setattr(Updates, "update", lambda *_: (_ for _ in ()).throw(RuntimeError("its own")))
    with pytest.raises(RuntimeError, match="its own"):
        training.train(tiny_run(), report=silent)


class Sum:
    """A sum over processes that is asked for: it never comes, comes, or fails."""

    def __init__(self, completed: bool, fails: bool = False):
        self.is_completed, self.fails = lambda: completed, fails

    def wait(self):
        if self.fails:
            raise RuntimeError("Connection closed by peer")


@pytest.mark.parametrize(("asked", "lost"), [(Sum(False), False), (Sum(True), False), (Sum(True, fails=True), True)])
def test_a_lost_process_is_told_by_a_sum_that_fails_at_once(monkeypatch, asked, lost):
    monkeypatch.setattr(accelerators, "_AT_ONCE", 0.1)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda *_, **__: asked)
    assert accelerators.others_are_lost(object()) is lost
    assert accelerators.others_are_lost(None) is False


def test_more_processes_than_images_in_a_batch_are_refused(checkout):
    with pytest.raises(
        VerydeepError, match=r"rank \d of 2 processes: A-256-s0: a batch of 1 cannot be split over 2 processes"
    ):
        training.train(tiny_run(batch=1), processes=2, report=silent)


def test_torchrun_trains_the_network_of_one(trained):
    one = studies.find_run("smoke", "A", 256)
    alone = pd.read_csv(one.folder / "history.csv")
    shutil.rmtree(one.folder)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "verydeep", "train"]
    subprocess.run([*command, "smoke", "A", "256"], check=True, capture_output=True, timeout=300)
    assert runs.read_record(one, "train").device.processes == 2
    together = pd.read_csv(one.folder / "history.csv")
    first, other = together.iloc[0], alone.iloc[0]  # later ones differ by how sums were rounded
    assert first["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
    assert first["held_out_loss"] == pytest.approx(other["held_out_loss"], rel=1e-4)
    assert first["held_out_top1_error"] == pytest.approx(other["held_out_top1_error"], abs=1.0)  # one of 100 images
    assert len(together) == len(alone)


# -- published weights ---------------------------------------------------------------------------------


@pytest.fixture
def published(tmp_path):
    net = vgg.build("A", Size(width_divisor=16, num_classes=10, crop=32))
    weights.publish(net, tmp_path / "weights.safetensors")
    return net, tmp_path / "weights.safetensors"


def test_published_weights_are_the_networks_in_half_precision(published):
    net, path = published
    other = vgg.build("A", Size(width_divisor=16, num_classes=10, crop=32))
    weights.load_into(other, path)
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine.half().float(), theirs)


@pytest.mark.parametrize(("asked", "message"), [
    (("D", Size(16, num_classes=10, crop=32)), "weights of another network than D"),
    (("A", Size(16, num_classes=9, crop=32)), r"another size than this A: .* is \(10,\) there, \(9,\) here"),
])  # fmt: skip
def test_weights_of_another_network_are_refused(published, asked, message):
    net = vgg.build(*asked)
    with pytest.raises(VerydeepError, match=message):
        weights.load_into(net, published[1])


def test_damaged_or_missing_weights_are_refused(published, tmp_path):
    net, path = published
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(VerydeepError, match="not a safetensors file"):
        weights.load_into(net, path)
    torch.save(net.state_dict(), path)  # a pickle in disguise is not opened
    with pytest.raises(VerydeepError, match="not a safetensors file"):
        weights.load_into(net, path)
    with pytest.raises(VerydeepError, match="no weights there; train the run first"):
        weights.load_into(net, tmp_path / "absent.safetensors")


def test_weights_that_half_precision_cannot_hold_are_not_published(published, tmp_path):
    net, _ = published
    net.classifier[6].bias.data[0] = 1e6
    with pytest.raises(VerydeepError, match="classifier.6.bias has values that half precision cannot hold"):
        weights.publish(net, tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()


def test_running_statistics_are_published_as_they_are(tmp_path):
    """A variance may lie beyond half precision, or below it; what was learned is rounded as all weights are."""
    size, path = Size(width_divisor=16, num_classes=10, crop=32, batch_norm=True), tmp_path / "weights.safetensors"
    net, other = vgg.build("A", size), vgg.build("A", size)
    norm = net.normalisations()["conv1_1"]
    norm.running_var[:3] = torch.tensor([1e6, 1e-9, 0.1])
    norm.num_batches_tracked.fill_(100_000)
    weights.publish(net, path)
    weights.load_into(other, path)
    for name, value in other.named_buffers():
        assert torch.equal(value, net.get_buffer(name)), name
    assert {load_file(path)[name].dtype for name, _ in net.named_parameters()} == {torch.float16}
    state = load_file(path)
    state["features.1.running_var"] = state["features.1.running_var"].half()
    save_file(state, path)
    with pytest.raises(VerydeepError, match=r"features.1.running_var is float16, float32 expected"):
        weights.load_into(other, path)
    norm.running_var[0] = float("inf")
    with pytest.raises(VerydeepError, match=r"features.1.running_var has values that float32 cannot hold"):
        weights.publish(net, path)
