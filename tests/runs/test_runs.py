"""Records, the seal over a run's files, and the check that finds every damage."""

import json
import math
import shutil
import subprocess
from types import SimpleNamespace

import nbformat
import pandas as pd
import pytest

from conftest import REPOSITORY
from verydeep import assembly, files, notebooks, runs, studies
from verydeep.errors import RecordError, VerydeepError
from verydeep.runs import answers, predictions, provenance, staleness


@pytest.fixture
def folder(trained):
    return trained / "runs" / "smoke" / "A-256-s0"


def test_a_run_made_by_the_notebooks_is_whole(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "SHA256SUMS", "evaluate.ipynb", "evaluate.json", "history.csv", "predictions.parquet",
        "train.ipynb", "train.json", "weights.safetensors",
    ]  # fmt: skip
    assert runs.run_folders() == [folder]
    assert runs.check_folder(folder) == []


@pytest.mark.parametrize("name", [
    "SHA256SUMS", "evaluate.ipynb", "evaluate.json", "history.csv", "predictions.parquet", "train.ipynb",
    "train.json", "weights.safetensors",
])  # fmt: skip
@pytest.mark.parametrize("where", [0.0, 0.31, 0.77, 1.0])
def test_one_flipped_byte_in_any_file_is_found_and_named(folder, name, where):
    data = bytearray((folder / name).read_bytes())
    data[round(where * (len(data) - 1))] ^= 0x01
    (folder / name).write_bytes(data)
    faults = runs.check_folder(folder)
    assert faults
    if name != "SHA256SUMS":
        assert any(f"{name}: content differs from its sha256" in fault for fault in faults)


def test_a_missing_or_added_file_is_found(folder):
    (folder / "history.csv").unlink()
    (folder / "notes.txt").write_text("hello")
    assert runs.check_folder(folder) == [
        "runs/smoke/A-256-s0/history.csv: missing",
        "runs/smoke/A-256-s0/notes.txt: not listed in SHA256SUMS",
    ]


def test_runs_beyond_the_plan_are_found(folder):
    """Another seed is a run like any other: it has a page and a line in the status."""
    study = studies.load("smoke")
    assert [run.name for run in runs.recorded_runs(study)] == ["A-256-s0"]
    other = folder.with_name("A-256-s1")
    shutil.copytree(folder, other)
    with pytest.raises(RecordError, match="A-256-s1/train.json: is the record of another run, A-256-s0"):
        runs.recorded_runs(study)
    edit_record(other, "train", seed=1)
    edit_record(other, "evaluate", seed=1)
    assert [run.name for run in runs.recorded_runs(study)] == ["A-256-s0", "A-256-s1"]
    assert [run.name for run in runs.all_runs(study)][-1] == "A-256-s1"


def test_a_file_that_belongs_to_no_run_is_found(folder):
    assert runs.check_all() == []
    (folder.parent / "notes.txt").write_text("hello")
    assert runs.check_all() == ["runs/smoke/notes.txt: belongs to no run"]


def test_a_folder_without_a_seal_is_unfinished(folder):
    (folder / "SHA256SUMS").unlink()
    assert runs.check_folder(folder) == [
        "runs/smoke/A-256-s0/SHA256SUMS: missing; the run is unfinished, or the file was lost"
    ]


def edit_record(folder, kind, **changes):
    path = folder / f"{kind}.json"
    record = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(record))
    runs.seal(folder, [path.name])  # as if the editor had sealed it too


@pytest.mark.parametrize(("kind", "changes", "message"), [
    ("train", {"seed": "zero"}, "train.json: seed: Input should be a valid integer"),
    ("train", {"surprise": 1}, "train.json: surprise: Extra inputs"),
    ("train", {"schema_version": 9}, "train.json: schema_version"),
    ("train", {"study": "quarter"}, "says study 'quarter', lies under 'smoke'"),
    ("train", {"artefacts": {"history.csv": "0" * 64, "weights.safetensors": "0" * 64}},
     "names another sha256 for history.csv"),
    ("train", {"artefacts": {}}, "artefacts has no weights.safetensors"),
    ("train", {"parameters": {}}, "parameters has no recipe"),
    ("train", {"parameters": {"recipe": [1], "network": {}}}, "parameters has no recipe"),
    ("train", {"finished": "soon"}, "train.json: finished: Value error, 'soon' is no date (ISO 8601)"),
    ("evaluate", {"started": ""}, "evaluate.json: started: Value error, '' is no date (ISO 8601)"),
    ("evaluate", {"measurements": {}}, "evaluate.json: measurements: Dictionary should have at least 1 item"),
    ("evaluate", {"weights_sha256": "0" * 64}, "was made from other weights"),
])  # fmt: skip
def test_an_edited_record_is_found_even_when_sealed_again(folder, kind, changes, message):
    edit_record(folder, kind, **changes)
    assert any(message in fault for fault in runs.check_folder(folder)), runs.check_folder(folder)


