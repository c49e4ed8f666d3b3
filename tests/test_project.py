"""The project's own files: environments that agree, contracts that hold, documents that are valid."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from cffconvert.cli.create_citation import create_citation

import forks
from conftest import REPOSITORY
from verydeep import __version__, paper, runs, studies
from verydeep.book import lost_text, pages
from verydeep.chapters import error_tables
from verydeep.results import status
from verydeep.runs import kept

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
REQUIRED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
#: The names of some packages on conda-forge and bioconda.
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base", "snakemake": "snakemake-minimal"}


def split(requirement: str) -> tuple[str, str]:
    name = re.match(r"[A-Za-z0-9_.-]+", requirement)[0]
    return name, requirement[len(name) :]


def test_the_conda_environment_agrees_with_pyproject():
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge", "bioconda"], "Snakemake is on bioconda alone, and in this order"
    listed = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    from_pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert f"python{PROJECT['requires-python']}" in listed and "--editable ." in from_pip
    given = dict(split(entry) for entry in listed + from_pip if not entry.startswith("--"))
    for name, bound in map(split, REQUIRED):
        assert given.pop(name if name in given else CONDA.get(name, name), None) == bound, name
    assert set(given) == {"python", "pip"}


def test_what_another_extra_asks_for_is_part_of_what_tests_need():
    extras = PROJECT["optional-dependencies"]
    assert {"benchmarks", "slurm"} < extras.keys()
    assert all(set(asked) <= set(extras["dev"]) for asked in extras.values())


def test_constraints_pin_every_requirement():
    pinned = dict(line.split("==") for line in (REPOSITORY / "constraints.txt").read_text().splitlines())
    canonical = {re.sub(r"[-_.]+", "-", name).lower() for name in pinned}
    assert {re.sub(r"[-_.]+", "-", split(entry)[0]).lower() for entry in REQUIRED} <= canonical


def test_import_contracts_hold():
    command = shutil.which("lint-imports") or f"{sys.prefix}/bin/lint-imports"
    done = subprocess.run([command], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


TOP = {"__init__", "__main__", "assembly", "errors", "files", "locks", "machine", "paths", "progress", "statistics"}
ROOMS = {"paper", "networks", "data", "studies", "runs", "notebooks", "training", "evaluation", "finetuning", "results",
         "chapters", "book", "cli"}  # fmt: skip


def test_the_house_has_the_rooms_of_its_plan_and_tests_mirror_them():
    package = REPOSITORY / "src" / "verydeep"
    assert {path.stem for path in package.glob("*.py")} == TOP
    assert {path.parent.name for path in package.glob("*/__init__.py")} == ROOMS
    tested = {path.name for path in (REPOSITORY / "tests").iterdir() if any(path.glob("test_*.py"))}
    assert tested == ROOMS


def test_the_device_is_chosen_in_one_place():
    """There float32 is made exact; a network on a GPU that was chosen elsewhere would compute in TF32."""
    sources = [*REPOSITORY.glob("src/**/*.py"), *REPOSITORY.glob("benchmarks/*.py")]
    choosing = [path.name for path in sources if 'torch.device("cuda"' in path.read_text()]
    assert choosing == ["assembly.py"]


def test_no_file_and_no_function_is_longer_than_can_be_read():
    long = []
    for path in sorted((REPOSITORY / "src").rglob("*.py")):
        text = path.read_text()
        if (lines := text.count("\n")) > 350:
            long.append(f"{path.name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (lines := node.end_lineno - node.lineno + 1) > 60:
                long.append(f"{path.name}: {node.name}: {lines} lines")
    assert long == []


def test_the_book_side_starts_without_torch():
    code = "import verydeep.book.extension, verydeep.cli, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def test_training_and_testing_start_without_torchvision():
    """It brings torch's compiler along, two seconds of every process; what needs it asks for it there."""
    code = "import verydeep.training, verydeep.evaluation.pretrained, verydeep.chapters.live.illustrations, sys"
    code = f"{code}; sys.exit(not {{'torchvision', 'torch._dynamo'}}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def test_the_citation_is_valid_and_of_this_version():
    citation = create_citation(str(REPOSITORY / "CITATION.cff"), None)
    citation.validate()
    assert yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())["version"] == __version__ == PROJECT["version"]


def test_the_readme_shows_the_numbers_of_the_records(repository):
    readme = (REPOSITORY / "README.md").read_text()
    assert error_tables.headline() in readme, "run: verydeep readme"


