"""What every part of a study file is made of, and how its YAML is read."""

import re
from typing import Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a study file: unknown keys are refused, and a value is of its type as it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @classmethod
    def choices(cls, key: str) -> tuple:
        """The values that a key may have where they are few: words, or true and false; of numbers none."""
        annotation = cls.model_fields[key].annotation
        if annotation is bool:
            return (True, False)
        return get_args(annotation) if get_origin(annotation) is Literal else ()


#: How a number of YAML 1.1 may be written so that it is another than it shows, and how it is written instead.
_MISREAD = {
    re.compile(".*:.*"): "without colons",  # of base 60
    re.compile("[-+]?0[0-9_]*[0-9].*"): "without leading zeros",  # of base 8
    re.compile(".*_.*"): "without underscores",
}


class StrictLoader(yaml.SafeLoader):
    """YAML without what would make a study mean something else than it shows: a key given twice, an alias, ``032``."""

    def compose_scalar_node(self, anchor):
        node = super().compose_scalar_node(anchor)
        number = node.tag.removeprefix("tag:yaml.org,2002:")
        if number in ("int", "float"):
            for form, instead in _MISREAD.items():
                if form.fullmatch(node.value):
                    raise yaml.YAMLError(
                        f"line {node.start_mark.line + 1}: {node.value} would be read as {self._read(number, node)}; "
                        f"write it {instead}"
                    )
        return node

    def _read(self, number: str, node: yaml.ScalarNode) -> object:
        try:
            return {"int": self.construct_yaml_int, "float": self.construct_yaml_float}[number](node)
        except (ValueError, OverflowError):  # as 0b_ and a float with a hundred colons
            return "another number"

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"line {self.peek_event().start_mark.line + 1}: aliases are not read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: a key is one word, and no list or mapping")
            if key.value in seen:
                raise yaml.YAMLError(f"line {key.start_mark.line + 1}: the key {key.value} is given twice")
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)
