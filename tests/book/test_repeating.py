"""What the page of a recorded work says to repeat it."""

from fnmatch import fnmatch

import pytest

from verydeep import runs, studies
from verydeep.book.pages import repeating
from verydeep.runs import provenance
from verydeep.runs.outputs import rests_on


def test_a_test_that_was_made_later_is_repeated_from_the_commit_of_its_own_record(repository):
    """It may have been of other sources than the training, and of weights that were committed between the two."""
    run = studies.find_run("quarter", "A", 256)
    made = [runs.read_record(run, kind).sources.commit for kind in ("train", "evaluate")]
    assert made[0] != made[1]
    training, testing = recipes(run)
    assert training[0] == f"git checkout {made[0]}" and len(training) == 2
    assert testing[:2] == ["git stash --include-untracked", f"git checkout {made[1]}"]
    alike = studies.find_run("narrow", "D", 256)
    (both,) = recipes(alike)
    assert sum(line.startswith("papermill ") for line in both) == 2


def recipes(run: studies.Recorded) -> list[list[str]]:
    """The lines of each recipe by which the page of a run says to repeat it."""
    lines = repeating.repeat(run, [kind for kind in run.kinds if runs.read_record(run, kind)])
    return [part.partition("```bash\n")[2].split("\n") for part in "\n".join(lines).split("\n```\n")[:-1]]


def test_every_record_can_be_repeated_by_what_its_page_says(repository):
    """No checkout meets a file in its way, and each notebook finds what it rests on and no record of its own work."""
    if why := provenance.history_unknown():
        pytest.skip(why)
    head, asked = provenance.committed_runs(provenance.head().commit), 0
    for run in (run for name in studies.names() for run in runs.recorded(studies.load(name))):
        if f"runs/{run.address}/{run.kind}.json" not in head:
            continue
        there, untracked, kinds = {}, set(), [kind for kind in run.kinds if runs.read_record(run, kind)]
        for line in (line for recipe in recipes(run) for line in recipe):
            own = f"runs/{run.address}"
            match line.split():
                case ["git", "stash", _]:
                    untracked.clear()
                case ["git", "checkout", commit]:
                    there = provenance.committed_runs(commit)
                    assert not untracked & {*there}, f"{run.address}: git would not overwrite what was just made"
                case ["git", "checkout", commit, "--", folder]:
                    new = {name: it for name, it in provenance.committed_runs(commit).items() if folder in name}
                    assert new, f"{run.address}: {commit} has no {folder}"
                    there = there | new
                case ["rm", "-r", folder]:
                    assert folder == own
                    there = {name: it for name, it in there.items() if own not in name}
                case ["rm", "-f", pattern]:
                    there = {name: it for name, it in there.items() if not fnmatch(name, pattern)}
                case ["papermill", *_]:
                    kind, asked = kinds.pop(0), asked + 1
                    assert f"{own}/{kind}.json" not in there, f"{run.address}: {kind} is done already"
                    for one, of in rests_on(run, kind):
                        path = f"runs/{one.address}/{of}.json"
                        assert (one is run and path in untracked) or there.get(path) == head[path], (run.address, path)
                    untracked.add(f"{own}/{kind}.json")
                case _:
                    raise AssertionError(line)
        assert not kinds, run.address
    assert asked > 100