@pytest.mark.parametrize(("kind", "path", "value", "message"), [
    ("evaluate", "measurements.dense-256.top1_error", math.nan, "should be a finite number"),
    ("evaluate", "measurements.dense-256.top1_error", math.inf, "should be a finite number"),
    ("evaluate", "measurements.dense-256.top5_error", 150, "should be less than or equal to 100"),
    ("evaluate", "measurements.dense-256.top5_error", -5, "should be greater than or equal to 0"),
    ("evaluate", "measurements.dense-256.n", 0, "should be greater than 0"),
    ("evaluate", "passes.dense-256.seconds", -1, "should be greater than or equal to 0"),
    ("train", "cost.seconds", 0, "should be greater than 0"),
    ("train", "metrics.held_out_top1_error", math.nan, "should be a finite number"),
    ("train", "metrics.train_top1_error", 5.0, "train_top1_error is 5.0, history.csv yields"),
    ("train", "metrics.held_out_loss", 0.5, "held_out_loss is 0.5, history.csv yields"),
    ("train", "cost.epochs", 1000, "epochs is 1000, history.csv yields 12"),
    ("train", "data.held_out", None, "data does not say which images were held out"),
    ("train", "data.statistics", None, "data does not say which images were held out"),
    ("train", "data.statistics.mean", [1.0], "should have at least 3 items"),
    ("train", "data.statistics.deviation", 0.0, "should be greater than 0"),
])  # fmt: skip
def test_a_value_that_cannot_be_is_refused_and_one_that_the_history_does_not_yield_found(
    folder, kind, path, value, message
):
    record = json.loads((folder / f"{kind}.json").read_text())
    *groups, key = path.split(".")
    inner = record
    for group in groups:
        inner = inner[group]
    inner[key] = value
    (folder / f"{kind}.json").write_text(json.dumps(record))
    runs.seal(folder, [f"{kind}.json"])
    assert any(message in fault for fault in runs.check_folder(folder)), runs.check_folder(folder)


def test_a_training_without_its_history_is_found(folder):
    (folder / "history.csv").unlink()
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    (folder / "SHA256SUMS").write_text("\n".join(line for line in sums if "history.csv" not in line) + "\n")
    assert any("history.csv: missing; it says what every epoch" in fault for fault in runs.check_folder(folder))


def test_a_copy_of_a_run_is_no_second_seed(folder):
    other = folder.with_name("A-256-s1")
    shutil.copytree(folder, other)
    for kind in ("train", "evaluate"):
        edit_record(other, kind, seed=1)
    assert "runs/smoke/A-256-s1: has the very weights of runs/smoke/A-256-s0; remove the copy" in runs.check_all()


def test_a_test_whose_answers_were_deleted_is_to_be_made_again(folder):
    """As the message about answers that were changed asks for."""
    run = studies.find_run("smoke", "A", 256)
    assert runs.is_complete(run, "evaluate") and runs.is_complete(run, "train")
    (folder / predictions.FILE).unlink()
    assert not runs.is_complete(run, "evaluate") and runs.is_complete(run, "train")


def test_a_network_that_was_trained_anew_is_tested_anew(folder):
    """Where its weights are not published, as of further seeds, only the two records tell."""
    run = studies.find_run("smoke", "A", 256)
    assert runs.is_complete(run, "evaluate")
    (folder / "weights.safetensors").unlink()
    sums = runs.read_seal(folder)
    del sums["weights.safetensors"]
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
    artefacts = json.loads((folder / "train.json").read_text())["artefacts"]
    edit_record(folder, "train", artefacts=artefacts | {"weights.safetensors": "0" * 64})
    assert not runs.is_complete(run, "evaluate")
    (fault,) = runs.check_folder(folder)
    assert "evaluate.json: was made from other weights than those that train.json names; test the" in fault


