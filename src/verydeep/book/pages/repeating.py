"""How the page of a recorded work says to repeat it: from the commit of its record, and from what it then rested on."""

from itertools import groupby
from pathlib import Path

from verydeep import paths, runs
from verydeep.runs import provenance, templates
from verydeep.runs.outputs import rests_on
from verydeep.studies import Recorded

_LATER = (
    "The network was tested later than trained, from another commit. What follows tests the recorded weights, and "
    "needs no training; its first line puts aside what was made before."
)


def repeat(run: Recorded, kinds: list[str]) -> list[str]:
    """The commands by which work of these kinds was done, each kind from the commit of its own record.

    A work was often begun before the records that it rests on were committed, and some took the place of one that was:
    what a commit lacks is fetched from a later one, and what it has of the work itself is removed. Where git does not
    have the commit there are the commands alone.
    """
    lines = ["## Repeat it", ""]
    for number, (commit, same) in enumerate(groupby(kinds, lambda kind: runs.read_record(run, kind).sources.commit)):
        lines += [_LATER, ""] if number else []
        aside = ["git stash --include-untracked"] if number else []
        lines += ["```bash", *aside, *_recipe(run, [*same], commit), "```", ""]
    return lines


def _recipe(run: Recorded, kinds: list[str], commit: str | None) -> list[str]:
    """From a commit to the records of these kinds."""
    commands = [templates.command(run, kind) for kind in kinds]
    if commit is None:
        return ["# from which commit is not known", *commands]
    there = provenance.committed_runs(commit)
    return [f"git checkout {commit}", *(_prepared(run, kinds, there) if there else []), *commands]


def _prepared(run: Recorded, kinds: list[str], there: dict[str, str]) -> list[str]:
    """What stands between a checkout, which has the files ``there``, and the first command."""
    own = [(run, kind) for kind in kinds]
    asked = [kept for kind in kinds for kept in rests_on(run, kind) if kept not in own]
    lacking = {one.folder: None for one, kind in asked if not _is_there(one, kind, there)}  # each once, in order
    lines = [f"git checkout {provenance.last_change(folder)} -- {_path(folder)}" for folder in lacking]
    if run.folder not in lacking and not any(f"{_path(run.folder)}/{kind}.json" in there for kind in kinds):
        return lines
    if kinds[0] == run.kinds[0]:
        return [*lines, f"rm -r {_path(run.folder)}"]
    return [*lines, *(f"rm -f {_path(run.folder)}/{kind}.*" for kind in kinds)]


def _is_there(run: Recorded, kind: str, there: dict[str, str]) -> bool:
    """Whether the record is there as it is now."""
    path = _path(runs.record_path(run, kind))
    return there.get(path) == provenance.committed_runs(provenance.head().commit).get(path)


def _path(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()
