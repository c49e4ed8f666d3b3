"""The reproducibility checklist of NeurIPS and ACM, each item answered from the records and the project's files."""

import pandas as pd

from verydeep import paths, results, runs
from verydeep.chapters import costs, display, settings
from verydeep.data.sources import SOURCES
from verydeep.results import citation
from verydeep.studies import Run, Study, load, planned_runs, recipes


def checklist(study: str) -> pd.DataFrame:
    """One row an item: what is asked, the answer for ``study``, and where it can be seen.

    Columns: asked by, item, answer, see (an address within the book or a file of the repository).
    """
    spec = load(study)
    made = runs.recorded_runs(spec)
    items = [
        ("NeurIPS", "Claims and what was found are stated", _claims(study), "results/claims"),
        ("NeurIPS", "Limitations are discussed", f"{_departures(study)} departures from the paper", "departures"),
        (
            "NeurIPS",
            "Code is available",
            f"{citation.software()['license']}, with two commands that run it",
            "README.md",
        ),
        ("NeurIPS", "Dependencies are stated", f"{_pinned()} packages pinned", "constraints.txt"),
        ("NeurIPS", "Data, splits and their preparation are stated", _data(spec, made), f"runs/{study}"),
        ("NeurIPS", "Hyper-parameters and how they were chosen are stated", _hyper_parameters(spec), "training/recipe"),
        ("NeurIPS", "What was chosen on which images", _chosen_on(spec), "training/recipe"),
        ("NeurIPS", "Number of training and evaluation runs", _runs(spec, made), f"runs/{study}"),
        ("NeurIPS", "Seeds", _seeds(spec, made), "runs/numbers"),
        ("NeurIPS", "Error bars and how they are computed", _error_bars(study), "cite"),
        ("NeurIPS", "Computing infrastructure", _machines(made), f"runs/{study}"),
        ("NeurIPS", "Compute: time and work", _cost(spec, made), f"runs/{study}"),
        ("NeurIPS", "Licences of data and code", _licences(spec), "README.md"),
        ("NeurIPS", "Trained models are available", _weights(spec, made), f"runs/{study}"),
        ("ACM", "Artifacts documented, consistent, complete, exercisable", _complete(spec), "reproduce"),
        ("ACM", "Artifacts can be checked", f"{_sealed(spec)} files with their sha256; `verydeep check`", "reproduce"),
        ("ACM", "Results reproduced by others", "none known", "reproduce"),
    ]
    return display.table(pd.DataFrame(items, columns=["asked by", "item", "answer", "see"]))


def _claims(study: str) -> str:
    """Of the claims that have a rule; the others cannot be tested by networks of ours."""
    every = results.read(study).verdicts
    ruled = [verdict.verdict for verdict in every if verdict.rule is not None]
    counted = ", ".join(f"{count} {verdict}" for verdict, count in pd.Series(ruled).value_counts().items())
    return f"of {len(ruled)} claims with a rule: {counted}; {len(every) - len(ruled)} have none"


def _licences(study: Study) -> str:
    return f"code: {citation.software()['license']}; data: {SOURCES[study.data.source].licence}"


def _departures(study: str) -> int:
    """How many settings depart from the paper, those of a training counted once whatever its scales."""
    every = settings.all_departures(study)
    return len({(where.partition(",")[0], setting) for where, setting in every["setting"].items()})


def _pinned() -> int | str:
    path = paths.root() / "constraints.txt"
    return len(path.read_text().split()) if path.exists() else "no"


def _data(study: Study, made: list[Run]) -> str:
    if not made:
        return f"{study.data.source}; nothing has been run"
    data = _record(made[0]).data
    training = (
        f"{data.counts['train']} training images, {data.held_out.count} of them held out ({data.held_out.rule}), "
        if data.held_out
        else ""
    )
    return f"{data.source}: {training}{data.counts['val']} validation images; manifest {data.manifest_sha256[:10]}"


def _record(run: Run) -> runs.TrainRecord | runs.EvaluateRecord:
    """The record that a run of its study begins with: of a study that trains nothing, its test's."""
    return runs.read_record(run, "train" if run.study.train else "evaluate")


