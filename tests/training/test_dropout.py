"""What dropout drops: torch's own units for a whole batch, and the same ones however the batch is split."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from tiny import tiny_run
from torch import nn

from verydeep.networks import building
from verydeep.networks.configurations import Size
from verydeep.training import seeds
from verydeep.training.accelerators import accelerator
from verydeep.training.dropout import Dropout
from verydeep.training.images import TrainingImages
from verydeep.training.updates import Updates

SIZE = Size(crop=32, width_divisor=16, num_classes=10)
CPU = torch.device("cpu")


def layers(p: float) -> nn.Sequential:
    """Two dropout layers, one after the other."""
    return nn.Sequential(nn.Dropout(p), nn.Dropout(p)).train()


def passed(net: nn.Module, images: torch.Tensor, part_size: int, processes: int = 1) -> tuple[torch.Tensor, ...]:
    """What comes out for a batch that goes through in parts, one process after the other, and the gradient."""
    images = images.clone().requires_grad_()
    out = []
    for process in range(processes):
        first, last = (rank * len(images) // processes for rank in (process, process + 1))
        dropout = Dropout(net, len(images), first)
        dropout.begin(7, CPU)
        for start in range(first, last, part_size):
            dropout.begin_part(start - first)
            out.append(net(images[start : min(last, start + part_size)]))
    out = torch.cat(out)
    (out.float().square().sum() / 2).backward()
    return out.detach(), images.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("split", [(37, 1), (16, 1), (1, 1), (37, 2), (5, 3)])
def test_the_units_and_the_bits_are_those_of_torchs_dropout_of_the_whole_batch(dtype, p, split):
    images = torch.randn(37, 1031, generator=torch.Generator().manual_seed(1)).to(dtype)
    by_torch = images.clone().requires_grad_()
    torch.manual_seed(7)
    out = F.dropout(F.dropout(by_torch, p), p)
    (out.float().square().sum() / 2).backward()
    ours, gradient = passed(layers(p), images, *split)
    assert torch.equal(ours, out) and torch.equal(gradient, by_torch.grad)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_update_of_a_whole_batch_drops_what_torch_drops_by_the_seed_of_its_step(checkout, monkeypatch, precision):
    """Bit for bit: published runs come again, and a checkpoint is gone on with."""
    run = tiny_run(dropout=0.3, precision=precision, clip_norm=None)
    images = TrainingImages.of(run)
    updates = Updates(run, images, accelerator(run), 32)
    updates.learn()
    by_hand = copy.deepcopy(updates.plain)
    for layer in by_hand.modules():
        if isinstance(layer, nn.Dropout):
            layer.__class__ = nn.Dropout
    kept = {}
    monkeypatch.setattr(
        updates.optimiser, "step", lambda: kept.update({k: w.grad.clone() for k, w in updates.plain.named_parameters()})
    )
    batch = next(iter(images.loader(1, 0, 0, 1)))
    loss = updates.update(batch, 1, 3).loss
    torch.manual_seed(seeds.seed(run.seed, seeds.DROPOUT, images.steps + 3))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        scores = by_hand(updates._input(batch))
    expected = updates.objective.loss(scores.float(), batch.labels) / 32
    expected.backward()
    assert torch.equal(loss, expected.detach())
    assert all(torch.equal(kept[name], weight.grad) for name, weight in by_hand.named_parameters())


@pytest.mark.parametrize("config", ["A", "GoogLeNet"])
def test_a_network_whose_dropout_is_drawn_so_is_the_same_to_all_others(config):
    """Its state, its copies, and what it gives in testing; each layer draws its units anew at every step."""
    net = building.build(config, SIZE, dropout=0.5)
    before, images = net.state_dict(), torch.randn(4, 3, 32, 32)
    expected = net.eval()(images)
    dropout = Dropout(net, 8, 0)
    dropout.begin(1, CPU)
    dropout.begin_part(4)
    net.train()(images)
    assert net.state_dict().keys() == before.keys()
    assert all(isinstance(layer.kept, torch.Tensor) for layer in dropout.layers) and dropout.layers
    masks = [layer.kept for layer in dropout.layers]
    assert len({tuple(mask.flatten()[:64].tolist()) for mask in masks}) == len(masks)
    for same in (net, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(same.eval()(images), expected)
    dropout.begin(2, CPU)
    assert all(layer.kept is None for layer in dropout.layers)
