"""For torch.hub: ``torch.hub.load("OWNER/REPOSITORY", "pretrained", "narrow/D-256")``, or a path, ``source="local"``.

The same as ``verydeep.pretrained``, from a checkout that need not be installed.
"""

import sys
from pathlib import Path

# What the package imports on the way to a network; torch.hub says which of them is missing.
dependencies = ["defusedxml", "filelock", "google", "h5py", "nbformat", "numpy", "pandas", "PIL", "pooch",
                "pydantic", "pydantic_core", "safetensors", "torch", "torchvision", "tqdm", "yaml"]  # fmt: skip

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))


def pretrained(name: str, sha256: str | None = None, device: str = "cpu"):
    """A trained network with its transform and its classes; see ``verydeep.pretrained``.

    ``name`` is study/config-scale, for example ``narrow/D-256``; the model card of each says its data and its errors.
    """
    import verydeep  # found by the line above, and not before torch.hub has looked at what it needs

    return verydeep.pretrained(name, sha256=sha256, device=device)
