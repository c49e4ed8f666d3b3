"""Weights on disk: ours in half precision, those that others published as they are; checked, and never unpickled.

Of ours, what was learned is published in half precision. The running means and variances of batch normalisation were
measured: a variance may lie beyond what half precision holds, or below it, so they stay as they are, in float32.
"""

import json
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from verydeep import files, locks
from verydeep.errors import VerydeepError, first_line
from verydeep.networks import authors
from verydeep.networks.network import Network
from verydeep.networks.published import TORCHVISION, Origin, Published


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


def obtain(published: Published, net: Network, path: Path) -> None:
    """Load the weights that others published into ``net``, in place, from ``path`` or what is downloaded for it.

    torchvision's file is read as it is. The authors' is converted once, from whichever of their files lies beside
    ``path``, or the first of them, downloaded there: ``path`` is then theirs as safetensors in full precision, with its
    hash in a file of its own, and is not read when it has another. Both files of one network give the same bytes.

    Raises
    ------
    VerydeepError
        When a download fails, or a file is not the one that was published, damaged, or of another network.
    """
    if published.publisher == TORCHVISION:
        download(published.origins[0], path)
        load_torchvision(net, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with locks.hold(path.with_name(f".{path.name}.lock"), f"the conversion of {published.name}"):
        if not _kept(path).exists():
            _convert(published, net, path)
    if not path.exists() or json.loads(_kept(path).read_text())["sha256"] != files.sha256(path):
        raise VerydeepError(f"{path}: not the file that was converted; delete it and {_kept(path).name}, and try again")
    load_into(net, path, torch.float32)


def _kept(path: Path) -> Path:
    """Where the hash of converted weights is kept, with that of the file they were made from."""
    return path.with_suffix(".json")


def _convert(published: Published, net: Network, path: Path) -> None:
    there = (origin for origin in published.origins if path.with_name(origin.file).exists())
    origin = next(there, published.origins[0])
    source = path.with_name(origin.file)
    download(origin, source)
    authors.load(net, source, origin.layout)
    with files.atomic(path) as part:
        part.write_bytes(save({name: tensor.contiguous() for name, tensor in net.state_dict().items()}))
    files.write_json(
        _kept(path), {"sha256": files.sha256(path), "made_from": origin.file, "its_checksum": origin.checksum}
    )


def download(origin: Origin, path: Path) -> None:
    """Fetch a file of published weights to ``path`` unless it is there, and check its hash before anything reads it.

    Raises
    ------
    VerydeepError
        When the download fails or the file is another.
    """
    there = path.exists()
    try:
        if not there:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(origin.url, str(path), progress=False)
    except (OSError, RuntimeError) as error:
        raise VerydeepError(
            f"download of {origin.url} failed ({error}); fetch it by hand and place it as {path}"
        ) from None
    if fault := origin.fault(path):
        if not there:
            path.unlink()
            raise VerydeepError(f"{origin.url} gave another file than was published: {fault}; nothing was kept")
        raise VerydeepError(f"{path}: {fault}, so it is not the file that was published; delete it and try again")


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
        why = "it holds more than tensors" if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise VerydeepError(f"{path}: not the weights of torchvision's {net.config.name} ({why})") from None


def load_into(net: Network, path: Path, dtype: torch.dtype | None = None) -> None:
    """Load weights that were kept as safetensors into ``net``, in place; they are widened to its own precision.

    Parameters
    ----------
    dtype
        What every tensor of the file must be; by default what :func:`publish` writes.

    Raises
    ------
    VerydeepError
        When the file is missing, damaged, of another network, or holds anything but finite numbers of the types
        that are expected; the message names the first difference.
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
        if tensor.dtype != (dtype or kinds[name]):
            actual, expected = (str(kind).removeprefix("torch.") for kind in (tensor.dtype, dtype or kinds[name]))
            raise VerydeepError(f"{path}: {name} is {actual}, {expected} expected")
        if not torch.isfinite(tensor).all():
            raise VerydeepError(f"{path}: {name} holds values that are no finite numbers")
    net.load_state_dict(state)
