"""The papermill templates: parameters checked, failures said in one line."""

import ast
import errno
import re
import socket
from functools import partial
from pathlib import Path

import nbformat
import pytest

from conftest import REPOSITORY, papermill
from verydeep import chapters, files, notebooks, runs, studies
from verydeep.errors import StorageError, UnknownName, VerydeepError
from verydeep.notebooks import execution, kernels
from verydeep.runs import provenance, templates

GIVEN = {"study": "smoke", "config": "A", "train_scale": 256, "variant": None, "seed": 0, "processes": 1}


def test_parameters_name_a_run():
    run = notebooks.requested_run(GIVEN | {"In": [], "_": 1, "notebooks": notebooks, "find_run": studies.find_run})
    assert run.name == "A-256-s0"


@pytest.mark.parametrize(("changes", "message"), [
    ({"sede": 0}, "unknown parameter 'sede': choose one of study, config"),
    ({"config": "F"}, "unknown config 'F'"),
    ({"train_scale": 300}, "unknown train_scale 300"),
    ({"seed": "0"}, "seed must be a whole number"),
    ({"processes": 0}, "processes must be a whole number from 1"),
])  # fmt: skip
def test_wrong_parameters_are_refused(changes, message):
    with pytest.raises((UnknownName, VerydeepError), match=message):
        notebooks.requested_run(GIVEN | changes)


CELL = 'study = "smoke"  # one\nconfig = "A"\ntrain_scale = 256\nvariant = None\nseed = 0\nprocesses = 1\n'


@pytest.mark.parametrize(("cells", "refused"), [
    ([CELL, "# Parameters\nseed = 0\n"], None),
    ([CELL, "# Parameters\ntraining = 3\n"], "training"),  # the name of a module that the notebook imports
    ([CELL, "# Parameters\n_epochs = 3\n"], "_epochs"),
    ([CELL, "# Parameters\npixels_per_batch = 5\n"], "pixels_per_batch"),  # the notebook that tests has it
    ([CELL + "sede = 1\n"], "sede"),
    ([CELL, "from verydeep import training", "mine = 3\nepochs = 4", "%timeit 1"], None),
    (["from math import *", CELL], None),
])  # fmt: skip
def test_what_was_given_is_compared_and_not_what_happens_to_be_defined(cells, refused):
    namespace = GIVEN | {"In": ["", *cells], "pi": 3.14, "mine": 3, "_epochs": 3, "training": notebooks}
    if refused:
        with pytest.raises(UnknownName, match=f"unknown parameter '{refused}': choose one of study"):
            notebooks.requested_run(namespace)
    else:
        assert notebooks.requested_run(namespace).name == "A-256-s0"


CHAPTER = 'study = "narrow"\nnetworks = ["A-256", "D-256"]\nsize = 224\nseconds = 0.5\nseed = 0\n'


@pytest.mark.parametrize(("given", "message"), [
    ("study = ['narrow']", r"study must be a text, such as 'narrow', not \['narrow'\]"),
    ("study = None", "study must be a text, such as 'narrow', not None"),
    ("networks = 'A-256'", r"networks must be a list, of one at least, such as \['A-256', 'D-256'\], not 'A-256'"),
    ("networks = []", r"networks must be a list, of one at least, .* not \[\]"),
    ("networks = ['A-256', 3]", "networks must be a list"),
    ("size = '224'", "size must be a number, such as 224, not '224'"),
    ("size = 0", "size must be a whole number from 1 upwards, such as 224, not 0"),
    ("size = 1.5", "size must be a whole number from 1 upwards"),
    ("size = True", "size must be a number"),
    ("seconds = 0", "seconds must be a number above 0, such as 0.5, not 0"),
    ("seed = -1", "seed must be a whole number from 0 upwards"),
])  # fmt: skip
def test_a_chapter_refuses_a_value_of_another_kind_than_its_default(given, message):
    """A text was taken for a list of letters, a list of none ended in matplotlib, and an image of none in torch."""
    namespace = {"In": ["", CHAPTER, f"# Parameters\n{given}\n"]}
    exec(CHAPTER, namespace)
    assert chapters.check(namespace, "study", "networks", "size", "seconds", "seed", about="narrow") is None
    exec(given, namespace)
    with pytest.raises(VerydeepError, match=message):
        chapters.check(namespace, "study", "networks", "size", "seconds", "seed")


def test_a_chapter_takes_any_value_of_the_kind_of_its_default():
    namespace = {"In": ["", CHAPTER]}
    exec(CHAPTER + "networks = ['E-256']\nseconds = 2\nseed = 7\n", namespace)
    chapters.check(namespace, "study", "networks", "size", "seconds", "seed", about="narrow")


