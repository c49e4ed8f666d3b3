"""A study's settings beside the paper's: recipe, departures, and what the paper leaves open."""

import pandas as pd

from verydeep import paper
from verydeep.chapters import display
from verydeep.data.sources import SOURCES
from verydeep.data.store import STATISTICS_IMAGES
from verydeep.paper import addresses
from verydeep.studies import PAPER_SCALES, Study, load, recipes
from verydeep.studies.parts import NetworkKeys, Settings, Testing, Variant
from verydeep.studies.targets import TARGETS
from verydeep.studies.transfer import planned_transfers


def recipe(study: str, train_scale: str = "256", variant: str | None = None) -> pd.DataFrame:
    """Every setting of a study's recipe beside the paper's, with the reason where they differ."""
    return _recipe(study, train_scale, variant).drop(columns="differs")


def departures(study: str) -> pd.DataFrame:
    """The rows of :func:`recipe` that differ from the paper's, at S=256."""
    frame = _recipe(study, "256")
    return frame[frame["differs"].astype(bool)].drop(columns="differs")


def _recipe(study: str, train_scale: str, variant: str | None = None) -> pd.DataFrame:
    spec = load(study)
    boxes = variant in spec.variants and bool(spec.variants[variant].boxes)
    rows = recipes.recipe_rows(spec, train_scale, spec.resolve(train_scale, variant), boxes, variant)
    return display.of_rows(rows, "setting", dtype=object, missing="none")


def gaps(study: str) -> pd.DataFrame:
    """What the paper leaves open, how a study settles it, and the other readings there are."""
    spec = load(study)
    rows = []
    for gap in paper.gaps():
        settled, others = gap.get("settled", ""), ""
        if key := gap.get("key"):
            value, others = _setting(spec, key)
            settled = "; ".join(filter(None, [f"`{key}`: {value}", *_in_variants(spec, key), settled]))
        rows.append({"section": gap["section"], "open": gap["open"], "settled": settled, "other readings": others})
    return display.of_rows(rows, "section", links={"section": addresses.section_url})


def _setting(study: Study, key: str) -> tuple[object, str]:
    """The value of a dotted key of a study, and the other values it may have."""
    group, _, name = key.partition(".")
    holder = study.resolve("256") if group == "recipe" else getattr(study, group)
    value = getattr(holder, name)
    return value, ", ".join(str(choice) for choice in holder.choices(name) if choice != value)


def _in_variants(study: Study, key: str) -> list[str]:
    """The values that variants of a study, pilots apart, have of a dotted key: each with the names of these."""
    group, _, name = key.partition(".")
    by_value: dict = {}
    for title, variant in study.variants.items():
        changed = {"recipe": variant.set, "network": variant.network, "localisation": variant.localisation}
        if not variant.pilot and name in changed.get(group, {}):
            by_value.setdefault(changed[group][name], []).append(f"`{title}`")
    return [f"{value} in {', '.join(titles)}" for value, titles in by_value.items()]


def variants(study: str) -> pd.DataFrame:
    """The variants of a study, pilots apart: the networks of each, what it has otherwise than the study, and why.

    A row a variant.
    """
    rows = [
        {
            "variant": name,
            "networks": ", ".join(variant.networks),
            "otherwise": ", ".join(f"{key}: {value}" for key, value in _of_variant(variant).items()) or "nothing",
            "why": variant.why,
        }
        for name, variant in load(study).variants.items()
        if not variant.pilot
    ]
    return display.table(pd.DataFrame(rows, columns=["variant", "networks", "otherwise", "why"]).set_index("variant"))


def _of_variant(variant: Variant) -> dict:
    """What a variant has otherwise than its study."""
    boxes = {"boxes": variant.boxes} if variant.boxes else {}
    return boxes | variant.set | variant.network | variant.localisation


def all_departures(study: str) -> pd.DataFrame:
    """Every setting in which a study departs from the paper: its data, networks, recipes, and testing."""
    spec = load(study)
    every = [_data(spec), *_held_out(spec), *_mean_colour(spec), *_weights(spec)]
    for key, field in type(spec.network).model_fields.items():
        every.append(
            _departure(
                "network", key, field.description, field.default, getattr(spec.network, key), recipes.reason(spec, key)
            )
        )
    for scale in spec.networks:
        for row in recipes.recipe_rows(spec, scale, spec.resolve(scale)):
            if not row["differs"]:
                continue
            where = f"training, {scale}"
            every.append(_departure(where, row["setting"], row["meaning"], row["paper"], row["study"], row["why"]))
    every += _of_boxes(spec)
    for name in ("testing", "localisation", "transfer"):
        for key, field in type(getattr(spec, name)).model_fields.items():
            if (name, key) == ("transfer", "data"):  # which data sets are asked for is no reading of the paper
                continue
            ours = getattr(getattr(spec, name), key)
            why = recipes.reason(spec, f"{name}.{key}")
            every.append(_departure(name, key, field.description, field.default, ours, why))
    every += _of_transfers(spec)
    for scale, settings in spec.settings.items():
        every += _of_scale(scale, settings, spec)
    rows = [row for row in every if row["paper"] != row["here"]]
    frame = pd.DataFrame(rows, columns=["where", "setting", "meaning", "paper", "here", "why"], dtype=object)
    return display.table(frame.set_index("where"), missing="none")


