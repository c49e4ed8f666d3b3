"""What every part of a study file is made of."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A part of a study file: unknown keys are refused, and a value is of its type as it stands."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
