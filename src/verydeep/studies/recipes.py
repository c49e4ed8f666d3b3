"""A study's recipe beside the paper's, setting by setting."""

from verydeep.data.sources import SOURCES
from verydeep.networks.configurations import Configuration
from verydeep.studies import PAPER_SCALES, Recipe, Run, Study
from verydeep.studies.schema import paper_recipe

#: What the paper does not print, by training scale and setting: of the stages after the first (Sect. 3.1.1), and of all
#: when a plateau has been reached.
NOT_PRINTED = {("384", "epochs"), ("jitter", "epochs"), ("jitter", "learning_rate")}
NOT_PRINTED |= {(scale, "plateau_patience") for scale in PAPER_SCALES}
#: The same for networks that give boxes (Appendix A.1), at every scale.
_NOT_PRINTED_OF_BOXES = {"epochs", "plateau_patience"}


def rows_of(run: Run, recipe: Recipe) -> list[dict]:
    """:func:`recipe_rows` of the ``recipe`` by which a run was trained, but for what its network has no use for."""
    rows = recipe_rows(run.study, run.train_scale, recipe, bool(run.boxes), run.variant)
    drops = isinstance(run.configuration, Configuration) and run.size.head == "fc"  # units of FC6 and FC7
    return [row for row in rows if drops or row["setting"] != "dropout"]


def recipe_rows(
    study: Study, train_scale: str, ours: Recipe, boxes: bool = False, variant: str | None = None
) -> list[dict]:
    """One row a setting: the paper's value, that of ``ours``, whether they differ, and if so the study's reason.

    The paper's is that of networks which give boxes where ``boxes`` is true; where it prints none, the row says so and
    how it is read here. What a ``variant`` changes has the variant's reason.
    """
    papers = paper_recipe(train_scale, boxes)
    rows = []
    for key, field in Recipe.model_fields.items():
        mine, printed = getattr(ours, key), getattr(papers, key)
        unknown = key in _NOT_PRINTED_OF_BOXES if boxes else (train_scale, key) in NOT_PRINTED
        rows.append(
            {
                "setting": key,
                "meaning": field.description,
                "paper": f"not printed, read as {printed}" if unknown else printed,
                "study": mine,
                "differs": mine != printed,
                "why": _changed_for(study, variant, key) or reason(study, key, train_scale, boxes)
                if mine != printed
                else "",
            }
        )
    return rows


def markdown(rows: list[dict]) -> list[str]:
    """The rows of :func:`recipe_rows` as the lines of a table in Markdown; in bold what differs."""
    lines = ["| setting | paper | here | why |", "|:--|:--|:--|:--|"]
    for row in rows:
        paper, here = ("none" if row[whose] is None else row[whose] for whose in ("paper", "study"))
        here = f"**{here}**" if row["differs"] else here
        lines.append(f"| {row['meaning']} | {paper} | {here} | {row['why']} |")
    return lines


def reason(study: Study, key: str, train_scale: str | None = None, boxes: bool = False) -> str:
    """Why a key of a study departs from the paper, or nothing; a stage, and networks with boxes, may have their own."""
    if boxes and (why := study.why.get(f"boxes.{key}")):
        return why
    anew = key in study.stages.get(train_scale, {})
    return study.why.get(f"stages.{key}" if anew else key) or study.why.get(key, "")


def _changed_for(study: Study, variant: str | None, key: str) -> str:
    """Why a variant changes a key, or nothing; one of boxes may have a reason for all of them.

    Where it repeats what another variant of its networks changes, and more, it is that one's: a rung of a ladder
    repeats those below it.
    """
    asked = study.variants.get(variant)
    if asked is None or key not in asked.set or (asked.boxes and f"boxes.{key}" in study.why):
        return ""
    repeated = [other for other in study.variants.values() if {*other.networks} >= {*asked.networks}
                and not asked.boxes and key in other.set and other.set.items() <= asked.set.items()]  # fmt: skip
    return min([asked, *repeated], key=lambda other: len(other.set)).why


def held_out_words(study: Study) -> str:
    """How many training images a study holds out, in words."""
    count = study.data.held_out_per_class
    return "none held out: it trains nothing" if count is None else f"{count} training images of each class held out"


def localises_nothing_words(study: Study) -> str:
    """That a study trains no network to give boxes, and why where its data set is the reason."""
    why = "" if SOURCES[study.data.source].has_boxes else f": its data set {study.data.source} has no boxes"
    return f"localises nothing{why}"


def changes(run: Run) -> str:
    """What a run changes of its study's recipe (not its length), of its networks and boxes: ``dropout: 0.5``."""
    return ", ".join(f"{key}: {value}" for key, value in _changed(run).items())


def changes_in_words(run: Run) -> str:
    """:func:`changes` for a picture or a sentence: ``random weights, dropout 0.5``."""
    return in_words(_changed(run))


def in_words(changed: dict[str, object]) -> str:
    """Keys of a recipe or a network, and what they are changed to, for a picture or a sentence."""
    words = []
    for key, value in changed.items():
        name = _WORDS.get(key, key.replace("_", " "))
        plain = name if value is True else f"no {name}" if value is False else f"{name} {value}"
        words.append(_WORDS.get((key, value), plain))
    return ", ".join(words)


#: Settings in words, where those are not their names: a setting, or it and its value.
_WORDS = {
    "batch_norm": "batch normalisation",
    ("transfer_from_a", False): "random weights",
    ("initialisation", "glorot"): "Glorot's weights",
    ("head", "average"): "averages of the last map",
    ("crops", "resized"): "stretched crops",
    "label_smoothing": "smoothed labels",
    "weight_average": "averaged weights",
}


def _changed(run: Run) -> dict:
    base, built = run.study.resolve(run.train_scale), run.study.network_at(run.train_scale)
    changed = {key: value for key, value in run.recipe if key != "epochs" and value != getattr(base, key)}
    changed |= {key: value for key, value in run.network if value != getattr(built, key)}
    usual = run.study.localisation
    return changed | {key: value for key, value in run.localisation if run.boxes and value != getattr(usual, key)}
