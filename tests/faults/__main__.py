"""``make faults``: every kill, fault and bad input, a line each, the sums, and the record that the book shows."""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from conftest import REPOSITORY
from faults import around, cases, inputs, kills, machine, workflow
from faults.world import World
from verydeep import files
from verydeep.progress import line as say
from verydeep.runs import provenance

#: Every instant twice, with other random times.
CHAINS = 2
#: Kills of the smoke study through Snakemake, and at most how many seconds after its victim's start one comes.
WORKFLOW_KILLS, LONGEST = 20, 15.0


def main(record: Path, *parts: str) -> int:
    """Do all :data:`PARTS`, or those named, in a temporary folder; return how much was not survived.

    What was done takes the place of the same part in ``record``, with the sources and the machine that did it.
    """
    written = json.loads(record.read_text()) if record.exists() else {"made": {}}
    # while they are what was imported: all of it takes an hour or two, in which the checkout may change
    made_by = {
        "sources": provenance.sources().model_dump(), "environment": provenance.environment().model_dump()
    }  # fmt: skip
    bad = 0
    with tempfile.TemporaryDirectory(prefix="faults.", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        whole = kills.reference(folder / "undisturbed")
        for part in parts or PARTS:
            begun = time.monotonic()
            try:
                outcomes = PARTS[part](folder, whole)
            except Exception as error:
                say(f"{part} NOT DONE, its record stays as it was: {_words(error)}")
                bad += 1
                continue
            survived = sum(outcome["survived"] for outcome in outcomes)
            seconds = time.monotonic() - begun
            say(f"{part} survived / tried: {survived} / {len(outcomes)}, {seconds / 60:.1f} minutes")
            bad += len(outcomes) - survived
            written[part], written["made"][part] = outcomes, made_by | {"seconds": seconds}
            files.write_text(record, json.dumps(written, indent=1) + "\n")
    return bad


def _kills(folder: Path, whole: World) -> list[dict]:
    undisturbed = time.monotonic()
    kills.reference(folder / "timed")
    seconds = time.monotonic() - undisturbed
    survived = []
    for chain in range(CHAINS):
        # two fifths of a run are over before its training is
        survived += kills.survive(folder / f"chain-{chain}", whole, list(kills.INSTANTS), chain, 0.4 * seconds)
    return _said(survived)


def _workflow(folder: Path, whole: World) -> list[dict]:
    study = World.new(folder / "study")
    for fault in workflow.finish(study):
        raise RuntimeError(fault)
    return _said(workflow.survive(World.new(folder / "study-killed"), study, WORKFLOW_KILLS, 0, LONGEST))


def _said(survived: list[kills.Kill]) -> list[dict]:
    for one in survived:
        say(f"kill  {one.aim:24} after {one.seconds:4.1f} s  {'; '.join(one.faults) or 'survived'}")
    return [
        {"aim": one.aim, "hit": one.hit, "seconds": round(one.seconds, 2), "survived": not one.faults}
        for one in survived
    ]


def _faults(folder: Path, whole: World) -> list[dict]:
    found = []
    for fault in (*machine.FAULTS, *around.FAULTS):
        survived, said = True, ""
        try:
            said = fault(folder / fault.__name__, whole)
        except Exception as error:  # one that takes too long or breaks off is not survived, and the others go on
            survived, said = False, _words(error)
        say(f"fault {fault.__name__:24} {'survived' if survived else f'NOT SURVIVED: {said}'}")
        what = fault.__doc__.strip().split("\n")[0].replace("``", "")
        found.append({"name": fault.__name__, "what": what, "said": _short(said, folder), "survived": survived})
        shutil.rmtree(folder / fault.__name__, ignore_errors=True)
    return found


def _inputs(folder: Path, whole: World) -> list[dict]:
    found = []
    for number, one in enumerate(inputs.CASES):
        place = folder / f"input-{number}"
        try:
            outcome = cases.attempt(one, World.copy(whole, place) if one.trained else World.new(place))
        except Exception as error:
            outcome = cases.Outcome(_words(error), [f"broke off: {_words(error)}"])
        if outcome.faults:
            say(f"input {one.group}: {one.name}: {'; '.join(outcome.faults)}")
        said = _short(outcome.said, folder)
        found.append({"group": one.group, "name": one.name, "said": said, "survived": not outcome.faults})
        shutil.rmtree(place, ignore_errors=True)
    return found


def _words(error: Exception) -> str:
    """What an exception says; of one that nobody expected, which it is too."""
    expected = (machine.Unsurvived, machine.NotPossible)
    return str(error) if isinstance(error, expected) else f"{type(error).__name__}: {error}"


def _short(said: str, folder: Path) -> str:
    """A line without the folders of this machine."""
    return said.replace(f"{folder}/", "").replace(str(REPOSITORY), "").replace(sys.prefix, "")


#: What ``python -m faults PART ...`` does, in the order of all of it.
PARTS = {"kills": _kills, "workflow_kills": _workflow, "faults": _faults, "bad_inputs": _inputs}

if __name__ == "__main__":
    asked = sys.argv[1:]
    if unknown := [part for part in asked if part not in PARTS]:
        sys.exit(f"error: unknown part {unknown[0]!r}: choose among {', '.join(PARTS)}")
    sys.exit(1 if main(REPOSITORY / "benchmarks" / "faults.json", *asked) else 0)
