"""What every part of a study file is made of, and how its YAML is read."""

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


class StrictLoader(yaml.SafeLoader):
    """YAML without what would make a study mean something else than it shows: a key given twice, an alias."""

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