def test_a_network_whose_parent_was_trained_anew_is_found(folder):
    child = folder.with_name("B-256-s0")
    shutil.copytree(folder, child)
    weights = json.loads((folder / "train.json").read_text())["artefacts"]["weights.safetensors"]
    for digest, found in ((weights, False), ("0" * 64, True)):
        edit_record(child, "train", config="B", parent={"run": folder.name, "weights_sha256": digest})
        said = "was trained from other weights of A-256-s0 than are there"
        assert any(said in fault for fault in runs.check_folder(child)) is found
        told = runs.told_otherwise(studies.find_run("smoke", "B", 256))
        assert ("A-256-s0 was trained anew" in told) is found


def test_a_record_of_another_run_is_refused(folder):
    edit_record(folder, "train", config="D")
    with pytest.raises(RecordError, match="is the record of another run, D-256"):
        runs.read_record(studies.find_run("smoke", "A", 256), "train")


def test_errors_that_the_predictions_do_not_yield_are_found(folder):
    record = json.loads((folder / "evaluate.json").read_text())
    record["measurements"]["dense-256"]["top1_error"] /= 2
    edit_record(folder, "evaluate", measurements=record["measurements"])
    assert any(
        "dense-256: top1_error" in fault and "predictions.parquet" in fault for fault in runs.check_folder(folder)
    )


@pytest.mark.parametrize("of", ["every measurement", "one"])
def test_an_image_that_was_not_tested_or_twice_is_found(folder, of):
    """Errors of fewer images are no errors of the validation images, whatever the record says with them."""
    path = folder / "predictions.parquet"
    table = pd.read_parquet(path)
    first = table["image"].iloc[0]
    lost = table["image"] == first
    if of == "one":
        lost &= table["measurement"] == "dense-256"
    table.loc[lost, "image"] = table["image"].iloc[1]
    table.to_parquet(path, index=False)
    runs.seal(folder, [path.name])
    faults = "\n".join(runs.check_folder(folder))
    assert "dense-256: predictions.parquet has 364 answers of 363 images; digits has 364 validation images" in faults
    assert ("has other images by one measurement than by another" in faults) is (of == "one")


def test_lost_answers_are_found_beside_every_other_fault_and_are_no_silent_number(folder):
    """The check ended at them, and each number of the study in an error without advice."""
    (folder / "predictions.parquet").unlink()
    (folder / "history.csv").write_text("epoch\n")
    faults = "\n".join(runs.check_all())
    assert "predictions.parquet: missing" in faults and "history.csv: content differs" in faults
    with pytest.raises(RecordError, match="A-256-s0/predictions.parquet: missing; restore it .git checkout., or"):
        answers.read(folder / "predictions.parquet", "dense-256")


def test_a_failed_notebook_is_found(folder):
    path = folder / "train.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"]["exception"] = True
    nbformat.write(notebook, path)
    runs.seal(folder, [path.name])
    assert runs.check_folder(folder) == ["runs/smoke/A-256-s0/train.ipynb: papermill recorded a failure"]


def test_sealing_does_not_cover_up_older_damage(folder):
    (folder / "history.csv").write_text("epoch\n")
    runs.seal(folder, ["train.json"])
    assert any("history.csv: content differs" in fault for fault in runs.check_folder(folder))


def test_what_stops_while_files_are_written_anew_leaves_no_record_and_no_damage(folder):
    names = ["evaluate.json", "predictions.parquet"]
    with pytest.raises(KeyboardInterrupt), runs.rewriting(folder, names):
        assert not (folder / "evaluate.json").exists() and not runs.read_seal(folder).keys() & set(names)
        raise KeyboardInterrupt
    assert not runs.read_seal(folder).keys() & set(names) and not (folder / "evaluate.json").exists()
    with runs.rewriting(folder, ["predictions.parquet"]):
        (folder / "predictions.parquet").write_bytes(b"other answers")
    assert runs.read_seal(folder)["predictions.parquet"] == files.sha256_bytes(b"other answers")


