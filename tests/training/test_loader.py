"""Images that worker processes prepare: what goes wrong there is told as if it had gone wrong here."""

import inspect
import multiprocessing
import os
import pickle
import re
import signal
import time
from dataclasses import replace
from itertools import combinations, islice
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch
from tiny import silent, tiny_run

from verydeep import errors, training
from verydeep.data.images import decode
from verydeep.data.views import Batch, TrainingBatches, draw_epoch
from verydeep.errors import DataError, VerydeepError
from verydeep.training import images, launch, loader
from verydeep.training.accelerators import accelerator
from verydeep.training.images import TrainingImages
from verydeep.training.updates import Updates

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, VerydeepError)]
MADE_OF = {errors.UnknownName: ("network", "F", "ABCDE"), errors.StorageError: ("store.bin", OSError(28, "full"))}


@pytest.fixture
def prepared(monkeypatch):
    """Have so many workers prepare the batches by ``item``, which gets their dataset and their number."""

    def patched(workers, item):
        monkeypatch.setattr(images, "workers", lambda on_gpu: workers)
        monkeypatch.setattr(TrainingBatches, "__getitem__", item)

    return patched


def unreadable(_, k):
    """No batch, for an image is cut short."""
    decode(b"\xff\xd8\xff\xe0 cut short", "train/n01440764/n01440764_10026.JPEG")


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_says_the_same_in_the_process_that_it_is_handed_to(kind):
    one = kind(*MADE_OF.get(kind, ("what is wrong, and what to do",)))
    other = pickle.loads(pickle.dumps(one))
    assert type(other) is kind and str(other) == str(one)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_cannot_be_read_is_one_line_with_its_name(checkout, prepared, workers):
    prepared(workers, unreadable)
    with pytest.raises(DataError) as stopped:
        training.train(tiny_run(epochs=1), report=silent)
    said = r"train/n01440764/n01440764_10026\.JPEG: not a readable image \(.*\); restore the file or .*"
    assert re.fullmatch(said, str(stopped.value))


@pytest.mark.parametrize(("end", "told"), [
    (lambda: os.kill(os.getpid(), signal.SIGKILL), "SIGKILL"),
    (lambda: os.kill(os.getpid(), signal.SIGBUS), "SIGBUS"),
    (lambda: os._exit(3), "its own exit code 3"),
])  # fmt: skip
def test_a_worker_that_dies_is_one_line_that_says_what_to_do(checkout, prepared, end, told):
    original = TrainingBatches.__getitem__
    prepared(2, lambda self, k: end() if k == 5 else original(self, k))
    run = tiny_run(epochs=1)
    with pytest.raises(VerydeepError) as stopped:
        training.train(run, report=silent)
    assert re.fullmatch(
        rf"A-256-s0: process \d+, one of 2 that prepare images, was ended by {told}, as a rule for want of memory .*: "
        rf"free some, or give a container more .*, then run it again to continue",
        str(stopped.value),
    )
    assert not multiprocessing.active_children(), "one that outlives the training keeps its process from ending"
    prepared(2, original)
    training.train(run, report=silent)


@pytest.fixture
def broken():
    """A loader of one worker that ends after these seconds, and the connection to which is broken already."""
    context, started = multiprocessing.get_context("fork"), []

    def made(seconds):
        def end():
            time.sleep(seconds)
            os.kill(os.getpid(), signal.SIGKILL)

        started.append(context.Process(target=end, daemon=True))
        started[-1].start()
        batches = loader.Loader(SimpleNamespace(num_workers=1))
        batches._batches = MagicMock(
            __next__=MagicMock(side_effect=ConnectionResetError(104, "reset")), _workers=started
        )
        return batches

    yield made
    for process in started:
        process.kill()


def test_a_connection_to_a_worker_that_is_not_quite_dead_is_told_as_its_death(broken):
    with pytest.raises(VerydeepError, match=r"process \d+, one of 1 that prepare images, was ended by SIGKILL"):
        next(broken(0.5))