def _held_out(study: Study) -> list[dict]:
    """The training images that nothing is trained on, where the paper took its validation images."""
    if study.data.held_out_per_class is None:
        return []
    return [{"where": "held out", "setting": "held_out_per_class",
             "meaning": "images on which a recipe is chosen and a plateau is seen", "paper": "the validation images",
             "here": recipes.held_out_words(study), "why": "validation images choose nothing here"}]  # fmt: skip


def _mean_colour(study: Study) -> list[dict]:
    """Over how many images the mean colour and the directions of the colour shift are taken."""
    source = SOURCES[study.data.source]
    if not study.train or source.shape is not None or source.counts["train"] <= STATISTICS_IMAGES:
        return []
    return [_departure("data", "mean colour", "images over which the mean colour and the colour shift are measured",
                       "the training set", f"{STATISTICS_IMAGES:,} of its images, at equal steps",
                       "only these are decoded before training, and the mean of so many hardly differs")]  # fmt: skip


def _weights(study: Study) -> list[dict]:
    """How exactly the weights are known that a training starts from, and those that are tested."""
    if not study.train:
        return []
    exactly = "as they were trained", "rounded to half precision"
    start = "the weights of another network that a training starts from"
    return [_departure("training", "start", start, *exactly,
                       "they are published so, and who has a clone starts from the same"),
            _departure("testing", "weights", "the weights that are tested", *exactly,
                       "they are published so, and who has a clone tests the same")]  # fmt: skip


def _of_transfers(study: Study) -> list[dict]:
    """The data sets to which features are carried that are trained or tested on other parts than in the paper."""
    asked = dict.fromkeys(transfer.source for transfer in planned_transfers(study))
    return [_departure("transfer", name, "images that are trained on and tested on", parts.paper, parts.here, parts.why)
            for name in asked if (parts := TARGETS[name].parts)]  # fmt: skip


def _of_boxes(study: Study) -> list[dict]:
    """What of the recipe is otherwise for networks that give boxes than for others of their scale, and in the paper."""
    rows = []
    for name, variant in study.variants.items():
        scales = {network.rpartition("-")[2]: None for network in variant.networks}
        for scale in scales if variant.boxes and not variant.pilot else ():
            for row in recipes.recipe_rows(study, scale, study.resolve(scale, name), boxes=True):
                if row["setting"] in {*variant.set} - {"trained_layers"}:  # the paper has networks of both kinds
                    where = f"boxes, {name}, {scale}"
                    values = row["meaning"], row["paper"], row["study"]
                    why = study.why.get(f"boxes.{row['setting']}", variant.why)
                    rows.append(_departure(where, row["setting"], *values, why))
    return rows


def _of_scale(scale: str, settings: Settings, study: Study) -> list[dict]:
    """What is otherwise for the networks of one training scale."""
    rows = []
    for part, keys in settings:
        kind, prefix = (NetworkKeys, "") if part == "network" else (Testing, "testing.")
        for key, ours in keys.items():
            field = kind.model_fields[key]
            why = recipes.reason(study, prefix + key)
            rows.append(_departure(f"{part}, {scale}", key, field.description, field.default, ours, why))
    return rows


def _data(study: Study) -> dict:
    """The data set beside the paper's: classes, images, and by how much small images are enlarged to the scales S."""
    ours, papers = ("imagenet" if name.startswith("imagenet-") else name for name in (study.data.source, "imagenet"))
    here = _images(ours)
    if shape := SOURCES[ours].shape:
        ranges = {
            "with jitter" if scale == "jitter" else f"at S={scale}": PAPER_SCALES[scale]
            for scale in study.networks
            if scale in PAPER_SCALES
        }
        enlarged = [_times(name, *(study.pixels(side) / min(shape) for side in ends)) for name, ends in ranges.items()]
        here += f", each {shape[1]}x{shape[0]} pixels, {', '.join(enlarged)}"
    return {"where": "data", "setting": "source", "meaning": "data set", "paper": _images(papers), "here": here,
            "why": study.data.why}  # fmt: skip


def _images(name: str) -> str:
    source = SOURCES[name]
    return f"{source.title}, {source.num_classes:,} classes, {source.counts['train']:,} training images"


def _times(scale: str, low: float, high: float) -> str:
    """How many times its own size an image has at a scale."""
    if low == high:
        return f"as they are {scale}" if low == 1 else f"enlarged {low:.2f} times {scale}"
    return f"enlarged {low:.2f} to {high:.2f} times {scale}"


def _departure(where: str, key: str, meaning: str, paper_value, ours, why: str) -> dict:
    return {
        "where": where,
        "setting": key,
        "meaning": meaning,
        "paper": paper_value,
        "here": ours,
        "why": why,
    }
