"""Published weights: half precision, safetensors, never unpickled."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from verydeep import files
from verydeep.errors import VerydeepError
from verydeep.networks.vgg import VGG


def publish(net: VGG, path: Path) -> str:
    """Write the weights of ``net`` in half precision; return the file's sha256.

    Raises
    ------
    VerydeepError
        When a weight does not fit half precision, which would publish another network than was trained.
    """
    state = {name: tensor.detach().half().cpu().contiguous() for name, tensor in net.state_dict().items()}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise VerydeepError(f"{path}: {name} has values that half precision cannot hold")
    with files.atomic(path) as part:
        save_file(state, part)
    return files.sha256(path)


def load_into(net: VGG, path: Path) -> None:
    """Load published weights into ``net``, in place; they are widened to its own precision.

    Raises
    ------
    VerydeepError
        When the file is missing, damaged, or of another network; the message names the first difference.
    """
    if not path.exists():
        raise VerydeepError(f"{path}: no weights there; train the run first")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise VerydeepError(f"{path}: not a safetensors file of weights ({error})") from None
    own = net.state_dict()
    if missing := sorted(own.keys() ^ state.keys()):
        raise VerydeepError(f"{path}: weights of another network than {net.config.name} ({missing[0]} does not match)")
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)} there, {tuple(own[name].shape)} here"
            raise VerydeepError(f"{path}: weights of another size than this {net.config.name}: {name} is {shapes}")
    net.load_state_dict(state)
