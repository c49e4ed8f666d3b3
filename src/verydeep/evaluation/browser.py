"""What a browser needs to test a network as :mod:`verydeep.evaluation.ways` does: the graph, and how to use it."""

from pathlib import Path

from verydeep import assembly, files, runs
from verydeep.data import sources
from verydeep.errors import VerydeepError
from verydeep.evaluation.measure import require_trained
from verydeep.networks import interchange
from verydeep.studies import Run
from verydeep.studies.keys import Testing

NETWORK, SETTINGS = "network.onnx", "network.json"


def export(run: Run, folder: Path) -> None:
    """Write a trained network to ``folder``: ``network.onnx``, and ``network.json`` with what it expects of its input.

    The page of the book that tests a network in the browser reads both (``book/evaluation/touch``). It computes in
    float32, whatever the precision that the study tests in.

    Raises
    ------
    VerydeepError
        When the run is not trained, its weights are others' or its study tests otherwise than that page does.
    """
    if run.published:
        raise VerydeepError(f"{run.name}: its weights are not ours, and expect another normalisation than the page's")
    testing = run.study.testing.model_copy(update={"precision": Testing().precision})
    if testing != Testing():
        raise VerydeepError(f"the study {run.study.name} tests otherwise than the page in the browser does")
    require_trained(run)
    statistics = runs.read_record(run, "train").data.statistics
    settings = {
        "run": f"{run.study.name}/{run.name}",
        "weights_sha256": files.sha256(run.weights),
        "classes": sources.source(run.study.data.source).words(),
        "mean": statistics["mean"],
        "divisor": statistics["deviation"] if run.recipe.unit_variance else 1.0,
        "crop": run.study.size.crop,
        "crops_per_side": testing.crops_per_side,
    }
    interchange.write_onnx(assembly.load_network(run), folder / NETWORK)
    files.write_json(folder / SETTINGS, settings)