def test_a_notebook_of_classes_refuses_a_network_that_gives_boxes():
    boxes = {"config": "D", "variant": "pcr-all"}
    with pytest.raises(VerydeepError, match=r"D-256-pcr-all-s0 gives boxes: take book/training/localise.ipynb"):
        notebooks.requested_run(GIVEN | boxes)
    with pytest.raises(VerydeepError, match=r"A-256-s0 gives classes: take book/training/train.ipynb"):
        notebooks.requested_run(GIVEN, boxes=True)
    run = notebooks.requested_run(GIVEN | boxes, boxes=True)
    assert templates.command(run, "evaluate").startswith("papermill book/evaluation/localise.ipynb out.ipynb")


def test_plain_papermill_trains_d_and_leaves_a_complete_run(d_trained):
    """A is there already, so D starts from it; on two processes, which the notebook starts."""
    run = studies.find_run("smoke", "D", 256)
    record = runs.read_record(run, "train")
    assert record.parent.run == "A-256-s0" and record.device.processes == 2
    assert runs.check_folder(run.folder) == []


def test_a_misspelt_parameter_fails_under_plain_papermill(checkout, tmp_path):
    done = papermill("training/train.ipynb", {"sede": 1}, tmp_path / "out.ipynb")
    assert done.returncode != 0 and "unknown parameter 'sede'" in done.stderr
    assert runs.notebook_fault(tmp_path / "out.ipynb") == "papermill recorded a failure"
    assert runs.run_folders() == []


def test_a_failing_notebook_says_why_in_one_line_and_leaves_no_run(checkout):
    with pytest.raises(
        VerydeepError, match=r"VerydeepError: A-256-s0 is not trained yet.*\(notebook with the traceback: "
    ):
        notebooks.execute(studies.find_run("smoke", "A", 256), "evaluate")
    assert runs.run_folders() == []


def test_a_finished_notebook_is_not_executed_again(trained, monkeypatch):
    run = studies.find_run("smoke", "A", 256)
    monkeypatch.setattr("papermill.execute_notebook", lambda *_, **__: pytest.fail("executed again"))
    notebooks.execute_run(run)


def test_the_classes_of_boxes_are_looked_for_before_anything_is_trained(monkeypatch):
    """What they are given to was asked for once the network's parent had been trained, for hours perhaps."""
    smoke = studies.load("smoke")
    changed = smoke.localisation.model_copy(update={"classes": "D-256/vote-256"})
    run = studies.Run(smoke.model_copy(update={"localisation": changed}), "D", "256", 0, "pcr-all")
    monkeypatch.setattr(execution, "execute", lambda *_, **__: pytest.fail("executed"))
    with pytest.raises(VerydeepError, match="localisation.classes: 'D-256/vote-256': unknown measurement"):
        notebooks.execute_run(run)


@pytest.mark.parametrize(("kind", "message"), [
    ("train", "smoke/A-256-s0: its weights are not published, and lie on the machine that trained it alone"),
    ("own sources", "has sources of its own, but"),
    ("writable", "cannot be written: Read-only"),
])  # fmt: skip
def test_what_would_end_a_notebook_is_said_before_one_is_begun(trained, monkeypatch, kind, message):
    """And not once images were decoded, hours of networks trained, or from within a cell."""
    monkeypatch.setattr(execution, "_execute", lambda *_: pytest.fail("executed"))
    if kind == "train":
        run = studies.find_run("smoke", "A", 256)
        run.weights.unlink()
        monkeypatch.setattr(studies.Run, "weights_expected", False)
    elif kind == "own sources":
        monkeypatch.setattr(provenance, "is_of_checkout", lambda: False)
        (trained / "src/verydeep").mkdir(parents=True, exist_ok=True)
    else:

        def refuse(folder):
            raise StorageError(folder, OSError(errno.EROFS, "Read-only file system"))

        monkeypatch.setattr(files, "require_writable", refuse)
    with pytest.raises(VerydeepError, match=message):
        notebooks.execute_run(studies.find_run("smoke", "D", 256))


