"""Kills and faults of the machine: a short version of ``make faults``; of lost processes ``test_launch.py`` has one."""

import random

import pytest

from faults import around, kills, machine
from faults.world import World


@pytest.fixture
def whole(trained_checkout) -> World:
    """A run that nobody disturbed."""
    return World(trained_checkout.parent)


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bits(whole, tmp_path):
    aims = [random.choice(kills.INSTANTS[:3]), random.choice(kills.INSTANTS[3:])]
    seed = random.randrange(2**32)
    survived = kills.survive(tmp_path / "chain", whole, aims, seed, tries=3)
    assert [(one.hit, one.faults) for one in survived] == [(True, []), (True, [])], (seed, survived)


@pytest.mark.parametrize("fault", [
    machine.disk_full_in_training, machine.disk_full_at_the_images, around.variables_from_the_start,
    around.notebooks_of_another_world, around.no_home_directory, around.interrupted, around.workflow_killed,
    around.litter_of_desktops, around.broken_environment, around.workflow_with_other_settings,
    around.workflow_on_a_cluster,
], ids=lambda fault: fault.__name__)  # fmt: skip
def test_a_fault_of_the_machine_is_survived(whole, tmp_path, fault):
    try:
        assert fault(tmp_path / "world", whole)
    except machine.NotPossible as error:
        pytest.skip(str(error))
