"""Training and testing in bfloat16 on this processor: by torch's own layers and by ours, beside float32.

    python benchmarks/bfloat16.py [--network narrow/A]... [--steps 4] [--turns 3]

``verydeep.networks.rounded`` computes layers in float32 of rounded values where a processor has no instructions
for bfloat16. Here it is made to, whatever the processor has: so on one that does have them the record says what ours
would cost there. Timed are the bare step of training and a forward pass, both on random crops and from the same
weights, in turns. How far gradients of one batch lie from those of torch's own bfloat16 is said in percent of their
length. Writes ``benchmarks/bfloat16.json``, which the chapter on speed shows; with ``--output`` another file.
"""

import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import click
import torch
import torch.nn.functional as F
from common import Record
from loops import Loops, in_turns, medians, run_of

from verydeep import assembly, machine
from verydeep.networks import rounded
from verydeep.networks.network import DTYPES, Network
from verydeep.runs import provenance

NETWORKS = ("quarter/A", "quarter/D", "narrow/A", "narrow/D")
FLOAT32, TORCH, OURS = "float32", "bfloat16, torch's own", "bfloat16, ours"


def loops_of(name: str, way: str, steps: int) -> Loops:
    """The ways to train a network in the precision of a way."""
    study, config = name.split("/")
    run = run_of(study, config, precision="float32" if way == FLOAT32 else "bfloat16")
    weights = assembly.starting_network(run, torch.Generator().manual_seed(0)).state_dict()
    return Loops(run, steps, run.recipe.batch, torch.device("cpu"), weights)


def layers(way: str):
    """While it lasts, networks are built with the layers of a way, whatever this processor has."""
    return mock.patch.object(rounded, "multiplies_in_bfloat16", return_value=way != OURS)


def crops(loops: Loops) -> torch.Tensor:
    """Random crops, the same for each way: a batch of the study's."""
    side, generator = loops.run.study.crop, torch.Generator().manual_seed(1)
    images = torch.randn(loops.run.recipe.batch, 3, side, side, generator=generator)
    return images.contiguous(memory_format=torch.channels_last)


def testing(loops: Loops) -> Callable[[], float]:
    """Forward passes as a network is tested: its blocks in the precision."""
    net, images = loops.network()[0].eval(), crops(loops)
    net.lower(DTYPES[loops.run.recipe.precision])

    def turn() -> float:
        begun = time.monotonic()
        with torch.inference_mode():
            for _ in range(loops.steps):
                net.features(images.to(net.precision))
        return loops.images / (time.monotonic() - begun)

    return turn


def gradient(loops: Loops) -> torch.Tensor:
    """The gradient of every weight by one batch, in a row; nothing is dropped."""
    net: Network = loops.network()[0].eval()
    images = crops(loops)
    labels = torch.arange(len(images)) % net.num_classes
    with torch.autocast("cpu", torch.bfloat16, enabled=loops.run.recipe.precision == "bfloat16"):
        scores = net(images)
    F.cross_entropy(scores.float(), labels).backward()
    return torch.cat([weight.grad.flatten() for weight in net.parameters()])


def rates_of(name: str, steps: int, turns: int) -> dict[str, dict]:
    """Images a second of training and of testing by each way, and how far its gradients lie from torch's own."""
    trained, tested, gradients = {}, {}, {}
    for way in (TORCH, OURS, FLOAT32):
        loops = loops_of(name, way, steps)
        with layers(way):
            trained[way], tested[way], gradients[way] = loops.bare(), testing(loops), gradient(loops)
    made = {
        kind: in_turns(ways, turns, lambda line, kind=kind: click.echo(f"{name}, {kind}: {line}"))
        for kind, ways in (("training", trained), ("testing", tested))
    }
    length, rates = gradients[TORCH].norm(), {}
    for way in trained:
        both = {kind: medians(found, way, torchs_own=TORCH) for kind, found in made.items()}
        rates[f"{name}: {way}"] = {
            f"{kind}_{key}": value for kind, found in both.items() for key, value in found.items() if key != "turns"
        } | {
            "gradients_from_torchs_own": 100 * float((gradients[way] - gradients[TORCH]).norm() / length),
            "turns": turns,
        }
    return rates


@click.command()
@click.option("--network", "names", multiple=True, default=NETWORKS, show_default=True, help="Study and network.")
@click.option("--steps", default=4, show_default=True, type=click.IntRange(1), help="Batches of a turn.")
@click.option("--turns", default=3, show_default=True, type=click.IntRange(1))
@click.option("--output", type=click.Path(path_type=Path), help="Where to write, in place of the record.")
def main(names: tuple[str, ...], steps: int, turns: int, output: Path | None) -> None:
    """Time every way for every network."""
    record, rates = Record(output or __file__), {}
    machine.keep_memory()
    for name in names:
        rates |= rates_of(name, steps, turns)
    record.write(
        "bfloat16 on this processor: torch's own layers and ours, beside float32",
        rates,
        assembly.device_record(torch.device("cpu")),
        setting={"steps": steps, "turns": turns, "instructions": rounded.multiplies_in_bfloat16()},
        load_average=provenance.load_average(),
    )


if __name__ == "__main__":
    main()