def test_every_fault_free_run_has_a_page(trained):
    pages.write_pages(trained / "book" / "runs")
    written = {path.relative_to(trained / "book/runs").as_posix() for path in (trained / "book/runs").rglob("*.*")}
    assert {
        "smoke.md",
        "quarter.md",
        "smoke/A-256-s0.md",
        "smoke/A-256-s0-train.ipynb",
        "smoke/A-256-s0-curve.svg",
    } <= written
    text = (trained / "book/runs/smoke/A-256-s0.md").read_text()
    assert "papermill book/training/train.ipynb" in text and "SHA256SUMS" not in text
    assert "A-256-s0.md" in (trained / "book/runs/smoke.md").read_text()
    shutil.rmtree(trained / "runs/smoke/A-256-s0")
    pages.write_pages(trained / "book" / "runs")
    assert not (trained / "book/runs/smoke").exists()


def fusions_of(study: str) -> int:
    """How many rows of Tables 6 and 9 a study can fill: those of whose networks it has every one."""
    spec, members = studies.load(study), paper.table("6-members")
    networks = [f"{row.config}-{paper.scale_name(row.train_min, row.train_max)}" for row in members.itertuples()]
    if not spec.train:  # the authors' files are by their own words the networks trained with jitter
        networks = [network.replace("-jitter", "-authors") for network in networks]
    has = pd.Series(networks).isin([f"{config}-{scale}" for scale in spec.networks for config in spec.networks[scale]])
    boxes = spec.variants["pcr-all"].networks if "pcr-all" in spec.variants else []
    return int(has.groupby(members["fusion_id"].to_numpy()).all().sum()) + ({"D-256", "D-384"} <= {*boxes})


def asked_of(study: str) -> int:
    """How many networks a study's file asks for: as counted there, not as planned."""
    spec = studies.load(study)
    variants = sum(len(variant.networks) for variant in spec.variants.values() if not variant.pilot)
    further = sum(len(part.seeds) * len(part.networks) for part in spec.further_seeds)
    return len(spec.seeds) * (sum(map(len, spec.networks.values())) + variants) + further


def planned_by_workflow(root: Path, *config: str) -> subprocess.CompletedProcess[str]:
    """A dry run in an empty checkout, which is laid out at ``root``."""
    for name in ("book", "runs", "workflow"):
        (root / name).mkdir(exist_ok=True)
    shutil.copy(REPOSITORY / "_config.yml", root)
    shutil.copy(REPOSITORY / "workflow/Snakefile", root / "workflow")
    asked = ("--config", *config, "--cores", "2", "-n", "-p")
    return forks.run("snakemake", *asked, folder=root, PATH="/usr/bin:/bin", HOME=str(root), VERYDEEP_ROOT=str(root))


@pytest.mark.parametrize("study", studies.names())
def test_the_workflow_plans_every_run_of_a_study(study, tmp_path):
    """Each network trained and tested once, parents first, then the fusions."""
    done = planned_by_workflow(tmp_path, f"study={study}")
    assert done.returncode == 0, done.stdout + done.stderr
    asked, trained, fusions = asked_of(study), studies.load(study).train, fusions_of(study)
    for rule, expected in {"train": asked * trained, "evaluate": asked, "fuse": fusions}.items():
        planned = re.search(rf"^{rule} +(\d+)$", done.stdout, re.MULTILINE)
        assert (int(planned[1]) if planned else 0) == expected, done.stdout
    # by this very Python: PATH has no verydeep, and on a user's machine it may have another
    commands = re.findall(r"(\S+) -m verydeep (?:run|localise|fuse) ", done.stdout)
    assert len(commands) == asked * (1 + trained) + fusions and {*commands} == {sys.executable}
    nothing = f"{'0 trained and ' if trained else ''}0 tested"
    assert f"study {study}: of {asked} networks {nothing}, of {fusions} fusions 0 made\n" in done.stderr
    if not trained:
        return
    assert f"verydeep run {study} D jitter --seed 0 --wait --processes 1 --only train" in done.stdout
    order = [done.stdout.index(f"/{run}-s0.trained") for run in ("A-256", "D-256", "D-384", "D-jitter")]
    assert order == sorted(order)


#: Of a study: networks and fusions that were tested by another setting than it has now, and what is made again by them.
OUTDATED = {
    "narrow": (
        ["D-jitter-s0", "E-jitter-s0", "D-jitter+E-jitter-dense-s0"],
        ["D-jitter-s0.tested", "E-jitter-s0.tested", "D-jitter+E-jitter-dense-s0.fused"],
    ),
    "quarter": (
        ["D-256-long-0.01-s0"],  # by whose classes boxes are tested
        ["D-256-long-0.01-s0.tested", "D-384-pcr-all-s0.tested", "D-256-pcr-all+D-384-pcr-all-boxes-s0.fused"],
    ),
}


