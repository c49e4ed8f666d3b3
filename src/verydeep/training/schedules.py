"""How the learning rate moves: a plateau rule (Sect. 3.1) or a fixed cosine."""

import math
from dataclasses import dataclass, field

from verydeep.studies import Recipe


@dataclass
class Schedule:
    """The learning rate as a function of the step and of the held-out errors so far.

    Its whole state is ``errors``, the held-out top-1 error after each epoch, so a resumed run needs no more.
    """

    recipe: Recipe
    steps_per_epoch: int
    errors: list[float] = field(default_factory=list)

    def rate(self, step: int) -> float:
        """Learning rate of global step ``step``, counted from 0."""
        warmup = self.recipe.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return self.recipe.learning_rate * (step + 1) / (warmup + 1)
        if self.recipe.schedule == "plateau":
            return self.recipe.learning_rate / 10**self.drops
        total = self.recipe.epochs * self.steps_per_epoch
        progress = (step - warmup) / max(1, total - warmup)
        return self.recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

    @property
    def drops(self) -> int:
        """How often the plateau rule has divided the rate by 10.

        The paper divides "when the validation set accuracy stopped improving" (Sect. 3.1) and gives no rule; here the
        rate falls when the best held-out top-1 error is ``plateau_patience`` epochs old, at most ``rate_drops`` times.
        """
        return min(self._plateaus(), self.recipe.rate_drops)

    def _plateaus(self) -> int:
        best, age, plateaus = math.inf, 0, 0
        for error in self.errors:
            if error < best:
                best, age = error, 0
                continue
            age += 1
            if age == self.recipe.plateau_patience:
                plateaus, age = plateaus + 1, 0
        return plateaus

    @property
    def finished(self) -> bool:
        """Whether training ends: after all epochs, or at a plateau of the plateau rule's last rate."""
        if len(self.errors) >= self.recipe.epochs:
            return True
        return self.recipe.schedule == "plateau" and self._plateaus() > self.recipe.rate_drops
