"""Published weights: half precision, safetensors, never unpickled.

What was learned is published in half precision. The running means and variances of batch normalisation were measured:
a variance may lie beyond what half precision holds, or below it, so they stay as they are, in float32.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from verydeep import files
from verydeep.errors import VerydeepError
from verydeep.networks.network import Network
from verydeep.networks.published import Published


def publish(net: Network, path: Path) -> str:
    """Write the weights of ``net`` in half precision, and its running statistics as they are; return the file's sha256.

    Raises
    ------
    VerydeepError
        When a weight does not fit half precision, which would publish another network than was trained, or a
        statistic is no finite number.
    """
    kinds = _dtypes(net)
    state = {name: tensor.detach().to(kinds[name]).cpu().contiguous() for name, tensor in net.state_dict().items()}
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            precision = "half precision" if tensor.dtype == torch.float16 else "float32"
            raise VerydeepError(f"{path}: {name} has values that {precision} cannot hold")
    with files.atomic(path) as part:
        part.write_bytes(save(state))
    return files.sha256(path)


def _dtypes(net: Network) -> dict[str, torch.dtype]:
    """In which type each tensor of a network is published: half precision, or of running statistics their own."""
    statistics = {name: tensor.dtype for name, tensor in net.named_buffers()}
    return {name: statistics.get(name, torch.float16) for name in net.state_dict()}


def download(published: Published, path: Path) -> None:
    """Fetch torchvision's weights to ``path`` unless they are there; their name holds the start of their sha256.

    Raises
    ------
    VerydeepError
        When the download fails or the file is not what its name says.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(published.url, str(path), published.sha256_prefix, progress=False)
    except (OSError, RuntimeError) as error:
        raise VerydeepError(
            f"download of {published.url} failed ({error}); fetch it by hand and place it as {path}"
        ) from None
    if not files.sha256(path).startswith(published.sha256_prefix):
        raise VerydeepError(f"{path}: its sha256 does not begin {published.sha256_prefix}; delete it and try again")


def load_torchvision(net: Network, path: Path) -> None:
    """Load a torchvision state dict into ``net``, in place. Nothing but tensors is unpickled.

    Raises
    ------
    VerydeepError
        When the file is damaged, holds anything but tensors, or is of another network.
    """
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises what zipfile, pickle and itself raise
        reason = str(error).strip().split("\n")[0]
        raise VerydeepError(f"{path}: not the weights of torchvision's {net.config.name} ({reason})") from None


def load_into(net: Network, path: Path) -> None:
    """Load published weights into ``net``, in place; they are widened to its own precision.

    Raises
    ------
    VerydeepError
        When the file is missing, damaged, of another network, or holds anything but finite numbers in half precision
        (running statistics in float32); the message names the first difference.
    """
    if not path.exists():
        raise VerydeepError(f"{path}: no weights there; train the run first")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise VerydeepError(f"{path}: not a safetensors file of weights ({error})") from None
    own, kinds = net.state_dict(), _dtypes(net)
    if missing := sorted(own.keys() ^ state.keys()):
        raise VerydeepError(f"{path}: weights of another network than {net.config.name} ({missing[0]} does not match)")
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)} there, {tuple(own[name].shape)} here"
            raise VerydeepError(f"{path}: weights of another size than this {net.config.name}: {name} is {shapes}")
        if tensor.dtype != kinds[name]:
            there, expected = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, kinds[name]))
            raise VerydeepError(f"{path}: {name} is {there}, {expected} expected")
        if not torch.isfinite(tensor).all():
            raise VerydeepError(f"{path}: {name} holds values that are no finite numbers")
    net.load_state_dict(state)
