"""The command line: one line for an error, a status that scripts can trust."""

import dataclasses
import json
import os
import re
import subprocess
import sys

import jsonschema
import pandas as pd
import pytest
from PIL import Image

from conftest import REPOSITORY
from verydeep import cli, files, notebooks, paths, results, runs, studies
from verydeep.errors import VerydeepError
from verydeep.evaluation import verification


def verydeep(*arguments):
    return subprocess.run([sys.executable, "-m", "verydeep", *arguments], capture_output=True, text=True, timeout=300)


def call(monkeypatch, capsys, *arguments) -> tuple[int, str, str]:
    """The entry point in this process: status, standard output, standard error."""
    monkeypatch.setattr(sys, "argv", ["verydeep", *arguments])
    try:
        cli.main()
        status = 0
    except SystemExit as stop:
        status = stop.code
    out, error = capsys.readouterr()
    if isinstance(status, str):
        status, error = 1, error + status + "\n"
    return status, out, error


@pytest.mark.parametrize(("arguments", "status", "message"), [
    (["run", "smoke", "F", "256"], 1, "error: unknown config 'F': choose one of A, A-LRN, B, C, D, E, B-5x5"),
    (["run", "smoke", "D", "300"], 1, "error: unknown train_scale '300': choose one of 256, 384, jitter"),
    (["run", "smoke", "D", "256", "--sede", "0"], 2, "error: No such option '--sede'. Did you mean '--seed'?"),
    (["run", "smoke", "D", "256", "--seed", "x"], 2, "error: Invalid value for '--seed'"),
    (["run", "smoke", "D"], 2, "error: Missing argument 'TRAIN_SCALE'."),
    (["run", "smoke", "D", "256", "--only", "evaluate", "--processes", "7", "--micro-batch", "3"], 2,
     "error: --processes, --micro-batch cannot be given for smoke/D-256-s0 here: nothing of it is trained."),
    (["run", "smoke", "D", "256", "--only", "train", "--pixels-per-batch", "9"], 2, "error: --pixels-per-batch "),
    (["run", "released", "D", "authors", "--processes", "2"], 2, "error: --processes cannot be given for released"),
    (["localise", "quarter", "D", "384", "--only", "evaluate", "--micro-batch", "2"], 2, "error: --micro-batch "),
    (["localise", "narrow", "D", "256"], 1, "error: the study narrow localises nothing: its data set imagenet20 has"),
    (["localise", "smoke", "D", "256", "--variant", "fc-only"], 1, "error: unknown variant with boxes 'fc-only'"),
    (["localise", "smoke", "E", "256"], 1, "error: variant pcr-all is for D-256, D-384, not E-256"),
    (["numbers", "quater"], 1, "error: unknown study 'quater'"),
    (["cite", "foo"], 1, "error: 'foo' is no number's identity: write <study>.<table>.<row>.<metric>, for example"),
    (["cite", "quater.table3.A-256.top1"], 1, "error: unknown study 'quater'"),
    (["compare", "smoke", "table3.A", "table3.D-256"], 1, "error: unknown row 'table3.A': verydeep numbers smoke"),
    (["compare", "smoke", "table3.A-256", "table3.D-256"], 1, "error: smoke: table3.A-256 and table3.D-256 have not"),
    (["data", "get", "cifar"], 1, "error: unknown data set 'cifar'"),
    (["data", "verify", "imagenet"], 1, "error: imagenet is not at"),
])  # fmt: skip
def test_an_error_is_one_line_and_a_status(checkout, monkeypatch, capsys, arguments, status, message):
    monkeypatch.setenv("VERYDEEP_DATA", str(checkout / "nowhere"))
    code, out, error = call(monkeypatch, capsys, *arguments)
    assert (code, out) == (status, "")
    assert error.startswith(message) and error.count("\n") == 1
    assert not list((checkout / "runs").iterdir())


def test_a_real_process_ends_the_same_way(checkout):
    done = verydeep("run", "smoke", "F", "256")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_two_rows_are_compared_in_words_and_for_programs(trained, monkeypatch, capsys):
    rows = ("table3.A-256", "centre-crop.A-256")
    status, said, _ = call(monkeypatch, capsys, "compare", "smoke", *rows)
    assert status == 0 and said.startswith("smoke.table3.A-256.top1: ") and "McNemar's exact test, p = " in said
    told = json.loads(call(monkeypatch, capsys, "compare", "smoke", *rows, "--json")[1])
    dense, crop = (results.number(f"smoke.{row}.top1").value for row in rows)
    assert told["difference"] == pytest.approx(dense - crop) and f"{dense - crop:+.2f} points" in said


