"""What was tried of a large study on one machine: a cluster, several hosts, and the study `full` in miniature."""

import pandas as pd

from verydeep.chapters import benchmarks, display

_YES = {True: "yes", False: "no"}


def _machine(record: dict) -> str:
    """On what it was tried, for a caption."""
    environment = record["environment"]
    return f"{environment['processor']}, {environment['cores']} cores, {record['date'][:10]}"


def slurm() -> pd.DataFrame:
    """What was done to a job of the smoke study on a Slurm cluster, and where it went on.

    One row for each. Raises :class:`~verydeep.errors.VerydeepError` where there is no record, as every function here
    does.
    """
    record = benchmarks.required("slurm", "make slurm")
    rows = {
        what: {
            "network": event["run"].rsplit("-s", 1)[0],
            "after epoch": event["after_epoch"],
            "Slurm says": event["state"],
            "submitted by": "Snakemake" if event["number"] == "new job" else "Slurm",
            "node": f"{event['node']}, then {event['went_on']}",
            "went on at": f"epoch {event['at_epoch']}, step {event['at_step']}",
            "after (seconds)": round(event["seconds"]),
        }
        for what, event in record["rates"].items()
    }
    equal = "the same" if not record["differences"] else f"other than without it: {'; '.join(record['differences'])}"
    seconds = record["seconds"]
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    caption = (
        f"{record['slurm']}, {versions}: {len(record['jobs'])} jobs on two nodes in {seconds['with Slurm']:.0f} "
        f"seconds, {seconds['without Slurm']:.0f} without Slurm ({_machine(record)}). Weights, predictions and "
        f"histories: {equal}. Every job began after what it needs: {_YES[record['parents_first']]}."
    )
    return display.table(pd.DataFrame(rows).T.rename_axis("what happened"), caption=caption)


def hosts() -> pd.DataFrame:
    """What happened to the second of two hosts, what the first said, and where both went on; one row for each."""
    record = benchmarks.required("hosts", "make hosts")
    rows = {
        what: {
            "after epoch": trial["after_epoch"],
            "noticed after (seconds)": round(trial["seconds"]),
            "what the user reads": trial["said"],
            "went on at": trial["went_on"],
        }
        for what, trial in record["rates"].items()
    }
    same = "the same as" if record["same_weights_as_undisturbed"] else "other than"
    caption = f"The weights in the end are {same} those of two hosts that nobody disturbed ({_machine(record)})."
    return display.table(pd.DataFrame(rows).T.rename_axis("the second host"), caption=caption)


def two_hosts_and_one_process() -> pd.DataFrame:
    """One training on two hosts beside one process: the crops, the losses, the errors on held-out images."""
    record = benchmarks.required("hosts", "make hosts")
    compared = record["compared"]
    alone, both = compared["held_out_top1_error_at_the_end"]
    first = f"over the first {compared['first_epochs']} epochs"
    rows = {
        "the same crops": _YES[compared["same_crops"]],
        f"the same errors {first}": _YES[compared["same_errors_over_the_first_epochs"]],
        f"largest difference of the loss {first}": f"{compared['largest_difference_of_loss_over_them']:.1e}",
        "epochs with the same errors": f"{compared['epochs_with_the_same_errors']} of {compared['epochs']}",
        "held-out top-1 error at the end": f"{both:.1f} % (one process: {alone:.1f} %)",
    }
    frame = pd.DataFrame({"two hosts": rows}).rename_axis("beside one process")
    return display.table(frame, caption=_machine(record))


def full() -> pd.DataFrame:
    """The study `full` rehearsed on a CPU: seconds and peak memory (MiB) of each step, and its last line."""
    record = benchmarks.required("full", "python benchmarks/full.py")
    rows = {
        what: {
            "seconds": round(step["seconds"]),
            "peak memory (MiB)": round(step["peak_memory_mib"]),
            "its last line": step["said"],
        }
        for what, step in record["rates"].items()
    }
    other = [name for name, same in record["same"].items() if not same]
    equal = f"{' and '.join(other)} other than" if other else "weights and history the same as"
    caption = (
        f"Stopped, killed and resumed: {equal} those of a run that nobody disturbed ({_machine(record)}; load "
        f"{record['load_average']:.1f})."
    )
    return display.table(pd.DataFrame(rows).T.rename_axis("step"), caption=caption)
