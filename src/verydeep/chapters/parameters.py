"""The parameters of a chapter, checked."""

from verydeep import notebooks
from verydeep.studies import load

#: The study that the sentences of the chapters speak of.
RECORDED = "quarter"


def check(namespace: dict, *parameters: str, about: str = RECORDED) -> None:
    """Check a chapter's parameters; call it with ``globals()`` in the first code cell after them.

    Where the chapter shows a study, says so if that is another than the one which the sentences are about.

    Parameters
    ----------
    parameters
        The parameters that the chapter has; ``study`` alone by default.
    about
        The study that the chapter's sentences are about.

    Raises
    ------
    UnknownName
        For a parameter that the chapter does not have, or a study that does not exist.
    VerydeepError
        For a value of another kind than the parameter's default.
    """
    given = notebooks.checked(namespace, parameters or ("study",))
    notebooks.require_kinds(namespace, given)
    study = given.get("study")
    if study is None:
        return
    load(study)
    if study != about:
        print(f"The tables and pictures are of the study {study}; the numbers in sentences are of {about}.")
