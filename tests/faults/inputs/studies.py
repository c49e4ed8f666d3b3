"""Studies with unknown, missing, mistyped or contradictory keys."""

from faults.cases import Entry, case, with_changed
from faults.world import World
from verydeep.studies import schema

_STUDY = """name: bad
title: t
purpose: p
where: w
data: {source: digits, held_out_per_class: 10}
network: {length_divisor: 7, width_divisor: 16, pooling: floor}
why: {length_divisor: small, width_divisor: small, pooling: small}
"""


def study_case(what: str, says: str, old: str = "", new: str = "", more: str | bytes = ""):
    @case("study", what, rf"error: studies/bad.yaml: {says}")
    def add(world: World) -> Entry:
        folder = world.folder / "studies"
        folder.mkdir()
        text = _STUDY.replace(old, new) if old else _STUDY
        content = more if isinstance(more, bytes) else (text + more).encode()
        (folder / "bad.yaml").write_bytes(content)
        schema.load.cache_clear()
        return with_changed(schema, "FOLDER", folder, ["study", "show", "bad"])


study_case("unknown key", "epochs: unknown key", more="epochs: 3\n")
study_case("key misspelt", "recipe.epoch: unknown key, did you mean epochs", more="recipe: {epoch: 3}\n")
study_case("key missing", "title: this key is missing", "title: t\n", "")
study_case("word for a number", r"recipe.batch: .*valid integer \(found 'many'\)", more="recipe: {batch: many}\n")
study_case("key given twice", "not YAML .*the key name is given twice", more="name: worse\n")
study_case("number below zero", ".*greater than 0", "length_divisor: 7", "length_divisor: -7")
study_case("number that is none", ".*finite number", more="assumed_rate: .nan\n")
study_case("number without end", ".*finite number", more="assumed_rate: .inf\n")
study_case("trains nothing, at a scale of training", "networks.256: a study that trains nothing", more="train: false\n")
study_case(
    "trains, and holds nothing out", "data.held_out_per_class: this key is missing", ", held_out_per_class: 10", ""
)
study_case("departure without a reason", "why: says no reason for length_divisor", "length_divisor: small, ", "")
study_case("reason for no departure", "why: gives a reason for dropout", "pooling: small", "pooling: small, dropout: x")
study_case("unknown data set", "data.source: unknown data set 'cifar'", "source: digits", "source: cifar")
study_case("unknown network", "networks.256: unknown config 'F'", more='networks: {"256": [F]}\n')
study_case("variant of a network it has not", "variants.v.networks: unknown network",
           more="variants: {v: {networks: [F-256], why: x, set: {}}}\n")  # fmt: skip
study_case("variant with another size", "variants.v.network.width_divisor: unknown key",
           more="variants: {v: {networks: [A-256], why: x, network: {width_divisor: 8}}}\n")  # fmt: skip
study_case("variant with a window that is none", ".*Input should be 2 or 3",
           more="variants: {v: {networks: [A-256], why: x, network: {pooling_window: 4}}}\n")  # fmt: skip
study_case("variant that settles boxes and gives none", "variants.v.localisation: it gives no boxes",
           more="variants: {v: {networks: [A-256], why: x, localisation: {mirror: true}}}\n")  # fmt: skip
study_case("variant built otherwise than its parent", "variants.v.networks: D-256 starts from A-256, which is built",
           more="variants: {v: {networks: [D-256], why: x, network: {batch_norm: true}}}\n")  # fmt: skip
study_case("number of base 8", "not YAML .*line 8: 032 would be read as 26; write it without leading zeros",
           more="recipe: {batch: 032}\n")  # fmt: skip
study_case("number of base 60", "not YAML .*line 8: 1:30 would be read as 90; write it without colons",
           more="recipe: {epochs: 1:30}\n")  # fmt: skip
study_case(
    "object of a program", "not YAML .*could not determine a constructor", more="title2: !!python/object:os.x {}\n"
)
study_case("aliases that grow without end", "not YAML .*aliases are not read",
           more="a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n")  # fmt: skip
study_case("not YAML", "not YAML", more="recipe: {batch: [1\n")
study_case("a list", "a study is a mapping of keys", more=b"- name\n- title\n")
study_case("not text", "not text in UTF-8", more=b"name: \xff\xfe\n")
study_case("a list without an end", "not YAML", more=b"[" * 5000)
