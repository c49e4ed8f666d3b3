"""A signal to stop, noted by one process of several."""

import os
import signal

import pytest
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
    with stop.listening(launched=True):
        assert largest(object(), stop.number) == [0]
        assert largest(object(), stop.number) == [signal.SIGTERM]
    assert calls == [[0], [signal.SIGTERM]]


def test_handlers_that_others_leave_behind_are_taken_away():
    before = signal.getsignal(signal.SIGTERM)
    with signals.restored((signal.SIGTERM,)):
        signal.signal(signal.SIGTERM, lambda *_: None)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("launched", [True, False])
def test_a_launcher_that_ends_the_others_does_not_cut_short_why_a_process_ends(launched):
    """It sends SIGTERM to all as soon as one has ended; a program without a launcher is ended by the next as ever."""
    with signals.restored(signals.STOPS) as before:
        with pytest.raises(ZeroDivisionError), signals.StopRequest().listening(launched):
            raise ZeroDivisionError
        after = {number: signal.getsignal(number) for number in signals.STOPS}
    assert after == before | ({signal.SIGTERM: signal.SIG_IGN} if launched else {})
    with signals.StopRequest().listening(launched):
        pass
    assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