def test_a_run_of_other_sources_than_its_commit_is_found(folder, monkeypatch):
    record = json.loads((folder / "train.json").read_text())
    edit_record(folder, "train", sources=record["sources"] | {"commit": "c0ffee" + "0" * 34, "dirty": False})
    monkeypatch.setattr(provenance, "sources_sha256_at", lambda commit: "0" * 64)
    assert any("made by other sources than those of the commit" in fault for fault in runs.check_folder(folder))
    monkeypatch.setattr(provenance, "sources_sha256_at", lambda commit: None)  # a clone without that commit
    assert runs.check_folder(folder) == []


def test_the_hash_of_a_commits_sources_is_that_of_the_files(tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_ROOT", str(tmp_path))
    (tmp_path / "book").mkdir()
    shutil.copy(REPOSITORY / "_config.yml", tmp_path)
    package = tmp_path / "src" / "verydeep"
    package.mkdir(parents=True)
    (package / "a.py").write_text("x = 1\n")
    (package / "note.txt").write_text("not a source\n")
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    commit = provenance.git("rev-parse", "HEAD")
    assert provenance.sources_sha256_at(commit) == provenance.sources_sha256(package)
    (package / "a.py").write_text("x = 2\n")
    assert provenance.sources_sha256_at(commit) != provenance.sources_sha256(package)
    assert provenance.sources_sha256_at("0" * 40) is None


def test_two_runs_of_one_study_on_different_images_are_found(trained):
    run = studies.find_run("smoke", "A", 256)
    other = studies.find_run("smoke", "A", 256, seed=1)
    shutil.copytree(run.folder, other.folder)
    for kind in ("train", "evaluate"):
        record = runs.read_record(run, kind)
        changed = record.model_copy(
            update={"seed": 1, "data": record.data.model_copy(update={"manifest_sha256": "0" * 64})}
        )
        runs.write_record(other, changed)
    runs.seal(other.folder, ["train.json", "evaluate.json"])
    assert [fault for fault in runs.check_all() if "made from other images" in fault] == [
        "runs/smoke/A-256-s1/evaluate.json: was made from other images, or others held out, than "
        "runs/smoke/A-256-s0/evaluate.json",
        "runs/smoke/A-256-s1/train.json: was made from other images, or others held out, than "
        "runs/smoke/A-256-s0/evaluate.json",
    ]


def test_a_chapter_with_outputs_is_found(trained):
    path = trained / "book/results/table3.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", text="63.8")]
    nbformat.write(notebook, path)
    assert runs.check_all() == ["book/results/table3.ipynb: has outputs; clear them, the build makes them anew"]


def test_a_chapter_that_is_no_notebook_is_found(trained):
    (trained / "book/Untitled.ipynb").touch()
    (fault,) = runs.check_all()
    assert fault.startswith("book/Untitled.ipynb: not a notebook (")


LITTER = (
    ".DS_Store",
    "._A-256-s0",
    "Thumbs.db",
    "desktop.ini",
    ".ipynb_checkpoints/train.ipynb",
    "._train.json",
    "@eaDir/x",
)


@pytest.mark.parametrize("where", [".", "smoke", "smoke/A-256-s0"])
def test_what_desktops_leave_under_runs_is_passed_over_and_everything_else_is_named(trained, where):
    for name in LITTER:
        path = trained / "runs" / where / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x00\x05\x16\x07")
    assert runs.check_all() == []
    assert [run.name for run in runs.recorded_runs(studies.load("smoke"))] == ["A-256-s0"]
    assert [folder.name for folder in runs.run_folders()] == ["A-256-s0"]
    (trained / "runs" / where / "notes~").touch()
    (fault,) = runs.check_all()
    assert fault.startswith((trained / "runs" / where / "notes~").relative_to(trained).as_posix())


