"""A signal to stop, noted by one process of several."""

import os
import signal

import torch

from verydeep.training import signals
from verydeep.training.accelerators import largest


def test_a_signal_that_comes_during_the_exchange_stops_at_the_next_step(monkeypatch):
    def exchanged(values: torch.Tensor, *_) -> None:
        assert values.device.type == "cpu", "a GPU would be waited for"
        if not calls:
            os.kill(os.getpid(), signal.SIGTERM)
        calls.append(values.tolist())

    calls: list[list[int]] = []
    monkeypatch.setattr(torch.distributed, "all_reduce", exchanged)
    stop = signals.StopRequest()
    with stop.listening():
        assert largest(object(), stop.number) == [0]
        assert largest(object(), stop.number) == [signal.SIGTERM]
    assert calls == [[0], [signal.SIGTERM]]


def test_handlers_that_others_leave_behind_are_taken_away():
    before = signal.getsignal(signal.SIGTERM)
    with signals.restored((signal.SIGTERM,)):
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) == before
