"""One update of the weights: the loss over a batch, split over processes and in parts, and a step (Sect. 3.1)."""

import contextlib
import copy
import gc

import torch

from verydeep import assembly
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import colour_shifts, share
from verydeep.networks.network import Network
from verydeep.studies import Run
from verydeep.training import seeds
from verydeep.training.accelerators import Accelerator
from verydeep.training.dropout import Dropout
from verydeep.training.images import TrainingImages
from verydeep.training.objectives import objective
from verydeep.training.schedules import Schedule
from verydeep.training.steps import Step


def hold_to_deterministic_algorithms() -> None:
    """Have torch take the same algorithms each time from here on, and warn where it has none."""
    torch.set_deterministic_debug_mode("warn")  # use_deterministic_algorithms imports the compiler too, a second
    # With such algorithms torch fills all new memory too, at every step; nothing here reads what it has not written.
    torch.utils.deterministic.fill_uninitialized_memory = False


class Updates:
    """The network of a run, its optimiser, and what one batch does to them.

    ``plain`` is the network without what accelerate wraps around it for several processes.
    """

    def __init__(self, run: Run, images: TrainingImages, accelerator: Accelerator, micro_batch: int):
        hold_to_deterministic_algorithms()
        self.run, self.recipe, self.images = run, run.recipe, images
        self.accelerator, self.micro_batch = accelerator, micro_batch
        self.objective, self.schedule = objective(run), Schedule(run.recipe, images.steps)
        self.normalise = Normaliser.of(images.store, run.recipe.unit_variance, accelerator.device)
        generator = torch.Generator().manual_seed(seeds.seed(run.seed, seeds.WEIGHTS, 0))
        net = assembly.starting_network(run, generator)
        learning = [weight for weight in net.parameters() if weight.requires_grad]
        optimiser = torch.optim.SGD(
            learning, lr=0.0, momentum=run.recipe.momentum, weight_decay=run.recipe.weight_decay
        )
        self.average = copy.deepcopy(net).to(accelerator.device).eval() if run.recipe.weight_average else None
        self.net, self.optimiser = accelerator.prepare(net, optimiser)
        self.plain = accelerator.unwrap_model(self.net)
        first, _ = share(run.recipe.batch, accelerator.process_index, accelerator.num_processes)
        self.dropout = Dropout(self.plain, run.recipe.batch, first)
        if accelerator.num_processes > 1:
            self._settle()

    def _settle(self) -> None:
        """Have gradients of several processes added up in the order that all updates have.

        torch finds it in the first backward pass. Were that an update's, the first after a stop would add up in another
        order than without the stop; from three processes on a sum hangs on its order.
        """
        self.net.train()
        self.dropout.begin(0, self.accelerator.device)
        self.dropout.begin_part(0)
        crop = self.run.size.crop
        with self.accelerator.autocast():
            made = self.net(torch.zeros(1, 3, crop, crop, device=self.accelerator.device))
        outputs, *sides = made if isinstance(made, tuple) else (made,)
        self.accelerator.backward(sum(out.float().sum() for out in (outputs, *sides)))
        self.optimiser.zero_grad(set_to_none=True)

    @property
    def result(self) -> Network:
        """The network that is measured and kept: the average of the weights where the recipe asks for one."""
        return self.plain if self.average is None else self.average

    def state(self) -> dict:
        """Weights, their average, momentum and the scaler of float16, for a checkpoint."""
        averaged = {} if self.average is None else {"average": self.average.state_dict()}
        scaler = self.accelerator.scaler
        return averaged | {
            "net": self.plain.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
        }

    def load(self, state: dict) -> None:
        """Go on from what :meth:`state` gave."""
        self.plain.load_state_dict(state["net"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])

    def is_finite(self) -> bool:
        """Whether every weight is a number. The loss of an update is of the weights before it."""
        weights = [value for value in self.plain.state_dict().values() if value.is_floating_point()]
        return bool(torch.stack([value.isfinite().all() for value in weights]).all())

    def learn(self) -> None:
        """Set the network to training. Blocks that do not learn keep the statistics of their normalisation too."""
        self.net.train()
        if self.recipe.trained_layers == "fc":
            self.plain.features.eval()

    def rate(self, epoch: int, step: int) -> float:
        """The learning rate of a step of an epoch."""
        return self.schedule.rate(epoch * self.images.steps + step)

    def update(self, batch, epoch: int, step: int) -> Step:
        """One update over this process's part of a batch; the loss over all of it, and how many images were right.

        Nothing here waits for a GPU (but the scaler of float16, which must know whether to step). So the weights are
        updated by a loss that is not finite, too, and it is for the caller to look (:class:`Steps`).
        """
        number = epoch * self.images.steps + step
        self.dropout.begin(seeds.seed(self.run.seed, seeds.DROPOUT, number), self.accelerator.device)
        rate = self.rate(epoch, step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss, correct = self._gradients(batch)
        if self.recipe.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.net.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            self._follow(number)
        return Step(loss, correct, epoch, step, rate)

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        """Move the average towards the weights after update ``number``, running statistics too; further at the start,
        where it still holds the random weights."""
        decay = min(self.recipe.weight_average, (1 + number) / (10 + number))
        for mean, now in zip(self.average.state_dict().values(), self.plain.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, 1 - decay)
            else:
                mean.copy_(now)

    @property
    def at_once(self) -> int:
        """How many images go through this process's device at once."""
        first, last = share(self.recipe.batch, self.accelerator.process_index, self.accelerator.num_processes)
        return min(self.micro_batch, last - first)

    def largest_that_fits(self, batch, epoch: int, step: int) -> int | None:
        """The largest micro-batch, by halving, with which the device has the memory for an update; ``None``: not one.

        Found by trying, so that the weights are no longer those of the training.
        """
        size = min(self.micro_batch, len(batch.labels))
        while size > 1:
            size //= 2
            self.optimiser.zero_grad(set_to_none=True)
            gc.collect()
            torch.cuda.empty_cache()
            self.micro_batch = size
            with contextlib.suppress(torch.OutOfMemoryError):
                self.update(batch, epoch, step).loss.item()
                return size
        return None

    def _input(self, batch) -> torch.Tensor:
        """The crops of a batch as the network takes them: colours shifted, mean subtracted."""
        shifts = None
        if self.recipe.colour_shift:
            shifts = colour_shifts(self.images.store.statistics, batch.colour, self.recipe.colour_shift)
        return self.normalise(batch.images, shifts)

    def _gradients(self, batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and right answers over the whole batch, and the gradients left in the network."""
        device, parts = self.accelerator.device, self.accelerator.num_processes
        images = self._input(batch)
        targets = self.objective.targets(batch, device)
        # parts of a batch may differ by an image, so each counts by its images in the average over processes
        part_size = self.recipe.batch / parts
        total, correct = torch.zeros((), device=device), torch.zeros((), device=device)
        starts = range(0, len(targets), self.micro_batch)
        for start in starts:
            last = start == starts[-1]
            self.dropout.begin_part(start)
            with contextlib.nullcontext() if last else self.accelerator.no_sync(self.net):
                part = slice(start, start + self.micro_batch)
                with self.accelerator.autocast():
                    made = self.net(images[part])
                outputs, *sides = made if isinstance(made, tuple) else (made,)
                loss = self.objective.loss(outputs.float(), targets[part]) / part_size
                beside = [self.objective.loss(side.float(), targets[part]) / part_size for side in sides]
                # what is reported is the loss of the network that is tested
                self.accelerator.backward(loss + self.plain.side_weight * sum(beside) if beside else loss)
            total += loss.detach()
            correct += self.objective.right(outputs.detach().float(), targets[part]).sum()
        if parts > 1:
            total = self.accelerator.reduce(total, "mean")
            correct = self.accelerator.reduce(correct, "sum")
        return total, correct