@pytest.mark.parametrize("study", OUTDATED)
def test_what_rests_on_a_network_that_is_tested_anew_is_made_anew_by_the_same_command(study, tmp_path):
    outdated, again = OUTDATED[study]
    for folder in (REPOSITORY / "runs" / study).iterdir():
        copied = tmp_path / "runs" / study / folder.name
        copied.mkdir(parents=True)
        for path in folder.iterdir():
            if path.suffix == ".json" or path.name == runs.SEAL:
                shutil.copy(path, copied)
            else:
                (copied / path.name).symlink_to(path)
    planned = planned_by_workflow(tmp_path, f"study={study}").stdout
    assert not any(mark in planned for mark in again)
    for name in outdated:
        (path,) = [*(tmp_path / "runs" / study / name).glob("[ef]*.json")]
        record = json.loads(path.read_text())
        record["protocol"]["grid"] = "cells"
        path.write_text(json.dumps(record))
        runs.seal(path.parent, [path.name])
    planned = planned_by_workflow(tmp_path, f"study={study}").stdout
    assert all(mark in planned for mark in again), planned


def test_without_a_card_the_workflow_asks_for_none_and_trains_in_one_process(tmp_path):
    done = planned_by_workflow(tmp_path, "study=smoke", "gpus=0")
    assert done.returncode == 0 and "--processes 1 --only train" in done.stdout
    assert not re.search(r"gpu=[1-9]", done.stdout)


@pytest.mark.parametrize("gpus", ["two", "-2", "1.5"])
def test_a_wrong_number_of_cards_is_one_line(tmp_path, gpus):
    done = planned_by_workflow(tmp_path, "study=smoke", f"gpus={gpus}")
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
        f"error: gpus is a whole number from 0 upwards, not {ast.literal_eval(gpus) if gpus != 'two' else gpus!r}"
    )


def test_a_misspelt_key_of_the_workflow_is_one_line(tmp_path):
    """It was passed over, and another study was planned."""
    done = planned_by_workflow(tmp_path, "studdy=quarter")
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == (
        "error: unknown key of --config 'studdy': choose one of study, gpus"
    )


def test_on_several_cards_a_network_that_takes_its_batch_whole_has_one(tmp_path):
    """In more processes :func:`verydeep.training.train` refuses it."""
    done = planned_by_workflow(tmp_path, "study=narrow", "gpus=2")
    assert done.returncode == 0, done.stdout + done.stderr
    job = r"^rule train:$.*?wildcards: run=(\S+)$.*?gpu=(\d)$.*?--processes (\d) --only train$"
    planned = {name: (int(gpu), int(n)) for name, gpu, n in re.findall(job, done.stdout, re.MULTILINE | re.DOTALL)}
    whole = {run.name: run.normalises for run in studies.planned_runs(studies.load("narrow"))}
    assert planned == {name: (1, 1) if alone else (2, 2) for name, alone in whole.items()}
    assert {"A-256-batch-norm-s0", "ResNet-18-256-s0"} <= {name for name, alone in whole.items() if alone}
    assert not whole["A-256-s0"]