def test_a_transfer_looks_for_its_data_set_first_and_says_what_is_trained_for_it(trained, monkeypatch, capsys):
    done = []
    monkeypatch.setenv("VERYDEEP_DATA", str(trained / "none"))
    monkeypatch.setattr(execution, "execute", lambda run, kind=None, **_: done.append((run.row, kind or run.kind)))
    with pytest.raises(VerydeepError, match="caltech101 is not at .*; run: verydeep data get caltech101"):
        notebooks.execute_recorded(studies.find_transfer(["smoke/D-256"], "caltech101"))
    assert done == []
    asked = studies.find_transfer(["smoke/D-256"], "photographs")
    notebooks.execute_recorded(asked)
    assert done == [("A-256", "train"), ("A-256", "evaluate"), ("D-256", "train"), (asked.row, "transfer")]
    assert f"{asked.name}: D-256-s0 is not trained yet, and is trained first\n" in capsys.readouterr().out


def test_what_a_kill_leaves_of_a_notebook_is_cleared_away_when_it_is_kept_anew(trained):
    """The run is complete by then, so that nobody else works on it: the last file that a kill can meet."""
    run = studies.find_run("smoke", "A", 256)
    runs.unseal(run.folder, ["evaluate.ipynb"])
    left = [run.workspace / f".{name}.abc.part" for name in ("evaluate.ipynb", "SHA256SUMS")]
    for path in left:
        path.write_text("cut sho")
    notebooks.execute(run, "evaluate")
    assert not any(path.exists() for path in left)
    assert "evaluate.ipynb" in runs.read_seal(run.folder) and not runs.check_all()


#: Below the book, what a build has written or an editor has kept; it is not committed.
NOT_COMMITTED = {"runs", ".ipynb_checkpoints"}
CHAPTERS = [
    path
    for path in sorted((REPOSITORY / "book").rglob("*.ipynb"))
    if not NOT_COMMITTED & {*path.relative_to(REPOSITORY).parts}
]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_are_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
        assert "`" not in cell.metadata.get("table", {}).get("caption", ""), "a caption is shown as it is written"
        assert (
            "\ndef " not in f"\n{cell.source}" and "\nclass " not in f"\n{cell.source}"
        )  # helpers live in the package


@pytest.mark.parametrize(("kind", "boxes"), [(kind, boxes) for boxes in (False, True) for kind in templates.TEMPLATES])
def test_templates_have_a_parameters_cell_that_the_package_reads(kind, boxes):
    template = (templates.BOX_TEMPLATES if boxes else templates.TEMPLATES)[kind]
    notebook = nbformat.read(REPOSITORY / "book" / template, as_version=4)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    given = {}
    exec(tagged[0].source, given)
    del given["__builtins__"]
    others = {"fuse": notebooks.requested_fusion, "transfer": notebooks.requested_transfer,
              "finetune": notebooks.requested_tuning}  # fmt: skip
    ask = others.get(kind, partial(notebooks.requested_run, boxes=boxes))
    assert ask(given).study.name == "smoke"
    with pytest.raises(UnknownName, match="unknown parameter 'sede'"):
        ask(given | {"sede": 1})
    for parameter in notebooks.MACHINE[kind]:
        with pytest.raises(VerydeepError, match=f"{parameter} must be a whole number"):
            ask(given | {parameter: 0})


def test_sockets_have_short_paths_wherever_temporary_files_lie(tmp_path, monkeypatch):
    """A system takes 107 bytes for the path of a socket, and a ``TMPDIR`` may be longer alone."""
    far = tmp_path / ("a" * 120)
    far.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(far))
    with kernels.own_world() as folder, socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{folder}/socket-5")


def includes() -> list[tuple[Path, str, dict[str, str]]]:
    """Every piece of source that a page of the book shows: the page, the file, and from where to where."""
    parts = []
    for page in [*(REPOSITORY / "book").rglob("*.md"), *(REPOSITORY / "book").rglob("*.ipynb")]:
        text = page.read_text()
        if page.suffix == ".ipynb":
            text = "\n".join(cell.source for cell in nbformat.reads(text, as_version=4).cells)
        for name, options in re.findall(r"```\{literalinclude\} (\S+)\n(.*?)```", text, re.DOTALL):
            parts.append((page, name, dict(re.findall(r":([\w-]+): ?(.*)", options))))
    return parts


def test_a_page_shows_source_that_is_there():
    """A build says so too, minutes later."""
    assert len(includes()) > 15
    for page, name, options in includes():
        source = (page.parent / name).read_text()
        if wanted := options.get("pyobject"):
            node = ast.parse(source)
            for part in wanted.split("."):
                node = next(one for one in node.body if getattr(one, "name", None) == part)
            source = ast.get_source_segment(source, node)
        for key in options.keys() & {"start-at", "start-after", "end-at", "end-before"}:
            assert options[key].strip() in source, f"{page.name}: {name}: {key}: {options[key]}"
