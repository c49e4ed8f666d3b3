"""Weights and checkpoints of another network, or that are none at all."""

import struct
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from faults.cases import Entry, call, case
from faults.kills import RUN
from faults.world import World
from verydeep import files, runs, studies
from verydeep.networks import vgg, weights
from verydeep.networks.configurations import Size


def weights_case(
    what: str, says: str, make: Callable[[Path], None], passed_off: bool = True, of: str = ".safetensors: "
):
    """A weights file; ``passed_off`` as the one that was trained, with record and seal made to agree.

    ``of`` is how the message names it before it ``says`` what is wrong.
    """

    @case("weights", what, rf"error: .*{of}{says}", trained=True)
    def add(world: World) -> Entry:
        path = world.runs / "smoke" / RUN / "weights.safetensors"
        make(path)
        if passed_off:
            run = studies.find_run("smoke", "A", 256)
            record = runs.read_record(run, "train")
            artefacts = record.artefacts | {path.name: files.sha256(path)}
            runs.unseal(run.folder, ["train.json"])
            runs.write_record(run, record.model_copy(update={"artefacts": artefacts}))
            runs.seal(run.folder, ["train.json", path.name])
        return ["verify", "smoke", "A-256-s0", "--images", "4"]


def altered(change: Callable[[dict], dict]) -> Callable[[Path], None]:
    return lambda path: save_file(change(load_file(path)), path)


def network(config: str = "A", num_classes: int = 10) -> Callable[[Path], None]:
    return lambda path: weights.publish(vgg.build(config, Size(16, num_classes, crop=32)), path) and None


def _not_finite(state: dict) -> dict:
    state["features.0.weight"][0, 0, 0, 0] = float("nan")
    return state


class Malice:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "your machine was here")


def pickled(path: Path) -> None:
    torch.save({"net": Malice(path.with_name("malice.txt"))}, path)


weights_case("cut short", "not a safetensors file", lambda path: path.write_bytes(path.read_bytes()[:500]))
weights_case("empty", "not a safetensors file", lambda path: path.write_bytes(b""))
weights_case("header longer than the file", "not a safetensors file", lambda p: p.write_bytes(struct.pack("<Q", 2**60)))
weights_case("pickle in disguise", "not a safetensors file", pickled)
weights_case("of another network", "weights of another network than A", network(config="D"))
weights_case("of another size", r"weights of another size than this A: .* is \(9", network(num_classes=9))
weights_case("of another precision", "classifier.0.bias is float32, float16 expected",
             altered(lambda state: {name: tensor.float() for name, tensor in state.items()}))  # fmt: skip
weights_case("whole numbers", "classifier.0.bias is int8, float16 expected",
             altered(lambda state: {name: tensor.to(torch.int8) for name, tensor in state.items()}))  # fmt: skip
weights_case(
    "not a number among them", "features.0.weight holds values that are no finite numbers", altered(_not_finite)
)
weights_case("a layer missing", "weights of another network than A .classifier.6.bias",
             altered(lambda state: {name: state[name] for name in state if name != "classifier.6.bias"}))  # fmt: skip
weights_case(
    "missing", "whose weights are not there; restore them", Path.unlink, passed_off=False, of="needs A-256-s0, "
)
weights_case(
    "of the same network, but other training", "not the weights that A-256-s0 was trained to", network(), False
)


def checkpoint_case(what: str, says: str, make: Callable[[Path], None]):
    @case("weights", f"checkpoint: {what}", rf"error: .*checkpoint.pt: {says}")
    def add(world: World) -> Entry:
        call(["data", "verify", "digits"])
        path = world.artifacts / "smoke" / RUN / "checkpoint.pt"
        path.parent.mkdir(parents=True)
        make(path)
        return ["train", "smoke", "A", "256"]


checkpoint_case("pickle that runs code", "not a readable checkpoint", pickled)
checkpoint_case("junk", "not a readable checkpoint", lambda path: path.write_bytes(b"junk" * 100))
checkpoint_case("empty", "not a readable checkpoint", lambda path: path.write_bytes(b""))
checkpoint_case(
    "of another recipe", "was made with other .*recipe", lambda p: torch.save({"identity": {"recipe": 1}}, p)
)


@case("weights", "torchvision's, a pickle that runs code", "error: .*vgg.pth: not the weights of torchvision's A")
def _torchvision(world):
    pickled(world.data / "vgg.pth")
    net = vgg.build("A", Size(width_divisor=16, num_classes=10, crop=32))
    return lambda: weights.load_torchvision(net, world.data / "vgg.pth")
