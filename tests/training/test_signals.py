"""A signal to stop, noted by one process of several."""

import os
import signal
from types import SimpleNamespace

import torch

from verydeep.training.signals import StopRequest


def test_a_signal_that_comes_during_the_exchange_stops_at_the_next_step():
    def exchanged(asked: torch.Tensor) -> torch.Tensor:
        if not calls:
            os.kill(os.getpid(), signal.SIGTERM)
        calls.append(int(asked))
        return torch.stack([asked, torch.tensor(0)])

    calls: list[int] = []
    stop = StopRequest(SimpleNamespace(num_processes=2, device="cpu", gather=exchanged))
    with stop.listening():
        assert not stop.made() and stop.made() and stop.name == "SIGTERM"
    assert calls == [0, signal.SIGTERM]


def test_a_signal_to_another_process_stops_this_one():
    others = SimpleNamespace(num_processes=2, device="cpu", gather=lambda asked: torch.tensor([0, int(signal.SIGINT)]))
    stop = StopRequest(others)
    assert stop.made() and stop.name == "SIGINT"
