"""Model cards: what a published network is, how good and how limited, from its record, in the form of model hubs."""

import yaml

from verydeep import files, results, runs
from verydeep.data.sources import SOURCES
from verydeep.errors import VerydeepError
from verydeep.networks.configurations import OTHERS
from verydeep.results import citation, training_cost
from verydeep.results.numbers import Number
from verydeep.runs import provenance, publication
from verydeep.studies import Recipe, Run, recipes
from verydeep.studies.measurements import METHODS

#: Of weights, as of every recorded result: the README says so.
_LICENCE = "cc-by-4.0"
_TASK = "image-classification"
_SHOWN_CLASSES = 20


def has_card(run: Run) -> bool:
    """Whether a run is a network that names classes, was tested, and has its weights published beside its record."""
    if run.boxes or not run.publishes_weights or not run.weights.exists():
        return False
    return runs.read_record(run, "train") is not None and runs.tested(run) is not None


def card(run: Run) -> str:
    """The model card of a published network, Markdown under a front matter in YAML.

    Raises
    ------
    VerydeepError
        When its weights are not published, or it was not tested.
    """
    if not has_card(run):
        lacks = "gives boxes and not classes" if run.boxes else "no published weights that were tested"
        raise VerydeepError(f"{run.address}: {lacks}, so there is no card")
    trained = runs.read_record(run, "train")
    if files.sha256(run.weights) != trained.weights_sha256:
        raise VerydeepError(f"{run.weights}: not the weights that were recorded; restore them (git checkout)")
    numbers = [number for number in results.read(run.study.name).done if run.name in number.runs]
    if not numbers:
        raise VerydeepError(f"{run.address}: no table has a number of it; test it again: {run.command}")
    head = yaml.safe_dump(_front_matter(run, numbers), sort_keys=False, allow_unicode=True, width=120)
    parts = [
        f"---\n{head}---",
        f"# {run.address}",
        _what(run),
        _use(run),
        _data(run, trained),
        _recipe(run, trained),
        _numbers(numbers),
        _limits(run, numbers),
        _licence(run),
        _weights(run, trained),
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(run: Run, numbers: list[Number]) -> dict:
    source = SOURCES[run.study.data.source]
    measured = [
        {
            "type": f"{number.metric}_error",
            "name": f"{number.id}, percent",
            "value": round(number.value, 2),
            "args": {
                "measurement": number.measurement,
                "low": round(number.low, 2),
                "high": round(number.high, 2),
                "seeds": len(number.runs),
            },
        }
        for number in numbers
    ]
    dataset = {"type": source.name, "name": source.title, "split": "validation"}
    return {
        "license": _LICENCE,
        "library_name": "verydeep",
        "pipeline_tag": _TASK,
        "tags": [_TASK, "vgg", "arxiv:1409.1556", "reproduction"],
        "datasets": [source.name],
        "metrics": sorted({metric["type"] for metric in measured}),
        "model-index": [
            {
                "name": run.address,
                "results": [{"task": {"type": _TASK}, "dataset": dataset, "metrics": measured}],
            }
        ],
    }


def _what(run: Run) -> str:
    study = run.study
    variant = f" Variant `{run.variant}`: {study.variants[run.variant].why}." if run.variant else ""
    paper = "*Very Deep Convolutional Networks for Large-Scale Image Recognition*"
    of = f"of {paper} (Simonyan and Zisserman, arXiv 1409.1556)"
    if run.config in OTHERS:
        of = f"({OTHERS[run.config]}), beside those {of}"
    return (
        f"Network {run.config} {of}, trained for the study `{study.name}`: {study.title}. Training scale "
        f"{run.scale_words}, crops of {run.size.crop} pixels, seed {run.seed}.{variant}"
    )


def _use(run: Run) -> str:
    name = run.address
    return (
        "## Use\n\n```python\nimport verydeep\n\n"
        f'model = verydeep.pretrained("{name}")\n'
        "scores = model.network(model.transform(picture)[None])  # a PIL image; classes are model.classes\n```\n\n"
        f"`verydeep predict {name} picture.jpg` names the five best classes, under any way of testing."
    )


def _data(run: Run, trained: runs.TrainRecord) -> str:
    source, counts = SOURCES[run.study.data.source], trained.data.counts
    return (
        f"## Data\n\n{source.title} (`{source.name}`): {trained.cost.training_images:,} training images, "
        f"{trained.data.held_out.count:,} more held out to choose the recipe on, {counts['val']:,} validation images "
        f"on which it is measured. Manifest `{trained.data.manifest_sha256}`."
    )


def _recipe(run: Run, trained: runs.TrainRecord) -> str:
    cost = trained.cost
    lines = [
        "## Recipe",
        "",
        f"{cost.epochs} epochs, {cost.images_seen:,} crops, {training_cost.done_multiply_adds(run, trained):.3g} "
        "multiply-adds. "
        + (f"Started from `{trained.parent.run}`. " if trained.parent else "Started from random weights. ")
        + "What departs from the paper's recipe:",
        "",
    ]
    rows = recipes.rows_of(run, Recipe.model_validate(trained.parameters["recipe"]))
    return "\n".join(lines + recipes.markdown([row for row in rows if row["differs"]]))


def _numbers(numbers: list[Number]) -> str:
    lines = ["## Numbers", "", "Each by its identity; `verydeep cite ID` gives a citation.", ""]
    lines += ["| identity | measured | value |", "|:--|:--|--:|"]
    lines += [f"| `{number.id}` | {number.measurement} | {citation.value(number)} |" for number in numbers]
    methods = {number.measurement.rpartition("-")[0]: None for number in numbers}
    said = "; ".join(f"{name}: {METHODS[name]}" for name in methods if name in METHODS)
    return "\n".join([*lines, "", f"{said[:1].upper()}{said[1:]}."])


def _limits(run: Run, numbers: list[Number]) -> str:
    study, network = run.study, run.study.network
    names = list(SOURCES[study.data.source].class_names.values())
    shown = ", ".join(names[:_SHOWN_CLASSES]) + (", and others" if len(names) > _SHOWN_CLASSES else "")
    told = f": {shown}" if names else ""
    seeds = min(len(number.runs) for number in numbers)
    limits = [
        f"It tells {study.num_classes} classes, and calls every picture one of them{told}.",
        "Its errors were measured on the validation images of its own data set, and on nothing else.",
        "Its numbers are of one seed; another may move them further than their intervals say."
        if seeds == 1
        else f"Its numbers are means over {seeds} seeds; these are the weights of one.",
    ]
    if network.width_divisor > 1:
        limits.append(f"Its layers are 1/{network.width_divisor} as wide as the paper's.")
    if network.length_divisor > 1:
        limits.append(f"It takes images at 1/{network.length_divisor} of the paper's size in each direction.")
    return "\n".join(["## Limits", "", *(f"- {limit}" for limit in limits)])


def _licence(run: Run) -> str:
    return (
        f"## Licence\n\nWeights and numbers: CC BY 4.0. Code: {citation.software()['license']}. Training images: "
        f"{SOURCES[run.study.data.source].licence}."
    )


def _weights(run: Run, trained: runs.TrainRecord) -> str:
    path = f"runs/{run.address}/{run.weights.name}"
    address = publication.raw_url(path) if provenance.is_committed(run.folder) else None
    where = f"[`{path}`]({address})" if address else f"`{path}`"
    return (
        f"## Weights\n\n{where}: safetensors in half precision, {run.weights.stat().st_size:,} bytes, sha256 "
        f"`{trained.weights_sha256}`. `pretrained` checks it before it reads them."
    )