def test_numbers_are_json_for_scripts(trained, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "numbers", "smoke", "--json")
    found = json.loads(out)
    assert status == 0
    schema = json.loads((paths.package() / "book/static/numbers.schema.json").read_text())
    nothing = dict.fromkeys(("commit", "address", "repository"))
    jsonschema.validate({"title": "", "version": "", "released": False, **nothing, "numbers": found}, schema)
    assert {number["status"] for number in found} == {"done", "not run"}
    a = next(number for number in found if number["id"] == "smoke.table3.A-256.top1")
    assert a["status"] == "done" and a["n"] == 364 and a["paper"] == 29.6


def test_check_passes_and_fails_with_the_cause(trained, monkeypatch, capsys):
    said = "1 run checked: every file is as it was recorded\n"
    said += "not checked: whether rules were changed (this is no git clone)\n"
    assert call(monkeypatch, capsys, "check")[:2] == (0, said)
    history = trained / "runs/smoke/A-256-s0/history.csv"
    history.write_bytes(history.read_bytes()[:-1])
    status, _, error = call(monkeypatch, capsys, "check")
    assert status == 1
    assert error.splitlines()[0] == "runs/smoke/A-256-s0/history.csv: content differs from its sha256 in SHA256SUMS"


def commands(group=cli.cli, before=()):
    """Every command and group of commands, as its words."""
    yield list(before)
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*before, name))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_cuts_no_description(words, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = call(monkeypatch, capsys, *words, "--help")
    assert status == 0 and [line for line in out.splitlines()[1:] if line.endswith("...")] == []


def test_numbers_stand_under_a_heading_with_their_units(trained, monkeypatch, capsys):
    head, *lines = call(monkeypatch, capsys, "numbers", "smoke")[1].splitlines()
    assert head.split("  ")[0] == "number" and "errors or precision in %" in head and head.endswith("in the paper")
    line = next(line for line in lines if line.startswith("smoke.table3.A-256.top1 "))
    assert line.index("29.6") == head.index("in the paper") and "[" in line
    assert "not run" in next(line for line in lines if line.startswith("smoke.table3.D-256.top1 "))


def test_the_time_of_a_study_is_said_once(checkout, monkeypatch, capsys):
    """By the estimate at the end, which is computed; the machine is said without one."""
    for name in studies.names():
        assert not re.search(r"hour|day|week|minute", studies.load(name).where), name
    _, out, _ = call(monkeypatch, capsys, "study", "show", "full")
    assert re.search(r"^  all .* \d+ days$", out, re.MULTILINE) and "week" not in out


def test_status_tells_done_from_running_from_stopped_from_missing(trained, monkeypatch, capsys):
    """By who holds the run: a fresh checkpoint may be that of a training that was killed, an old one of a slow one."""
    for config in "DC":
        files.write_text(studies.find_run("smoke", config, 256).workspace / "checkpoint.pt", "")
    with runs.working_on(studies.find_run("smoke", "D", 256)):
        status, out, _ = call(monkeypatch, capsys, "status", "smoke")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert status == 0
    assert "done" in lines["A-256-s0"] and "dense-256" in lines["A-256-s0"]
    assert "running" in lines["D-256-s0"] and "stopped" in lines["C-256-s0"] and "missing" in lines["E-256-s0"]


def test_a_study_shows_its_recipe_its_departures_and_its_cost(checkout, monkeypatch, capsys):
    _, out, _ = call(monkeypatch, capsys, "study", "show", "quarter")
    assert "paper: 256; the paper's 256 over four" in out
    assert "D-384-s0" in out and "multiply-adds" in out
    _, out, _ = call(monkeypatch, capsys, "study", "list")
    assert out.count("\n") == len(studies.names())


def test_boxes_are_trained_and_tested_from_the_command_line(d_trained, monkeypatch, capsys):
    """D is tested, then D with boxes is trained and tested, all through the notebooks."""
    status, out, error = call(monkeypatch, capsys, "localise", "smoke", "D", "256")
    run = studies.find_run("smoke", "D", 256, variant="pcr-all")
    assert status == 0 and out.endswith(f"D-256-pcr-all-s0: done, see {run.folder}\n"), error
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "SHA256SUMS", "boxes.parquet", "evaluate.ipynb", "evaluate.json", "history.csv", "train.ipynb", "train.json",
        "weights.safetensors",
    ]  # fmt: skip
    assert runs.check_all() == [] and runs.read_record(run, "train").parent.run == "D-256-s0"
    _, out, _ = call(monkeypatch, capsys, "numbers", "smoke")
    line = next(line for line in out.splitlines() if line.startswith("smoke.table8.D-256-pcr-all.true_class "))
    assert "not run" not in line and "[" in line
    status, out, _ = call(monkeypatch, capsys, "cite", "smoke.table9.D-256-pcr-all-at-256.top5", "--format", "text")
    assert status == 0 and out.startswith(
        "Top-5 localisation error of D-256-pcr-all-at-256 (Table 9: dense-boxes testing"
    )


