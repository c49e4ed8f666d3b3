"""What a network expects of its input: the mean RGB of the training images subtracted (Sect. 2.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from verydeep.data.store import Store

#: The mean RGB value that the authors subtract, in pixel values 0-255; they state it in the order BGR
#: (https://gist.github.com/ksimonyan/211839e770f7b538e2d8).
AUTHORS_MEAN = (123.68, 116.779, 103.939)


@dataclass
class Normaliser:
    """Turns uint8 views into what the network sees: mean RGB subtracted (Sect. 2.1), colour shift added."""

    mean: torch.Tensor  # (3,), in pixel values 0-255
    divisor: float | torch.Tensor

    @classmethod
    def of(cls, store: Store, unit_variance: bool, device="cpu") -> "Normaliser":
        """What a network learns from that is trained on these images; divided by their deviation where asked for."""
        return cls.measured(store.statistics.mean, store.statistics.deviation, unit_variance, device)

    @classmethod
    def measured(cls, mean: Sequence[float], deviation: float, unit_variance: bool, device="cpu") -> "Normaliser":
        """What a network expects that was trained on images of this mean RGB value (3,) and of this standard deviation
        over pixels and channels, both in pixel values 0-255, as a store or a record has them."""
        mean = torch.tensor(mean, dtype=torch.float32, device=device)
        return cls(mean, deviation if unit_variance else 1.0)

    @classmethod
    def published_by(cls, publisher: str, device="cpu") -> "Normaliser":
        """What the weights that ``"torchvision"`` or the ``"authors"`` published expect."""
        if publisher == "authors":
            return cls(torch.tensor(AUTHORS_MEAN, device=device), 1.0)
        from torchvision.models import VGG16_Weights

        preset = VGG16_Weights.IMAGENET1K_V1.transforms()
        mean, deviation = (255 * torch.tensor(values, device=device) for values in (preset.mean, preset.std))
        return cls(mean, deviation)

    @classmethod
    def stated(cls, mean: list[float], divisor: float | list[float]) -> "Normaliser":
        """As :meth:`statement` says it, on the CPU."""
        return cls(torch.tensor(mean), divisor if isinstance(divisor, float) else torch.tensor(divisor))

    def statement(self) -> dict:
        """Its ``mean`` and ``divisor`` as JSON has them."""
        divisor = self.divisor if isinstance(self.divisor, float) else self.divisor.tolist()
        return {"mean": self.mean.tolist(), "divisor": divisor}

    def __call__(self, images: np.ndarray | torch.Tensor, shifts: np.ndarray | None = None) -> torch.Tensor:
        """(n, height, width, 3) uint8 -> (n, 3, height, width) float32 in channels-last layout."""
        n, height, width, _ = images.shape
        offset = self.mean[None, None]
        if shifts is not None:
            of_images = torch.from_numpy(shifts)
            if self.mean.is_cuda:  # from memory that is not pinned the copy would wait for the device
                of_images = of_images.pin_memory()
            offset = offset - of_images.to(self.mean.device, non_blocking=True)[:, None]
        # Arithmetic on whole rows of pixels: on three channels at a time it would take longer than a convolution.
        pixels = images if isinstance(images, torch.Tensor) else torch.tensor(images)
        x = pixels.to(self.mean.device, non_blocking=True).to(torch.float32).view(n, height, 3 * width)
        divisor = self.divisor if isinstance(self.divisor, float) else self.divisor.repeat(width)
        return x.sub_(offset.repeat(1, 1, width)).div_(divisor).view(n, height, width, 3).permute(0, 3, 1, 2)
