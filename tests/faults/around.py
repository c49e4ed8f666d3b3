"""What lies around a run: variables that other programs left. A table as that of :mod:`faults.machine`."""

from pathlib import Path

from faults import small, variables
from faults.machine import expect
from faults.world import World


def variables_left_behind(folder: Path, whole: World) -> str:
    """Variables of accelerate, MPI and torchrun that another program left: the weights are those without them."""
    others = [*({name: value} for name, value in variables.TAKEN_AWAY.items()), variables.ONE_PROCESS]
    hashes = set()
    for number, left in enumerate([{}, *others]):
        world = World.new(folder / str(number))
        small.make(world)
        hashes.add(variables.weights(world, **left))
        expect(len(hashes) == 1, f"{left} gives other weights")
    return f"the same weights to the bit under {len(others)} such"


FAULTS = (variables_left_behind,)