def test_train_alone_leaves_the_records(checkout, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "train", "smoke", "A", "256")
    assert status == 0 and out.count("epoch") == 12
    assert runs.read_record(studies.find_run("smoke", "A", 256), "train")


def test_a_number_is_cited_and_an_unknown_one_suggests_three(trained, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "cite", "smoke.table3.A-256.top1")
    assert status == 0 and "@misc{verydeep:smoke.table3.A-256.top1" in out and "version 0.1.0" in out
    assert json.loads(call(monkeypatch, capsys, "cite", "smoke.table3.A-256.top1", "--format", "csl")[1])
    status, out, err = call(monkeypatch, capsys, "cite", "smoke.table3.D-256.top1")
    assert (status, out) == (1, "") and err.endswith(": not run, so there is no number to cite\n")
    status, _, err = call(monkeypatch, capsys, "cite", "smoke.table3.A-265.top1")
    assert status == 1 and err.count("smoke.") == 4 and err.count("\n") <= 1


def test_networks_are_fused_from_the_command_line(trained, monkeypatch, capsys):
    status, _, err = call(monkeypatch, capsys, "fuse", "smoke/A-256", "quarter/A-256")
    assert status == 1 and "networks of different studies cannot be averaged" in err and err.count("\n") <= 1
    status, _, err = call(monkeypatch, capsys, "fuse")
    assert status == 2 and "give the MEMBERS" in err
    status, _, err = call(monkeypatch, capsys, "fuse", "smoke/A-256", "smoke/D-256", "--method", "vote")
    assert status == 1 and "unknown method 'vote'" in err
    status, _, err = call(monkeypatch, capsys, "fuse", "--table9", "wide")
    assert (status, err) == (1, "error: the study wide has not the networks for any row of Table 9\n")
    status, _, err = call(monkeypatch, capsys, "fuse", "--table6", "smoke", "--method", "both")
    assert status == 2 and "--method is for MEMBERS; the rows of Table 6 say how they are tested" in err
    assert not list((trained / "runs/smoke").glob("*+*"))


def test_a_row_that_cannot_be_filled_leaves_the_others(checkout, monkeypatch, capsys):
    """Of Table 6 the row of seven networks, one of which lacks its weights; the others are done, and it is said."""

    def execute(fusion, **machine):
        if len(fusion.members) == 7:
            raise VerydeepError("C-384-s0: its weights are not published")

    monkeypatch.setattr(notebooks, "execute", execute)
    status, out, error = call(monkeypatch, capsys, "fuse", "--table6", "smoke")
    assert (status, error) == (1, "error: C-384-s0: its weights are not published\n")
    assert [line.partition("-s0: done")[0] for line in out.splitlines()] == [
        "D-jitter+E-jitter-dense", "D-jitter+E-jitter-multi-crop", "D-jitter+E-jitter-both",
    ]  # fmt: skip


def test_only_weights_that_can_be_had_are_verified_unasked(trained, monkeypatch, capsys):
    """Those of a further seed are not published: a clone has the record alone."""
    first = studies.find_run("smoke", "A", 256)
    record = runs.read_record(first, "evaluate")
    monkeypatch.setattr(runs, "recorded_runs", lambda study: [first, dataclasses.replace(first, seed=1)])
    monkeypatch.setattr(runs, "read_record", lambda run, kind: record)
    asked = []
    monkeypatch.setattr(verification, "verify", lambda run, images: asked.append(run.name) or pd.DataFrame([0]))
    status, _, err = call(monkeypatch, capsys, "verify", "smoke")
    assert (status, asked) == (0, ["A-256-s0"])
    told = "of its 2 tested runs have weights where they were trained alone"
    assert err == f"smoke: 1 {told}, and are left out\n"
    monkeypatch.setattr(runs, "recorded_runs", lambda study: [dataclasses.replace(first, seed=1)])
    status, _, err = call(monkeypatch, capsys, "verify", "smoke")
    assert (status, err) == (1, f"error: the study smoke has no tested run to test anew: 1 {told.replace('2', '1')}\n")


