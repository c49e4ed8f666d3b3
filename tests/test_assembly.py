"""From a study to what trains and tests it."""

import torch

from verydeep import assembly


def test_a_launch_that_asks_for_the_processor_gets_it_in_training_and_in_testing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert assembly.device().type == "cuda"
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert assembly.device().type == "cpu"
