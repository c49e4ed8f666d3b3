"""What is said of the keys of a study file that do not fit: where, what is wrong and what was found."""

import difflib

from pydantic import BaseModel, ValidationError


def require_keys(where: str, keys: dict, of: type[BaseModel], allowed=None) -> None:
    """Refuse a key that ``of`` has not, or that is not ``allowed``, and a value that it does not take.

    Raises
    ------
    ValueError
        Says ``where`` and the key.
    """
    for key in keys:
        if key not in (allowed or of.model_fields):
            raise ValueError(f"{where}.{key}: {_unknown_key(key, allowed or of.model_fields)}")
    try:
        of.model_validate(keys)
    except ValidationError as error:
        raise ValueError("; ".join(f"{where}.{describe(fault, of)}" for fault in error.errors())) from None


def describe(fault: dict, of: type[BaseModel]) -> str:
    """One of the faults that pydantic found in the keys of ``of``, with the key's name."""
    where = ".".join(str(part) for part in fault["loc"] if part != "[key]")
    match fault["type"]:
        case "extra_forbidden":
            return f"{where}: {_unknown_key(where.rsplit('.', 1)[-1], of.model_fields)}"
        case "missing":
            return f"{where}: this key is missing"
        case "value_error":
            return str(fault["ctx"]["error"])
    return f"{where}: {fault['msg']} (found {fault['input']!r})"


def _unknown_key(key: str, keys) -> str:
    close = difflib.get_close_matches(key, list(keys), 1)
    return "unknown key" + (f", did you mean {close[0]}?" if close else "")
