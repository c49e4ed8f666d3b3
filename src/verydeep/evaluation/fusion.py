"""Several networks tested together: their soft-max outputs averaged (Sect. 4.4), or their boxes merged (A.2)."""

from verydeep import files, progress, runs
from verydeep.errors import VerydeepError
from verydeep.evaluation import measure
from verydeep.machine import PIXELS_PER_BATCH
from verydeep.runs import answers
from verydeep.studies.fusions import Fusion


def fuse(fusion: Fusion, *, pixels_per_batch: int = PIXELS_PER_BATCH, report=progress.line) -> dict[str, runs.Errors]:
    """Test the networks of ``fusion`` together; do nothing when that is done already for the same weights.

    The members' posteriors are taken from their workspaces; a network whose own are not there is loaded from its
    published weights, one at a time. Leaves ``predictions.parquet``, or ``boxes.parquet``, and ``fuse.json`` in the
    fusion's folder.

    Returns
    -------
    dict
        The errors in percent of each member by its name, and of all ``together``.

    Raises
    ------
    VerydeepError
        When a member is not evaluated, or members differ in validation images or protocol.
    """
    evaluated = require_comparable(fusion)
    digests = {run.name: evaluated[run.name].weights_sha256 for run in fusion.members}
    record = _finished(fusion, digests)
    if record is None:
        with runs.working_on(fusion):
            record = _finished(fusion, digests) or _fuse(fusion, evaluated, pixels_per_batch)
    rows = {run.name: evaluated[run.name].measurements[fusion.measurement(run).name] for run in fusion.members}
    rows["together"] = record.measurements[fusion.method]
    together = rows["together"]
    report(f"{fusion.name}: top-1 {together.top1_error:.2f}  top-5 {together.top5_error:.2f}  n {together.n}")
    return rows


def _finished(fusion: Fusion, digests: dict[str, str]) -> runs.FuseRecord | None:
    """The record of ``fusion`` if it is of these weights and whole."""
    record = runs.read_record(fusion)
    return record if record and record.weights() == digests and runs.is_complete(fusion) else None


def require_comparable(fusion: Fusion) -> dict[str, runs.EvaluateRecord]:
    """The members' evaluation records by run name, once it is sure that their posteriors may be averaged.

    Raises
    ------
    VerydeepError
        Names the member and what of it differs from the first.
    """
    records = {}
    for run in fusion.members:
        measure.require_trained(run)
        record = runs.read_record(run, "evaluate")
        if record is None or not measure.is_current(run, record):
            raise VerydeepError(f"{run.name} is not tested yet{measure.how_to_make(run)}")
        if fusion.measurement(run).name not in record.measurements:
            raise VerydeepError(
                f"{run.name} is not tested by {fusion.method}: the study {run.study.name} tests on many crops only the "
                f"networks that the paper tests so; take --method dense, or set its key multi_crop to all"
            )
        records[run.name] = record
    first = fusion.members[0]
    for run in fusion.members[1:]:
        reference, other = records[first.name], records[run.name]
        if reference.data.manifest_sha256 != other.data.manifest_sha256:
            raise VerydeepError(f"{run.name} and {first.name} were tested on different validation images")
        if reference.protocol != other.protocol:
            keys = sorted(key for key in reference.protocol if reference.protocol[key] != other.protocol.get(key))
            raise VerydeepError(f"{run.name} and {first.name} were tested by different protocols ({', '.join(keys)})")
    return records


def _fuse(fusion: Fusion, evaluated: dict, pixels_per_batch: int) -> runs.FuseRecord:
    begun = measure.Begun()
    first, members, parts = None, {}, []
    for run in fusion.members:
        passes, measurement = measure.passes_of(run, pixels_per_batch, evaluated[run.name]), fusion.measurement(run)
        parts += passes.parts(measurement)
        members[run.name] = {
            "weights_sha256": passes.weights_sha256,
            "measurement": measurement.name,
            "posteriors": {name: made["posteriors_sha256"] for name, made in passes.made.items()},
            "asked": passes.asked(),
        }
        passes.release()  # so that no two networks are in memory
        first = first or passes
    table, file = first.together(fusion.method, parts), first.file
    with runs.rewriting(fusion.folder, [file, "fuse.json"]):
        measure.write_answers(fusion.folder / file, table)
        as_first = evaluated[fusion.members[0].name]
        record = runs.FuseRecord(
            study=fusion.study.name,
            method=fusion.method,
            members=members,
            protocol=as_first.protocol,
            data=as_first.data,
            measurements={fusion.method: answers.KINDS[file].errors(table)},
            artefacts={file: files.sha256(fusion.folder / file)},
            **begun.stated(first.device, pixels_per_batch),
        )
        runs.write_record(fusion, record)
    return record