def test_what_fails_of_one_run_to_be_verified_leaves_the_others(trained, monkeypatch, capsys):
    first = studies.find_run("smoke", "A", 256)
    record, asked = runs.read_record(first, "evaluate"), []
    monkeypatch.setattr(runs, "recorded_runs", lambda study: [first, dataclasses.replace(first, seed=1)])
    monkeypatch.setattr(runs, "read_record", lambda run, kind: record)
    monkeypatch.setattr(studies.Run, "weights_expected", True)
    monkeypatch.setattr(verification, "verify", lambda run, images: asked.append(run.name) or pd.DataFrame([0]))
    status, _, err = call(monkeypatch, capsys, "verify", "smoke")
    assert (status, asked) == (1, []) and "A-256-s1" in err, "weights that are not there are told before any test"
    monkeypatch.setattr(verification, "require_verifiable", lambda run: record)

    def verify(run, images):
        asked.append(run.name)
        if run.seed == 0:
            raise VerydeepError("differs")
        return pd.DataFrame([0])

    monkeypatch.setattr(verification, "verify", verify)
    status, out, err = call(monkeypatch, capsys, "verify", "smoke")
    assert (status, asked, err) == (1, ["A-256-s0", "A-256-s1"], "error: differs\n")
    assert "A-256-s1: agrees with its record" in out


def test_a_run_of_another_seed_is_listed_from_its_first_checkpoint_on(trained, monkeypatch, capsys):
    run = studies.find_run("smoke", "A", 256, seed=7)
    assert run.name not in call(monkeypatch, capsys, "status", "smoke")[1]
    run.workspace.mkdir(parents=True)
    (run.workspace / paths.CHECKPOINT).write_bytes(b"")
    assert re.search(rf"^{run.name} +stopped$", call(monkeypatch, capsys, "status", "smoke")[1], re.MULTILINE)


def test_a_run_is_verified_and_written_as_a_crate(trained, monkeypatch, capsys):
    status, out, _ = call(monkeypatch, capsys, "verify", "smoke", "A-256-s0", "--images", "40")
    assert status == 0 and "A-256-s0: agrees with its record" in out
    status, _, err = call(monkeypatch, capsys, "verify", "smoke", "A-256-tuned-on-photographs-s0")
    assert status == 1 and "is trained and not only tested; verydeep finetune makes all of it anew" in err
    status, _, err = call(monkeypatch, capsys, "verify", "full")
    assert status == 1 and "the study full has no tested run" in err
    status, out, _ = call(monkeypatch, capsys, "crate", "smoke", "--to", str(trained / "crate"))
    assert status == 0 and (trained / "crate/ro-crate-metadata.json").exists()


def test_a_network_is_written_for_other_programs(trained, monkeypatch, capsys):
    here = trained / "here"
    status, out, _ = call(monkeypatch, capsys, "export", "smoke", "A", "256", "--to", str(here))
    assert (status, out) == (0, f"{here / 'network.onnx'}: written\n{here / 'network.json'}: written\n")
    assert {path.name for path in here.iterdir()} == {"network.onnx", "network.json"}
    status, _, error = call(monkeypatch, capsys, "export", "smoke", "D", "256", "--to", str(here))
    assert status == 1 and error.startswith("error: D-256-s0 is not trained yet; run: verydeep run smoke D 256")


def test_a_picture_is_named_and_its_score_map_drawn(trained, monkeypatch, capsys):
    picture = str(REPOSITORY / "book/evaluation/touch/pictures/dog.jpg")
    for method in ("centre-crop", "dense", "multi-crop", "both"):
        status, out, _ = call(monkeypatch, capsys, "predict", "smoke/A-256", picture, "--method", method)
        head, *lines = out.splitlines()
        assert status == 0 and head == f"{picture}: smoke/A-256-s0, {method}-256" and len(lines) == 5
        shares = [float(line.split()[0]) for line in lines]
        assert shares == sorted(shares, reverse=True) and sum(shares) <= 100.3
    target = trained / "map.png"
    arguments = ("--scales", "256+384", "--class", "7", "--map", str(target))
    status, out, _ = call(monkeypatch, capsys, "predict", "smoke/A-256", picture, *arguments)
    assert status == 0 and out.endswith(f"{target}: written\n") and "dense-256+384" in out
    with Image.open(target) as drawn:
        assert drawn.format == "PNG" and min(drawn.size) > 200
    assert call(monkeypatch, capsys, "predict", "smoke/A-256", picture, "--map", str(target))[0] == 0  # over its own
    Image.new("RGB", (9, 9)).save(other := trained / "keep.png")
    before = other.read_bytes()
    status, _, error = call(monkeypatch, capsys, "predict", "smoke/A-256", picture, "--map", str(other))
    assert (status, error) == (1, f"error: {other}: is there already, and no map; name another file, or remove it\n")
    assert other.read_bytes() == before


