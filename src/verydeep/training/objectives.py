"""What a network is trained to say: the class of a crop (Sect. 3.1), or where on it the object lies (A.1)."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F

from verydeep.data.boxes import corners
from verydeep.data.views import Batch
from verydeep.studies import Run
from verydeep.studies.localisation import OVERLAP, Localisation


class Objective(ABC):
    """What is asked of a network's outputs. ``targets`` are rows that stay with their images when a batch is cut."""

    @abstractmethod
    def targets(self, batch: Batch, device: torch.device) -> torch.Tensor:
        """What is asked of each image of a batch, on the device."""

    @abstractmethod
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss, summed over images; ``outputs`` are float32 (n, outputs)."""

    def measured(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss by which networks are compared, whatever they are trained with."""
        return self.loss(outputs, targets)

    @abstractmethod
    def right(self, outputs: torch.Tensor, targets: torch.Tensor, k: int = 1) -> torch.Tensor:
        """Which images are answered rightly among the ``k`` best answers: bool (n,)."""


class Classes(Objective):
    """Multinomial logistic regression (Sect. 3.1), its labels smoothed by some share (Szegedy et al. 2016)."""

    def __init__(self, smoothing: float = 0.0):
        self.smoothing = smoothing

    def targets(self, batch: Batch, device: torch.device) -> torch.Tensor:
        return batch.labels.to(device, non_blocking=True)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs, targets, reduction="sum", label_smoothing=self.smoothing)

    def measured(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(outputs, targets, reduction="sum")

    def right(self, outputs: torch.Tensor, targets: torch.Tensor, k: int = 1) -> torch.Tensor:
        best = outputs.topk(min(k, outputs.shape[1])).indices if k > 1 else outputs.argmax(1, keepdim=True)
        return (best == targets[:, None]).any(1)


class BoxesOfTrueClass(Objective):
    """The Euclidean loss of the true class's box (A.1), which is right where ILSVRC's rule finds it so.

    Targets are float32 (n, 6): class, whether the crop counts in the loss, and the box's four numbers.
    """

    def __init__(self, regression: str, localisation: Localisation, crop: int):
        self.regression, self.localisation, self.crop = regression, localisation, crop

    def targets(self, batch: Batch, device: torch.device) -> torch.Tensor:
        return torch.cat([batch.labels[:, None].float(), batch.boxes], 1).to(device, non_blocking=True)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        apart = (self._of_true_class(outputs, targets) - targets[:, 2:]).square().sum(1)
        each = apart / 2 if self.localisation.loss == "squared" else (apart + 1e-12).sqrt()
        return (each * targets[:, 1]).sum()

    def right(self, outputs: torch.Tensor, targets: torch.Tensor, k: int = 1) -> torch.Tensor:
        from torchvision.ops import box_iou

        said = corners(self._of_true_class(outputs, targets), self.localisation.units, self.crop)
        true = corners(targets[:, 2:], self.localisation.units, self.crop)
        return box_iou(said, true).diagonal() > OVERLAP

    def _of_true_class(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.regression == "scr":
            return outputs
        labels = targets[:, 0].long()
        return outputs.unflatten(1, (-1, 4))[torch.arange(len(labels), device=labels.device), labels]


def objective(run: Run) -> Objective:
    """What a run's network is trained to say."""
    if run.boxes:
        return BoxesOfTrueClass(run.boxes, run.localisation, run.study.crop)
    return Classes(run.recipe.label_smoothing)
