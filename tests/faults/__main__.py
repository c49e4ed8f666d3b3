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


def main(record: Path) -> int:
    """Do it all in a temporary folder; write ``record`` and return the number of what was not survived."""
    folder, started = Path(tempfile.mkdtemp(prefix="faults.")), time.monotonic()
    try:
        undisturbed = time.monotonic()
        whole = kills.reference(folder / "undisturbed")
        seconds = time.monotonic() - undisturbed
        found = {
            "kills": _kills(folder, whole, seconds),
            "faults": _faults(folder, whole),
            "bad_inputs": _inputs(folder, whole),
        }
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    bad = sum(not one["survived"] for part in found.values() for one in part)
    for title, part in (("kills survived", "kills"), ("faults", "faults"), ("bad inputs", "bad_inputs")):
        say(f"{title} / tried: {sum(one['survived'] for one in found[part])} / {len(found[part])}")
    took = time.monotonic() - started
    say(f"{took / 60:.1f} minutes")
    environment = {"sources": provenance.sources(), "environment": provenance.environment(), "seconds": took}
    files.write_text(record, json.dumps(environment | {"undisturbed_seconds": seconds} | found, indent=1) + "\n")
    return bad


def _kills(folder: Path, whole: World, seconds: float) -> list[dict]:
    survived = []
    for chain in range(CHAINS):
        # two fifths of a run are over before its training is
        survived += kills.survive(folder / f"chain-{chain}", whole, list(kills.INSTANTS), chain, 0.4 * seconds)
    study = World.new(folder / "study")
    for fault in workflow.finish(study):
        raise RuntimeError(fault)
    survived += workflow.survive(World.new(folder / "study-killed"), study, WORKFLOW_KILLS, 0, LONGEST)
    for one in survived:
        say(f"kill  {one.aim:24} after {one.seconds:4.1f} s  {'; '.join(one.faults) or 'survived'}")
    say(f"kills that met their instant: {sum(one.hit for one in survived)} of {len(survived)}")
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
        except (machine.Unsurvived, machine.NotPossible) as error:
            survived, said = False, str(error)
        say(f"fault {fault.__name__:24} {'survived' if survived else f'NOT SURVIVED: {said}'}")
        what = fault.__doc__.strip().split("\n")[0].replace("``", "")
        found.append({"name": fault.__name__, "what": what, "said": _short(said, folder), "survived": survived})
        shutil.rmtree(folder / fault.__name__, ignore_errors=True)
    return found


def _inputs(folder: Path, whole: World) -> list[dict]:
    found = []
    for number, one in enumerate(inputs.CASES):
        place = folder / f"input-{number}"
        outcome = cases.attempt(one, World.copy(whole, place) if one.trained else World.new(place))
        if outcome.faults:
            say(f"input {one.group}: {one.name}: {'; '.join(outcome.faults)}")
        said = _short(outcome.said, folder)
        found.append({"group": one.group, "name": one.name, "said": said, "survived": not outcome.faults})
        shutil.rmtree(place)
    return found


def _short(said: str, folder: Path) -> str:
    """A line without the folders of this machine."""
    return said.replace(f"{folder}/", "").replace(str(REPOSITORY), "").replace(sys.prefix, "")


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "benchmarks" / "faults.json") else 0)
