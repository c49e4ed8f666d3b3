"""What a finished training leaves behind: weights, history and record, each after what it names."""

import pandas as pd
import torch

from verydeep import assembly, files, runs
from verydeep.data.fingerprint import fingerprint
from verydeep.networks import weights
from verydeep.networks.network import Network
from verydeep.paths import WEIGHTS
from verydeep.runs import provenance
from verydeep.runs.records import HISTORY
from verydeep.studies import Run
from verydeep.training.images import TrainingImages


def write(
    run: Run, net: Network, images: TrainingImages, history: list[dict], sessions: list[dict], made_by: runs.Sources,
    device: torch.device, processes: int, parent_sha256: str | None,
) -> None:  # fmt: skip
    """Write and seal ``weights.safetensors``, ``history.csv`` and ``train.json``.

    Parameters
    ----------
    history
        A row for each epoch; the last one's errors (percent) are the record's metrics.
    made_by
        The sources that were imported (:func:`verydeep.runs.provenance.sources`).
    parent_sha256
        The hash of the weights that it started from, as they were then; ``None`` where it has no parent.
    """
    kept = [WEIGHTS] if run.publishes_weights else []
    with runs.rewriting(run.folder, ["train.json", HISTORY, *kept]):
        digest = weights.publish(net, run.weights)
        with files.atomic(run.folder / HISTORY) as part:
            pd.DataFrame(history).to_csv(part, index=False)
        last, parent = history[-1], run.parent
        record = runs.TrainRecord(
            **runs.identity(run),
            parameters=_parameters(run),
            parent={"run": parent.name, "weights_sha256": parent_sha256} if parent else None,
            sources=made_by,
            environment=provenance.environment(),
            device=assembly.device_record(device, processes),
            data=fingerprint(images.store, run.study.data.held_out_per_class, images.boxes and images.boxes.boxes),
            started=sessions[0]["started"],
            finished=provenance.now(),
            cost=_cost(run, images, history, sessions),
            sessions=[runs.Session(**session) for session in sessions],
            metrics={key: last[key] for key in last if key.startswith(("train", "held_out"))},
            artefacts={WEIGHTS: digest, HISTORY: files.sha256(run.folder / HISTORY)},
        )
        runs.write_record(run, record)


def _parameters(run: Run) -> dict:
    low, high = run.scale_range
    boxes = {"boxes": run.boxes, "localisation": run.localisation.model_dump(mode="json")} if run.boxes else {}
    return boxes | {
        "recipe": run.recipe.model_dump(mode="json"),
        "network": run.network.model_dump(mode="json"),
        "num_classes": run.study.num_classes,
        "crop": run.study.crop,
        "scale_min": low,
        "scale_max": high,
    }


def _cost(run: Run, images: TrainingImages, history: list[dict], sessions: list[dict]) -> dict:
    seen = len(history) * images.steps * run.recipe.batch
    return {
        "training_images": len(images.rows),
        "epochs": len(history),
        "steps": len(history) * images.steps,
        "images_seen": seen,
        "seconds": sum(session["seconds"] for session in sessions),
        "images_per_second": seen / sum(row["seconds"] for row in history),
        "multiply_adds": seen * run.training_multiply_adds,
    }
