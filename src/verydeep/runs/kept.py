"""Whether the weights of a recorded network are here, and what cannot be made where they are not."""

from verydeep.errors import VerydeepError
from verydeep.runs.folders import is_done
from verydeep.runs.reading import read_record
from verydeep.studies import OfSeveral, Recorded, Run


def lost(run: Run) -> bool:
    """Whether a network is recorded and its weights are not here, so that nothing can start from it or test it."""
    return run.study.train and is_done(run, "train") and not run.weights.exists()


def lacking(made: Recorded) -> Run | None:
    """The :func:`lost` network without which something cannot be made here, or made again; ``None`` where it can.

    Of what is yet to be trained that is what it starts from, at however many removes.
    """
    if isinstance(made, OfSeveral):
        return next(filter(None, map(lacking, made.members)), None)
    if made.study.train and is_done(made, "train"):
        return made if lost(made) else None
    return lacking(made.parent) if made.parent else None


def lacking_words(run: Run) -> str:
    """What stands beside a command's place where no command helps, of a network that is :func:`lacking`."""
    return f"needs {run.name}, {lost_words(run)}"


def lost_words(run: Run) -> str:
    """What follows the name of a network that is :func:`lost`: where its weights are."""
    if run.weights_expected:
        return "whose weights are not there; restore them (git checkout)"
    return "whose weights are not published and lie on the machine that trained it alone"


def require_weights(run: Run) -> None:
    """Refuse a run that is recorded and whose weights are not here: to make them anew replaces its record.

    Raises
    ------
    VerydeepError
        Saying whether they can be restored, and how the run is trained again.
    """
    if run.weights.exists() or run.pilot or read_record(run, "train") is None:
        return
    if (kept := run.folder / run.weights.name).exists():
        raise VerydeepError(
            f"{kept}: its study publishes these weights no more; give {run.command}, which takes them to {run.weights}"
        )
    anew = f"remove {run.folder} and give {run.command_line('train')}, which trains it anew"
    if run.weights_expected:
        raise VerydeepError(f"{run.weights}: no weights there; restore them (git checkout), or {anew}")
    raise VerydeepError(
        f"{run.address}: its weights are not published, and lie on the machine that trained it alone; to "
        f"have some, remove {run.folder} in a clone of your own and give {run.command_line('train')}, which trains it "
        f"anew: what the repository has made of the others would not agree with them"
    )
