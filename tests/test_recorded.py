"""The runs that are in git: whole, made from committed sources, and repeatable from their published weights."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import REPOSITORY
from verydeep import files, results, runs, studies
from verydeep.assembly import load_network
from verydeep.data import sources, store
from verydeep.data.base import Images
from verydeep.data.images import decode
from verydeep.data.normaliser import Normaliser
from verydeep.evaluation import mean, passes, verification
from verydeep.evaluation.tester import Tester
from verydeep.studies import measurements

#: All but the one that every reader makes anew.
STUDIES = tuple(name for name in studies.names() if name != "smoke")


pytestmark = pytest.mark.usefixtures("repository")


def recorded(kind: str) -> list[studies.Run]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(REPOSITORY))
        found = [run for name in STUDIES for run in runs.recorded_runs(studies.load(name))]
        return [run for run in found if runs.record_path(run, kind).exists()]


@pytest.mark.parametrize("run", recorded("train"), ids=lambda run: f"{run.study.name}-{run.name}")
def test_a_recorded_run_holds_and_was_made_from_committed_sources(run):
    assert runs.check_folder(run.folder) == []
    record = runs.read_record(run, "train")
    assert record.sources.dirty is False
    assert runs.trained_otherwise(run, record) == {}, "the study's recipe or its networks have changed since"


def test_every_folder_in_git_is_a_run_of_its_study():
    known = {made.folder for name in STUDIES for made in runs.recorded(studies.load(name))}
    assert {folder for folder in runs.run_folders() if folder.parent.name != "smoke"} == known


def test_one_study_has_one_data_fingerprint():
    for name in STUDIES:
        prints = {
            (record.data.manifest_sha256, record.data.held_out.sha256)
            for run in recorded("train")
            if run.study.name == name and (record := runs.read_record(run, "train"))
        }
        assert len(prints) <= 1


@pytest.mark.parametrize("study", STUDIES)
def test_every_number_recomputes_from_the_predictions_to_the_printed_digit(study):
    measured = [number for number in results.read(study).numbers if number.status == "done" and number.is_error]
    assert bool(measured) == (REPOSITORY / "runs" / study).is_dir()
    for number in measured:
        again = results.wrong(number)
        assert again.shape == (len(number.runs), number.n)
        assert 100 * again.sum() / again.size == pytest.approx(number.value, abs=1e-9), number.id
        assert f"{100 * again.mean():.2f}" == f"{number.value:.2f}", number.id


def test_a_at_quarter_size_learns():
    number = results.number("quarter.table3.A-256.top1")
    assert number.status == "done" and number.n == 10_000 and number.value < 75


@functools.cache
def entries(source: str) -> dict[str, sources.Entry]:
    """The validation images of a source by name."""
    return {entry.name: entry for entry in sources.source(source).entries() if entry.split == "val"}


class Listed(Images):
    """Images of a source by their place in a list of names, as a store gives them."""

    def __init__(self, source, names):
        self.source, self.entries = source, [entries(source.name)[name] for name in names]
        self.manifest = pd.DataFrame({"name": names})

    def image(self, row):
        return decode(self.source.read(self.entries[row]), self.entries[row].name)


class Undecoded(store.Store):
    """A whole data set by the hashes of its files, whose images are decoded when they are asked for."""

    def __init__(self, source: sources.Source, statistics: dict):
        listing, _ = store.listing_of(source)
        self.of, self.folder, self.shape, self.classes = source, source.folder, None, source.classes()
        self.entries = [sources.Entry(split, int(label), name) for split, label, name in listing.to_numpy()]
        content = [source.read(entry) for entry in self.entries]
        self.manifest = listing.assign(bytes=[*map(len, content)], sha256=[*map(files.sha256_bytes, content)])
        self.manifest_sha256 = store.manifest_sha256(self.manifest)
        self.statistics = store.ColourStatistics(**statistics.model_dump())

    def image(self, row):
        return decode(self.of.read(self.entries[row]), self.entries[row].name)


@functools.cache
def undecoded(name: str) -> Undecoded:
    """A data set whose colours are those that a training with boxes recorded: its other numbers are made anew."""
    run = next(run for run in with_weights(recorded("train"), True) if run.study.data.source == name)
    return Undecoded(sources.source(name), runs.read_record(run, "train").data.statistics)


def with_weights(found: list[studies.Run], boxes: bool = False) -> list[studies.Run]:
    """Those whose weights are in git, of a study's first seed, that name classes or give boxes."""
    return [run for run in found if run.publishes_weights and bool(run.boxes) == boxes]


@pytest.mark.data
@pytest.mark.parametrize(
    "run", with_weights(recorded("evaluate"), True), ids=lambda run: f"{run.study.name}-{run.name}"
)
def test_published_weights_give_the_recorded_boxes(run, monkeypatch, images=48):
    source = sources.source(run.study.data.source)
    if not source.folder.is_dir():
        pytest.skip(f"{source.name} is not at {source.folder}; verydeep data get {source.name}")
    for module in (verification, passes):  # the whole store of 100,000 images would be for the sake of a few
        monkeypatch.setattr(module, "open_data", lambda run: undecoded(run.study.data.source))
    same = verification.verify(run, images)["same best class (%)"]
    assert (same[~same.index.str.contains("dense-boxes")] == 100).all() and (same >= verification.SAME_MERGED).all()


def test_weights_are_published_of_what_can_be_repeated():
    """Without any, the tests below would be none, and pass."""
    assert {run.study.name for run in with_weights(recorded("evaluate"))} == {"narrow", "quarter"}
    assert with_weights(recorded("evaluate"), True)


@pytest.mark.data
@pytest.mark.parametrize("run", with_weights(recorded("evaluate")), ids=lambda run: f"{run.study.name}-{run.name}")
def test_published_weights_give_the_recorded_predictions(run, images=16, cut_up=4):
    source = sources.source(run.study.data.source)
    if not source.folder.is_dir():
        pytest.skip(f"{source.name} is not at {source.folder}; verydeep data get {source.name}")
    colours = runs.read_record(run, "train").data.statistics
    normalise = Normaliser(torch.tensor(colours.mean), colours.deviation if run.recipe.unit_variance else 1.0)
    tester = Tester(load_network(run), normalise, run.study.testing, run.recipe.flip)
    table = pd.read_parquet(run.folder / "predictions.parquet")
    scale = run.train_scale
    asked = (measurements.single(scale), measurements.several(scale), measurements.several(scale, "both"))
    for measurement in [one for one in asked if one in measurements.measured_by(run)]:
        part = table[table["measurement"] == measurement.name]
        count = images if measurement.method == "dense" else cut_up  # a hundred crops and more of each
        sample = part.iloc[np.linspace(0, len(part) - 1, count, dtype=int)]
        listed, rows = Listed(source, sample["image"]), np.arange(count)
        made = [
            tester.make(one.method, listed, rows, run.study.pixels(one.test_scales[0])).posteriors
            for one in measurement.passes
        ]
        found = mean(made)
        best, index = found.max(1), found.argmax(1)
        # half-precision convolutions are added up in another order on another processor
        assert np.abs(best - sample["probability_1"].to_numpy()).max() < 0.05
        assert (index == sample["class_1"].to_numpy()).mean() > 0.9