def test_a_connection_that_breaks_while_the_workers_live_is_told_as_it_is(broken, monkeypatch):
    monkeypatch.setattr(loader, "_DYING", 0.1)
    with pytest.raises(ConnectionResetError):
        next(broken(60))


def test_an_error_in_this_process_is_told_at_once(monkeypatch):
    """There is no worker whose death might still be on its way."""
    monkeypatch.setattr(loader, "wait", lambda *_, **__: pytest.fail("waits for nobody"))
    batches = loader.Loader(SimpleNamespace(num_workers=0))
    batches._batches = map(torch.zeros, [-1])
    with pytest.raises(RuntimeError, match="non-negative"):
        next(batches)


def test_the_handler_of_dying_workers_is_away_while_batches_are_made_and_is_there_again(checkout, prepared):
    """torch's raises at any line of this process."""
    prepared(2, TrainingBatches.__getitem__)
    before = signal.getsignal(signal.SIGCHLD)
    with images.TrainingImages.of(tiny_run()).loader(1, 0, 0, 1).opened("A") as batches:
        next(batches)
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGCHLD) is before


def test_too_little_shared_memory_is_one_line_too(checkout, prepared, monkeypatch):
    """Left to torch, the worker prints a traceback, and the training waits for ever."""

    def full(_):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    prepared(2, TrainingBatches.__getitem__)
    monkeypatch.setattr(torch.Tensor, "share_memory_", full)
    with pytest.raises(VerydeepError, match=r"too little shared memory .*No space left.*: free some, or give a cont"):
        training.train(tiny_run(epochs=1), report=silent)


def test_an_error_of_this_process_is_not_taken_for_the_death_of_a_worker(checkout, prepared):
    prepared(2, TrainingBatches.__getitem__)
    loader = images.TrainingImages.of(tiny_run()).loader(1, 0, 0, 1)
    with pytest.raises(RuntimeError, match="its own"), loader.opened("A") as batches:
        next(batches)
        raise RuntimeError("its own")


#: What a process of several leaves of the error by which it ended, and what is told of it.
LEFT = {
    "DataError: x.JPEG: not a readable image; restore it": "x.JPEG: not a readable image; restore it",
    "ValueError: a: b\nmore": "ValueError: a: b",
    'OSError: Caught OSError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File "a"\n'
    "OSError: [Errno 5] Input/output error: 'x.JPEG'\n": "OSError: [Errno 5] Input/output error: 'x.JPEG'",
    "DataError: Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  ...\n"
    "verydeep.errors.DataError: x.JPEG: not a readable image": "x.JPEG: not a readable image",
}


@pytest.mark.parametrize("left", LEFT)
def test_the_line_that_names_the_error_is_told_of_a_process_of_several(left):
    failure = SimpleNamespace(exitcode=1, message={"message": left})
    error = SimpleNamespace(get_first_failure=lambda: (3, failure))
    assert launch._why_failed(tiny_run(), error, 8) == f"A-256-s0: rank 3 of 8 processes: {LEFT[left]}"


def test_every_epoch_and_every_seed_has_crops_and_an_order_of_its_own(checkout):
    """A training that draws the same in every epoch, or for every seed, is resumed to the bit as well."""
    of = TrainingImages.of(tiny_run())

    def drawn(seed: int, epoch: int) -> Batch:
        draws = draw_epoch(seed, epoch, len(of.rows))
        return TrainingBatches(of.store, of.rows, of.views, draws, of.batch, 0, 1, None)[0]

    steps = list(islice(of.loader(2, 0, 0, 1), of.steps + 1))
    found = [steps[0], steps[-1], next(replace(of, seed=1).loader(1, 0, 0, 1))]
    expected = [drawn(0, 0), drawn(0, 1), drawn(1, 0)]
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)
    assert not any(torch.equal(one.images, other.images) for one, other in combinations(expected, 2))


def test_every_seed_has_initial_weights_of_its_own(checkout):
    run = tiny_run()
    of, device = TrainingImages.of(run), accelerator(run)
    begun = [Updates(replace(run, seed=seed), of, device, 64).plain.state_dict() for seed in (0, 0, 1)]
    weights = [state["features.0.weight"] for state in begun]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
