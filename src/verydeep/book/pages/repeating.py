"""How the page of a recorded work says to repeat it: from the commit of its record, and from what it then rested on."""

from itertools import groupby
from pathlib import Path

from verydeep import paths, runs
from verydeep.runs import provenance, templates
from verydeep.studies import Fusion, OfSeveral, Recorded, classes_of

#: A record, as of what it is and its kind.
_Kept = tuple[Recorded, str]

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


def rests_on(run: Recorded, kind: str) -> list[_Kept]:
    """The records that work of a kind starts from, each as of what it is and its kind."""
    if isinstance(run, OfSeveral):
        made_from = ("train", "evaluate") if isinstance(run, Fusion) else ("train",)
        return [(member, of) for member in run.members for of in made_from if of in member.kinds]
    if kind == "train":
        return [(run.parent, "train")] if run.parent else []
    rated = [(run.parent, "train"), (classes_of(run)[0], "evaluate")] if run.boxes else []
    return [*((run, of) for of in run.kinds if of == "train"), *rated]


def _is_there(run: Recorded, kind: str, there: dict[str, str]) -> bool:
    """Whether the record is there as it is now."""
    path = _path(runs.record_path(run, kind))
    return there.get(path) == provenance.committed_runs(provenance.head().commit).get(path)


def _path(path: Path) -> str:
    return path.relative_to(paths.root()).as_posix()