@pytest.mark.parametrize(("arguments", "status", "message"), [
    (("smoke/A-256", "no.jpg"), 1, "error: no.jpg: cannot be read (No such file or directory)"),
    (("smoke/A-256", "_config.yml"), 1, "error: _config.yml: not a readable image (of no known format); give a JPEG"),
    (("smoke/A-256", "empty.png"), 1, "error: empty.png: not a readable image (of no known format); give a JPEG"),
    (("smoke/A-256", "long.png"), 1, "error: long.png: 200000x1 pixels become "),
    (("smoke/A-256", "long.png", "--scales", "100"), 1, "error: the test scale 100 (14 pixels here) is smaller than "),
    (("smoke/A-256", "long.png", "--scales", "x"), 2, "error: Invalid value for '--scales': 'x' is no list of scales"),
    *((("smoke/A-256", "long.png", "--scales", given), 2, f"error: Invalid value for '--scales': {given!r} is no ")
      for given in ("", "2_56", "٢٥٦", "256+", "-256", "256 + 384", "9" * 5000)),
    (("smoke/A-256", "long.png", "--method", "vote"), 1, "error: unknown method 'vote': choose one of centre-crop"),
    (("smoke/A-256", "a", "b", "--map", "c.png"), 2, "error: --map draws one PICTURE."),
    (("smoke/A-256", "a.jpg", "--map", "b.jpg"), 2, "error: Invalid value for '--map': b.jpg is to be written: name "),
    (("smoke/A-256", "a.png", "--map", "./a.png"), 2, "error: Invalid value for '--map': a.png is to be written: na"),
    (("smoke/A-256", "a", "--class", "7"), 2, "error: --class says what --map draws."),
    (("smoke/A-256",), 2, "error: Missing argument 'PICTURE...'."),
    (("smoke/A", "a"), 1, "error: 'smoke/A' names no network; write study/config-scale"),
    (("~nobody-has-this/x", "a"), 1, "error: ~nobody-has-this/x: no such home directory; give the whole path"),
])  # fmt: skip
def test_a_picture_that_cannot_be_named_is_one_line(trained, monkeypatch, capsys, arguments, status, message):
    (trained / "empty.png").write_bytes(b"")
    Image.new("RGB", (200000, 1)).save(trained / "long.png")
    before = {path.name for path in trained.iterdir()}
    code, out, error = call(monkeypatch, capsys, "predict", *arguments)
    assert (code, out) == (status, "") and error.startswith(message) and error.count("\n") == 1
    assert error.endswith("; give a smaller test scale, or crop it\n") is message.endswith("pixels become ")
    assert {path.name for path in trained.iterdir()} == before


def test_a_picture_whose_name_is_no_utf8_is_named_too(trained, monkeypatch, capsys):
    name = os.fsdecode(b"caf\xe9.png")
    Image.new("RGB", (64, 64), "red").save(trained / name)
    status, out, error = call(monkeypatch, capsys, "predict", "smoke/A-256", name)
    assert status == 0 and "%  " in out, error


def test_a_card_is_printed_or_written(trained, monkeypatch, capsys):
    _, out, _ = call(monkeypatch, capsys, "card", "smoke/A-256")
    assert out.startswith("---\nlicense: cc-by-4.0\n") and "# smoke/A-256-s0" in out
    status, _, _ = call(monkeypatch, capsys, "card", "smoke/A-256", "--to", str(trained / "README.md"))
    assert status == 0 and (trained / "README.md").read_text() == out
    status, _, error = call(monkeypatch, capsys, "card", "smoke/A-256", "--to", str(trained / "README.md"))
    assert status == 1 and error.endswith("README.md: is there already; name another file, or remove it\n")
    status, _, error = call(monkeypatch, capsys, "card", "smoke/D-256")
    assert status == 1 and error.startswith("error: smoke/D-256-s0: no published weights that were tested")