def test_what_a_kill_left_half_written_is_cleared_away_wherever_it_lies_in_the_workspace(trained):
    run = studies.find_run("smoke", "A", 256)
    left = [run.workspace / ".checkpoint.pt.x.part", run.workspace / "posteriors" / ".dense-256.safetensors.x.part"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with runs.working_on(run):
        assert not any(path.exists() for path in left)


def test_what_another_process_is_writing_into_a_workspace_is_left_alone(trained):
    """Features and posteriors are written into the workspace of a network under the lock of a transfer or fusion."""
    run = studies.find_run("smoke", "A", 256)
    with files.atomic(run.workspace / "features" / "voc.safetensors") as part:
        part.write_bytes(b"half")
        with runs.working_on(run):
            assert part.exists()
    assert (run.workspace / "features" / "voc.safetensors").read_bytes() == b"half"
    assert not list((run.workspace / "features").glob(".*"))


def test_a_record_that_cannot_be_read_leaves_the_other_faults(trained, folder):
    other = folder.with_name("A-torchvision-s0")
    shutil.copytree(folder, other)
    edit_record(other, "evaluate", train_scale="torchvision")
    edit_record(folder, "evaluate", surprise=1)
    fusion = SimpleNamespace(members={"A-256-s0": SimpleNamespace(weights_sha256="0" * 64)})
    (fault,) = staleness.stale_members(folder.with_name("A-256+B-256-dense-s0"), fusion)
    assert "its member A-256-s0 has a record that cannot be read: " in fault and "surprise" in fault
    faults = runs.check_all()
    assert any("unknown train_scale 'torchvision'" in fault for fault in faults)
    assert any("A-256-s0/evaluate.json: surprise" in fault for fault in faults)


@pytest.fixture
def left(folder):
    """The run as before its study published its weights: they lie in the workspace, and no seal names them."""
    run = studies.find_run("smoke", "A", 256)
    run.workspace.mkdir(parents=True, exist_ok=True)
    shutil.move(run.weights, run.workspace / run.weights.name)
    runs.unseal(folder, [run.weights.name])
    assert runs.check_folder(folder) == []
    return run


def test_weights_that_a_study_publishes_later_are_put_into_the_folder(left, folder):
    made = left.workspace / left.weights.name
    digest = files.sha256(made)
    notebooks.execute(left, "train")  # nothing is trained for it
    assert (files.sha256(left.weights), runs.read_seal(folder)[left.weights.name]) == (digest, digest)
    assert not made.exists() and runs.check_folder(folder) == []
    before = left.weights.stat().st_mtime_ns
    runs.publish_weights(left)
    assert left.weights.stat().st_mtime_ns == before, "nothing is left to do"


def test_weights_that_a_kill_left_unsealed_are_sealed(left, folder):
    shutil.copyfile(left.workspace / left.weights.name, left.weights)
    assert runs.check_folder(folder)
    runs.publish_weights(left)
    assert runs.check_folder(folder) == [] and not (left.workspace / left.weights.name).exists()


@pytest.mark.parametrize("where", ["workspace", "folder"])
def test_weights_of_another_training_are_not_published(left, folder, where):
    path = getattr(left, where) / left.weights.name
    path.write_bytes((left.workspace / left.weights.name).read_bytes()[:-1] + b"x")
    sealed = runs.read_seal(folder)
    with pytest.raises(RecordError, match="not the weights that A-256-s0 was trained to, so not published"):
        runs.publish_weights(left)
    assert path.exists() and runs.read_seal(folder) == sealed


def test_weights_that_a_study_does_not_publish_stay_in_the_workspace(left):
    study = left.study.model_copy(update={"publish_weights": []})
    runs.publish_weights(studies.Run(study, "A", "256", 0))
    assert not left.weights.exists() and (left.workspace / left.weights.name).exists()


def test_weights_that_a_study_publishes_no_more_go_back_to_the_workspace(folder):
    """It was advised to remove the run's folder, and the very weights with it."""
    run = studies.find_run("smoke", "A", 256)
    unpublished = studies.Run(run.study.model_copy(update={"publish_weights": []}), "A", "256", 0)
    with pytest.raises(VerydeepError, match="publishes these weights no more; give verydeep run smoke A 256 .*takes"):
        assembly.load_network(unpublished)
    notebooks.execute(unpublished, "train")
    assert unpublished.weights.parent == run.workspace and not run.weights.exists()
    assembly.load_network(unpublished)
    assert runs.check_folder(folder) == [] and run.weights.name not in runs.read_seal(folder)
    notebooks.execute(run, "train")
    assert run.weights.exists() and not unpublished.weights.exists() and runs.check_folder(folder) == []


def test_a_record_that_leads_out_of_its_folder_is_refused(folder):
    record = json.loads((folder / "train.json").read_text())
    for name in ("../elsewhere", "..", ".", "", "D/384"):
        edit_record(folder, "train", parent={"run": name, "weights_sha256": "0" * 64})
        assert any("parent.run" in fault for fault in runs.check_folder(folder)), name
    edit_record(folder, "train", parent=record["parent"])
    assert runs.check_folder(folder) == []