def _hyper_parameters(study: Study) -> str:
    pilots = planned_runs(study, pilots=True)
    done = sum(runs.read_record(run, "train") is not None for run in pilots)
    settings = len(type(study.resolve("256")).model_fields)
    return f"{settings} settings; {done} of {len(pilots)} pilots on held-out images run"


def _chosen_on(study: Study) -> str:
    return f"{recipes.held_out_words(study)}; the paper chose on the images on which it reports its errors"


def _runs(study: Study, made: list[Run]) -> str:
    pilots, planned = sum(run.pilot for run in made), {run.name for run in planned_runs(study)}
    asked = [run for run in made if run.name in planned]
    tested = sum(runs.read_record(run, "evaluate") is not None for run in asked)
    others = len(made) - pilots - len(asked)
    beside = f", and {others} that it does not plan" if others else ""
    if not study.train:
        return f"{tested} of {len(planned)} networks tested{beside}"
    return f"{len(asked)} of {len(planned)} networks and {pilots} pilots trained, {tested} tested{beside}"


def _seeds(study: Study, made: list[Run]) -> str:
    seeds = sorted({run.seed for run in made} | set(study.seeds))
    which = f"one seed, number {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds, {', '.join(map(str, seeds))}"
    return f"{which}; every draw is a function of seed, epoch and image"


def _error_bars(study: str) -> str:
    snapshot = results.read(study)
    done = snapshot.done
    if not done:
        return "no number has been run"
    on_others = sum(
        number.status == "done" and not number.is_error and number.low is not None for number in snapshot.numbers
    )
    features = f"; {on_others} of features on other data, by bootstrap" if on_others else ""
    several = sum(len(number.runs) > 1 for number in done)
    tested = " or ".join(str(n) for n in sorted({number.n for number in done}))
    over_seeds = f", {several} over several seeds, by bootstrap over images and seeds" if several else ""
    return (
        f"{len(done)} numbers with a 95 % interval over the images tested on ({tested}): {len(done) - several} of one "
        f"run, errors by Wilson's{over_seeds}{features}; differences by paired bootstrap and McNemar's exact test"
    )


def _machines(made: list[Run]) -> str:
    counts, several = {}, 0
    for run in made:
        record = _record(run)
        several += len(getattr(record, "sessions", ())) > 1
        machine = record.environment
        name = f"{machine.processor}, {machine.cores} cores, {record.device.type}"
        counts[name] = counts.get(name, 0) + 1
    if not counts:
        return "nothing has been run"
    listed = [f"{name} ({count} run{'s' * (count > 1)})" for name, count in counts.items()]
    where = [f"each counted where its training ended, {several} of them after an interruption"] if several else []
    return "; ".join([*listed, *where])


def _cost(study: Study, made: list[Run]) -> str:
    """Of all that was recorded, networks tested together and carried to other data too (:func:`costs.study_cost`)."""
    cost, trained = costs.study_cost(study.name), made if study.train else []
    training = sum(_record(run).cost.seconds for run in trained) / 3600
    work = f"{cost['operations'] * 1e15:.2g} multiply-adds"
    on_gpus = f" and {cost['gpu_hours']:.1f} of GPUs" if cost["gpu_hours"] else ""
    return f"{cost['hours']:.1f} hours of processors{on_gpus} ({work}), {training:.1f} of them of training"


def _weights(study: Study, made: list[Run]) -> str:
    if not study.train:
        return "those that were tested are published by others"
    networks = [run for run in made if not run.pilot]
    published = sum((run.folder / paths.WEIGHTS).exists() for run in networks)
    return f"{published} of {len(networks)} networks, in half precision, in which all were tested"


def _complete(study: Study) -> str:
    numbers = results.read(study.name).numbers
    done = sum(number.status == "done" for number in numbers)
    return f"{done} of {len(numbers)} numbers of the study have been run"


def _sealed(study: Study) -> int:
    return sum(len(runs.read_seal(run.folder)) for run in runs.recorded(study))
