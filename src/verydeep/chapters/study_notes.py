"""The study notes, checked: for each of N1 to N22 what was computed, and the verdict.

Every check computes what it shows, and whether that is what the notes say (``True`` or ``False``), or of a note that
depends, whether what it depends on is as ``notes.yaml`` says; ``None`` where only runs can tell.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from verydeep import paper, results
from verydeep.chapters import ablation_tables
from verydeep.networks import anatomy
from verydeep.networks.configurations import PAPER_SIZE, all_configurations, configuration
from verydeep.networks.stacks import Stack, lines, receptive_field, ways
from verydeep.results import claims

D = "D"
#: The study whose ablations the notes rest on.
ABLATED = "narrow"

#: The verdict of a statement that is right or wrong as the runs of a study say.
RUNS = "runs"


@dataclass(frozen=True)
class Note:
    """One statement of the notes: what was computed, the verdict, why if it is not right, and the pages that it is on.

    The verdict is right, wrong or depends; of a statement that only runs can tell, undecided too.
    """

    id: str
    statement: str
    computed: str
    verdict: str
    why: str
    see: str
    also: dict[str, str]


@cache
def statements() -> list[dict]:
    """What ``notes.yaml`` says of each note: the statement, the check, and the verdict."""
    return yaml.safe_load(files(__package__).joinpath("notes.yaml").read_text(encoding="utf-8"))


def notes(study: str = "quarter") -> list[Note]:
    """All 22 statements, checked now; ``study`` supplies what only runs can tell.

    Raises
    ------
    AssertionError
        When a computation contradicts the verdict that ``notes.yaml`` states.
    """
    checked = []
    for said in statements():
        holds, computed = CHECKS[said["check"]](study)
        verdict = said["verdict"]
        if verdict == RUNS:
            verdict = {True: "right", False: "wrong", None: "undecided"}[holds]
        fits = {"right": (True,), "wrong": (False,), "depends": (True, None), "undecided": (None,)}[verdict]
        assert holds in fits, f"{said['id']}: stated {verdict}, computed: {computed}"
        why, also = said.get("why", ""), said.get("also", {})
        checked.append(Note(said["id"], said["statement"], computed, verdict, why, said["see"], also))
    return checked


def _layers(image: tuple[int, int] | None = None) -> dict[str, anatomy.Layer]:
    return {layer.name: layer for layer in anatomy.layers(configuration(D), image=image)}


def _last_map(side: int) -> int:
    return anatomy.map_side(configuration(D), PAPER_SIZE, side)


def n1_placing(study):
    """Check note N1."""
    table = paper.table(7).set_index(["method", "n_nets"])["top5_test_error"]
    ours, google = table["VGG", "7"], table["GoogLeNet", "7"]
    rest = paper.table(7)
    others = rest[~rest["method"].isin(["VGG", "GoogLeNet"])]["top5_test_error"].dropna()
    depths = [all_configurations()[name].weight_layers for name in ("AlexNet", "D", "E")]
    holds = bool(google < ours < others.min() and depths[0] < min(depths[1:]))
    return holds, (
        f"Table 7, test top-5 error of the submissions: GoogLeNet {google}, VGG {ours}, the next {others.min()}; "
        f"weight layers: AlexNet {depths[0]}, D and E {depths[1]} and {depths[2]}"
    )


def n2_groups(study):
    """Check note N2."""
    kinds = [layer.kind for layer in _layers().values()]
    blocks = "".join({"conv": "c", "maxpool": "p", "fc": "f"}[kind] for kind in kinds)
    last = list(_layers().values())[-1]
    holds = re.fullmatch(r"(c+p){5}f{3}", blocks) is not None and last.shape == (1000, 1, 1)
    return (
        holds,
        f"D from Table 1: {blocks.count('p')} poolings, {blocks.count('f')} FC layers, {last.shape[0]} classes",
    )


def n3_best(study):
    """Check note N3."""
    table = paper.table(4)
    lowest = table["top1_val_error"].min()
    names = sorted(table[table["top1_val_error"] == lowest]["config"])
    return names == ["D", "E"], f"Table 4: lowest top-1 error {lowest} by {' and '.join(names)}"


def n4_stacks(study):
    """Check note N4."""
    small, large = Stack(3, 2), Stack(5, 1)
    holds = all(
        small.weights(c) < large.weights(c) and Stack(3, 3).weights(c) < Stack(7, 1).weights(c) for c in (1, 64, 512)
    )
    return holds, f"for C=64: {small.name} {small.weights(64):,}, {large.name} {large.weights(64):,} weights"


def n5_pooling(study):
    """Check note N5."""
    table = paper.table(1)
    sizes = sorted(set(table[table["kind"] == "maxpool"]["kernel_size"].dropna().astype(int)))
    shown = f"Table 1: pooling of {sizes[0]}x{sizes[0]}; five of them take 224 to {_last_map(224)}"
    return sizes == [2], f"{shown}; A with 3x3 in {ABLATED}: {ablation_tables.in_a_sentence(ABLATED, 'pool-3x3')}"


def n6_widths(study):
    """Check note N6."""
    pools = [layer for layer in _layers().values() if layer.kind == "maxpool"]
    sides, channels = [224] + [p.shape[1] for p in pools], [3] + [p.shape[0] for p in pools]
    factor = pools[-1].activations / 4096
    holds = sides == [224, 112, 56, 28, 14, 7] and channels == [3, 64, 128, 256, 512, 512] and round(factor) == 6
    shown = f"{'-'.join(map(str, sides))} and {'-'.join(map(str, channels))}"
    return holds, f"{shown}; {pools[-1].activations} / 4096 = {factor:.1f}"


def n7_any_size(study):
    """Check note N7."""
    least = next(size for size in range(1, 224) if _last_map(size) >= 7)
    rows = {size: _layers(image=(size, size))["fc8"].shape[1] for size in (224, 256, 384, 512)}
    shown = ", ".join(f"{size}: {side}x{side}" for size, side in rows.items())
    return least == 193, f"score maps {shown}; the smallest input is {least} pixels"


def n8_several_scales(study):
    """Check note N8."""
    four, three = paper.table(4), paper.table(3)
    both = four.merge(three, on=["config", "train_min", "train_max"], suffixes=("", "_single"))
    gain = both["top1_val_error_single"] - both["top1_val_error"]
    return bool((gain > 0).all()), f"Table 3 to Table 4: top-1 error falls in {(gain > 0).sum()} of {len(gain)} rows"


def n9_lrn(study):
    """Check note N9."""
    table = paper.table(3).set_index("config")["top1_val_error"]
    verdicts = {name: results.read(name).verdict(1).verdict for name in dict.fromkeys((study, ABLATED))}
    decided = {*verdicts.values()} & {claims.REPRODUCED, claims.NOT_REPRODUCED}
    theirs = bool(table["A-LRN"] >= table["A"])
    holds = theirs if decided == {claims.REPRODUCED} else False if decided == {claims.NOT_REPRODUCED} else None
    told = "; ".join(f"in {name}: {verdict}" for name, verdict in verdicts.items())
    return holds, f"Table 3 of the paper: A {table['A']}, A-LRN {table['A-LRN']}; {told}"


def n10_slips(study):
    """Check note N10."""
    table = _layers()
    third, conv2_1 = table["conv3_1"], table["conv2_1"]
    _, *sides = table["conv1_1"].shape  # a convolution keeps the sides of its input
    slips = sides == [214, 224], third.shape == (128, 112, 112), conv2_1.weights == 3 * 3 * 128 * 128
    channels, height, width = third.shape
    return any(slips), (
        f"the input is {sides[0]}x{sides[1]}x3; conv3_1 is {height}x{width}x{channels} = {third.activations:,}; "
        f"conv2_1 has 3x3x64x128 = {conv2_1.weights:,} weights"
    )


def n11_fc_weights(study):
    """Check note N11."""
    table = _layers()
    weights = [table[name].weights for name in ("fc6", "fc7", "fc8")]
    share = 100 * sum(weights) / sum(layer.weights for layer in table.values())
    holds = weights == [102_760_448, 16_777_216, 4_096_000] and share > 50
    return holds, f"{', '.join(f'{w:,}' for w in weights)}; {share:.1f} % of all weights of D"


def n12_eighty_one(study):
    """Check note N12."""
    small, large = Stack(3, 3).weights(1), Stack(7, 1).weights(1)
    return (small, large) == (27, 49), f"{small} C^2 and {large} C^2: {100 * (large / small - 1):.0f} % more"


def n13_recursion(study):
    """Check note N13."""
    fields = receptive_field([(3, 1)] * 3)
    return fields == [
        3,
        5,
        7,
    ], f"{', '.join(map(str, fields))}; one output of D's pool5 sees {_layers()['pool5'].receptive_field}"


def n14_one_dimension(study):
    """Check note N14."""
    units = {(k, n): len(lines(8, Stack(k, n))[-1]) for k, n in ((3, 3), (7, 1), (3, 2), (5, 1))}
    holds = units[3, 3] == units[7, 1] == 2 and units[3, 2] == units[5, 1] == 4
    return holds, ", ".join(f"{Stack(*key).name}: {count}" for key, count in units.items())


def n15_footprint(study):
    """Check note N15."""
    layers = _layers()
    before = list(layers.values())[: list(layers).index("conv5_3") + 1]
    shares = ways([(3, 1) if layer.kind == "conv" else (2, 2) for layer in before])
    quarter = len(shares) // 4
    middle = shares[quarter : len(shares) - quarter].sum() ** 2
    holds = bool(len(shares) == layers["conv5_3"].receptive_field and (shares > 0).all() and middle > 0.5)
    return holds, (
        f"conv5_3 of D depends on {len(shares)} pixels a side, and each of them reaches it; of the ways from them "
        f"to it, {100 * middle:.0f} % begin in the middle quarter of that square"
    )


def n16_more_relus(study):
    """Check note N16."""
    told = []
    for name in dict.fromkeys((study, ABLATED)):
        deeper, smaller = (results.read(name).verdict(number).verdict for number in (5, 7))
        told.append(f"in {name}: C better than B, {deeper}; B better than B with 5x5, {smaller}")
    return None, "; ".join(told)


def n17_fc_initialisation(study):
    """Check note N17."""
    facts = paper.table("in-text").set_index("fact")["value"]
    variance = float(facts["variance of random initial weights"])
    holds = abs(variance**0.5 - 0.005) < 1e-9
    shown = f"the paper: variance {variance:g}, a standard deviation of {variance**0.5:g}, in every layer"
    readings = {
        "the paper's": "paper-variance",
        "the paper's on its pixels": "paper-variance-pixels",
        "0.01": "paper-std",
        "the notes'": "notes-weights",
        "Glorot's": "glorot",
    }
    told = [f"{words} {ablation_tables.in_a_sentence(ABLATED, name)}" for words, name in readings.items()]
    return holds, f"{shown}; A by each in {ABLATED}, against He's: {'; '.join(told)}"


def n18_group_sizes(study):
    """Check note N18."""
    shown = {name: "-".join(str(len(block)) for block in all_configurations()[name].blocks) for name in "ABCDE"}
    holds = all(re.fullmatch("2-2-[34]-[34]-[34]", shown[name]) for name in "CDE")
    holds = holds and (shown["A"], shown["B"]) == ("1-1-2-2-2", "2-2-2-2-2")
    return holds, ", ".join(f"{name} {sizes}" for name, sizes in shown.items())


def n19_peers(study):
    """Check note N19."""
    layers, plain = _layers(), type(configuration(D))
    holds = not any(isinstance(all_configurations()[name], plain) for name in ("GoogLeNet", "ResNet-18", "ResNet-34"))
    shown = f"D is one chain of {len(layers)} layers; GoogLeNet and ResNet branch and join"
    residual, branches = (ablation_tables.in_a_sentence(ABLATED, name) for name in ("resnet-18", "googlenet"))
    told = (
        f"ResNet-18 against E with batch normalisation: {residual}; GoogLeNet against D from random weights: {branches}"
    )
    return holds, f"{shown}; in {ABLATED}, {told}"


def n20_fc_kernels(study):
    """Check note N20."""
    layers = _layers()
    side = layers["pool5"].shape[1]
    inputs = [layers["fc6"].weights // 4096, layers["fc7"].weights // 4096, layers["fc8"].weights // 1000]
    holds = side == 7 and inputs == [512 * 7 * 7, 4096, 4096]
    seen = f"FC6 sees {side}x{side}x512 = {inputs[0]:,} inputs, FC7 and FC8 {inputs[1]:,}"
    return holds, f"{seen}: kernels {side}x{side}, 1x1, 1x1"


def n21_one_by_one(study):
    """Check note N21."""
    direct = 3 * 3 * 100 * 20
    reduced = 100 * 20 + 3 * 3 * 20 * 20
    return (
        reduced < direct,
        f"224x224x100 by 20 kernels: 224x224x20; before a 3x3 to 20 channels {reduced:,} weights, not {direct:,}",
    )


def n22_size(study):
    """Check note N22."""
    work = anatomy.multiply_adds(configuration(D)) / 1e9
    megabytes = 4 * anatomy.parameters(configuration(D)) / 2**20
    return work > 10 and megabytes > 500, f"D: {megabytes:.0f} MiB of weights, {work:.1f} billion multiply-adds a crop"


CHECKS = {name: check for name, check in list(globals().items()) if re.match("n[0-9]+_", name)}


def notes_markdown(study: str = "quarter", root: str = "") -> str:
    """The notes, checked: a Markdown table, a row each with an anchor of its id and a link to its section."""
    rows = ["| note | the notes say | computed | verdict |", "|:--|:--|:--|:--|"]
    for note in notes(study):
        verdict = f"**{note.verdict}**" + (f": {note.why}" if note.why else "")
        first, *others = (f"[{words}]({root}{page.replace('.html', '.ipynb')})"
                          for words, page in ({note.id: note.see} | note.also).items())  # fmt: skip
        computed = f"{note.computed}; see also {', '.join(others)}" if others else note.computed
        rows.append(f'| <span id="{note.id}"></span>{first} | {note.statement} | {computed} | {verdict} |')
    return "\n".join(rows)