def test_a_wrong_study_is_one_line_in_snakemake_too(tmp_path):
    shutil.copytree(REPOSITORY / "workflow", tmp_path / "workflow")
    done = forks.run("snakemake", "--config", "study=quater", "--cores", "2", "-n", folder=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: unknown study 'quater': choose one of ")


def test_a_dry_run_says_when_nothing_is_left(trained, monkeypatch):
    spec = studies.load("smoke")
    only_a = spec.model_copy(update={"networks": {"256": ["A"]}})
    assert status.plan(only_a).endswith(
        "of 1 networks 1 trained and 1 tested, of 0 fusions 0 made; none of them is left to run"
    )
    assert "left to run" not in status.plan(spec)


def test_what_has_nothing_to_start_from_is_left_out_of_a_plan(trained, monkeypatch):
    """A plan ended with its first job that starts from a network whose weights lie on another machine."""
    first, planned = studies.find_run("smoke", "A", 256), studies.planned_runs(studies.load("smoke"))
    assert not any(map(runs.lacking, planned))
    first.weights.unlink()
    waiting = [run for run in planned if run != first]
    assert all(runs.lacking(run) == first for run in planned), "all others start from A"
    said = [line.split()[1] for line in status.status("smoke").splitlines() if runs.lacking_words(first) in line]
    assert len(said) > len(waiting) and "done" not in said
    done = planned_by_workflow(trained, "study=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"; {len(waiting)} left out, since what they start from was trained elsewhere" in done.stderr
    assert not re.search(r"\.(trained|tested|fused)$", done.stdout, re.MULTILINE)
    monkeypatch.setattr(kept, "is_done", lambda run, kind: run.row in ("A-256", "D-256"))
    monkeypatch.setattr(kept, "lost", lambda run: run.row == "D-256")
    without = {run.row for run in planned if runs.lacking(run) and not run.variant}
    assert without == {"D-256", "D-384", "D-jitter"}


SECRETS = [
    "detect-secrets-hook",
    "--disable-plugin",
    "HexHighEntropyString",
    "--disable-plugin",
    "Base64HighEntropyString",
]


def test_no_file_changes_its_line_endings():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    asked = ["git", "check-attr", "-z", "--stdin", "text"]
    found = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, input=listed.stdout).stdout.split(
        "\0"
    )
    assert len(found) > 1000 and {*found[2::3]} == {"unset"}


def test_no_secret_is_committed(tmp_path):
    """The hook of pre-commit over every file; entropy alone is no sign here, where hashes are everywhere."""
    hook = [f"{sys.prefix}/bin/{SECRETS[0]}", *SECRETS[1:]]
    listed = subprocess.run(["git", "ls-files", ":!runs"], cwd=REPOSITORY, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    done = subprocess.run([*hook, *listed.stdout.split()], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    planted = tmp_path / "key.pem"
    planted.write_text("-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE\n")
    assert subprocess.run([*hook, str(planted)], capture_output=True).returncode == 1
    configured = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert " ".join(SECRETS) in [one["entry"] for one in configured]


#: A work as prose names it, and its entry in the references.
WORKS = {
    "AlexNet": "krizhevsky2012", "Krizhevsky": "krizhevsky2012", "GoogLeNet": "szegedy2015", "ResNet": "he2016",
    "Glorot": "glorot2010", "He's": "he2015", "Wilson": "wilson1927", "McNemar": "mcnemar1947",
    "bootstrap": "efron1979", "Caffe": "jia2014", "Tiny ImageNet": "le2015", "ILSVRC": "russakovsky2015",
    "NeurIPS": "pineau2021",
}  # fmt: skip


def test_a_work_that_a_chapter_names_is_cited_there_and_every_reference_has_an_address():
    entries = re.findall(r"@\w+\{(\w+),(.*?)\n\}", (REPOSITORY / "book/references.bib").read_text(), re.DOTALL)
    assert {*WORKS.values()} < {key for key, _ in entries}
    for key, fields in entries:
        assert re.search(r"\b(doi|url) +=", fields), key
    named, absent = 0, []
    for path in [*(REPOSITORY / "book").rglob("*.md"), *(REPOSITORY / "book").rglob("*.ipynb")]:
        if {"runs", "reference", ".ipynb_checkpoints"} & {*path.parts}:  # written by a build
            continue
        text = "\n".join(lost_text.prose(path))
        for name, key in WORKS.items():
            if re.search(rf"\b{name}\b", text):
                named += 1
                if not re.search(rf"\{{cite\}}`[^`]*\b{key}\b", text):
                    absent.append(f"{path.name} names {name} and does not cite {key}")
    assert named > 20 and not absent


def test_the_workflow_that_publishes_the_book_says_where():
    steps = yaml.safe_load((REPOSITORY / ".github/workflows/book.yml").read_text())["jobs"]["book"]["steps"]
    (build,) = [step for step in steps if step.get("run") == "make book pdf"]
    assert "github.repository_owner" in build["env"]["VERYDEEP_BOOK_URL"]
    assert build["env"]["VERYDEEP_REPOSITORY_URL"] == "${{ github.server_url }}/${{ github.repository }}"


def test_actions_of_the_workflow_are_pinned_by_hash():
    workflows = list((REPOSITORY / ".github/workflows").glob("*.yml"))
    assert workflows
    for path in workflows:
        used = re.findall(r"uses: (\S+)", path.read_text())
        assert used and all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one) for one in used), used


FROM_A_WHEEL = """
import sys, verydeep
model = verydeep.pretrained(sys.argv[1])
print(verydeep.__file__, verydeep.__version__, model.name, len(model.classes), sep="\\n")
"""


def test_a_wheel_has_all_that_the_package_reads_and_gives_a_network_outside_any_checkout(tmp_path):
    """Built as a user would, from a copy: the build leaves its traces beside the sources."""
    copy, outside = tmp_path / "copy", tmp_path / "outside"
    outside.mkdir()
    shutil.copytree(REPOSITORY / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", str(copy), "--no-deps", "--no-build-isolation", "-q", "-w", "dist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("verydeep-*.whl")
    with zipfile.ZipFile(wheel) as bundle:
        names = set(bundle.namelist())
        bundle.extractall(tmp_path / "installed")
    package = copy / "src" / "verydeep"
    read = {f"verydeep/{path.relative_to(package).as_posix()}" for path in package.rglob("*") if path.is_file()}
    assert read <= names
    run = REPOSITORY / "runs/narrow/D-256-s0"
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(tmp_path / "installed")}
    command = [sys.executable, "-c", FROM_A_WHEEL, str(run)]
    done = subprocess.run(command, cwd=outside, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    imported, *said = done.stdout.splitlines()
    assert imported.startswith(str(tmp_path / "installed")) and said == [__version__, "narrow/D-256-s0", "20"]
