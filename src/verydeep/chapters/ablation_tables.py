"""What matters: the effect of each change of a study's networks and of their training, by the records, in order."""

from verydeep import results
from verydeep.chapters import claim_tables, display
from verydeep.networks.published import TORCHVISION, published_weights
from verydeep.results import training_cost
from verydeep.results.claims import Ablation, Effect
from verydeep.studies import Study, load


def what_matters(study: str) -> display.Table:
    """What each change does to the top-1 error, the largest effect first, and what others report of it.

    The effect is the error with the change less that without, in percentage points, averaged over the comparisons
    of the rule, with its paired 95 % interval; positive where the change harms. The verdict is that of the rule, whose
    sentence *holds* or not where it is no claim of the paper. A change that has not been run stands last, with the
    command that runs it and how long that takes.
    """
    told = results.read(study).effects
    rows = [
        {
            "change": effect.ablation.change,
            "effect on top-1": display.difference(effect.value)
            + (", on a centre crop" if effect.verdict.on_a_crop else ""),
            "compared": _compared(effect),
            "verdict of its rule": effect.said,
            "others report": _others(effect.ablation),
            "to run": to_run(effect),
        }
        for effect in told
    ]
    if not rows:
        return display.without_rows()
    caption = " ".join(filter(None, (claim_tables.coverage(effect.verdict for effect in told), _rate(load(study)))))
    return display.of_rows(rows, "change", units={"effect on top-1": "points"}, caption=caption)


def rules(study: str) -> display.Table:
    """The rule of each change: what it says, since when it stands, and when the first network with it was tested."""
    rows = [
        {
            "change": effect.ablation.change,
            "rule": effect.verdict.rule.reads,
            "claim": "" if effect.ablation.claim is None else str(effect.ablation.claim),
            "rule of": claim_tables.since(effect.verdict.rule),
            "first test of it": claim_tables.minute(effect.tested),
        }
        for effect in results.read(study).effects
    ]
    return display.of_rows(rows, "change")


def in_a_sentence(study: str, ablation: str) -> str:
    """The effect of one change for running text in Markdown, or that it was not run and how to run it."""
    effect = results.read(study).effect(ablation)
    if effect.value is None:
        return f"{display.NOT_RUN}; run {to_run(effect, '`')}"
    way = ", on a centre crop" if effect.verdict.on_a_crop else ""
    value, interval = display.in_points(effect.value)
    return f"{value}, {interval}{way}"


def to_run(effect: Effect, quote: str = "") -> str:
    """The commands of the runs that are missing, each with the time that it takes; nothing where none is."""
    return "; ".join(f"{quote}{run.command}{quote} ({training_cost.time_left(run)})" for run in effect.missing)


def _compared(effect: Effect) -> str:
    """The networks of each comparison, that with the change against that without."""
    pairs = [(pair.first, pair.second) for pair in effect.verdict.compared]
    named = [tuple(reference.partition(".")[2] for reference in pair) for pair in pairs]
    turned = named if effect.ablation.changed == "first" else [pair[::-1] for pair in named]
    return "; ".join(dict.fromkeys(f"{changed} against {plain}" for changed, plain in turned))


def _others(ablation: Ablation) -> str:
    if ablation.name != "batch-norm":
        return ablation.others
    stated = {key: weights.top1_error for key, weights in published_weights().items()}
    gains = [f"{c} {stated[TORCHVISION, c, True] - stated[TORCHVISION, c, False]:+.1f}" for c in "AE"]
    return f"torchvision, over ImageNet: {', '.join(gains)} points"


def _rate(study: Study) -> str:
    if not study.train:
        return ""
    return f"Times: training, at {training_cost.pace(study)}."
