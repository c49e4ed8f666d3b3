"""The RO-Crate of a study: its actions, and what the validator says of it."""

import email.message
import errno
import io
import json
import os
import urllib.response

import pytest
import rdflib.parser
import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

from conftest import REPOSITORY
from verydeep import runs, studies
from verydeep.errors import StorageError, VerydeepError
from verydeep.results import crate

ADDRESS = "https://w3id.org/ro/crate/1.1/context"
CONTEXT = REPOSITORY / "tests/results/ro-crate-1.1-context.jsonld"  # what lies at that address; CC0


@pytest.fixture
def offline(monkeypatch):
    """The validator reads the crate's JSON-LD context from the web; it gets the published file from here instead."""

    def opened(request, *arguments, **keywords):
        address = getattr(request, "full_url", request)
        assert address == ADDRESS, f"fetched {address}"
        headers = email.message.Message()
        headers["Content-Type"] = "application/ld+json"
        return urllib.response.addinfourl(io.BytesIO(CONTEXT.read_bytes()), headers, address, 200)

    def got(self, address, **keywords):
        assert address == ADDRESS, f"fetched {address}"
        found = requests.Response()
        found.status_code, found._content = 200, CONTEXT.read_bytes()
        found.headers["Content-Type"] = "application/ld+json"
        return found

    monkeypatch.setattr(rdflib.parser, "_urlopen", opened)
    monkeypatch.setattr(HttpRequester, "get", got, raising=False)


def graph(folder) -> dict:
    found = json.loads((folder / "ro-crate-metadata.json").read_text())
    return {entity["@id"]: entity for entity in found["@graph"]}


def test_an_action_says_what_went_in_and_what_came_out(trained, tmp_path):
    folder = crate.write_crate("smoke", tmp_path / "crate")
    entities = graph(folder)
    run = studies.find_run("smoke", "A", 256)
    train, test = entities["#train-A-256-s0"], entities["#evaluate-A-256-s0"]
    record = runs.read_record(run, "train")
    assert (train["startTime"], train["endTime"]) == (record.started, record.finished)
    results = {entity["@id"] for entity in train["result"]}
    assert "runs/smoke/A-256-s0/weights.safetensors" in results
    assert {"@id": "runs/smoke/A-256-s0/weights.safetensors"} in test["object"]
    parameters = {entities[one["@id"]]["name"]: entities[one["@id"]].get("value") for one in train["object"]}
    assert parameters == {"study": "smoke", "config": "A", "train_scale": "256", "seed": "0"}
    for name, digest in runs.read_seal(run.folder).items():
        assert (folder / "runs/smoke/A-256-s0" / name).read_bytes() == (run.folder / name).read_bytes()
        assert entities[f"runs/smoke/A-256-s0/{name}"]["sha256"] == digest
    # what the crate's own workflow and notebooks are now may be newer than what was executed
    assert f"package sources sha256 {record.sources.sources_sha256}" in train["description"]
    assert (folder / f"runs/smoke/A-256-s0/{runs.SEAL}").read_bytes() == (run.folder / runs.SEAL).read_bytes()


def test_a_crate_that_cannot_be_written_leaves_nothing(trained, tmp_path, monkeypatch):
    """A full disc was said of a file that was read, and the half of a crate stood in the way of the next."""

    def written(self, folder):
        (folder / "half").mkdir()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "runs/smoke/A-256-s0/weights.safetensors")

    monkeypatch.setattr(crate.ROCrate, "write", written)
    with pytest.raises(StorageError, match="crate cannot be written: No space left on device"):
        crate.write_crate("smoke", tmp_path / "new/crate")
    assert list((tmp_path / "new").iterdir()) == []


def issues(folder, profile="workflow-run-crate") -> list[str]:
    """What of a profile's requirements the validator finds unfulfilled."""
    settings = services.ValidationSettings(
        rocrate_uri=str(folder), profile_identifier=profile, requirement_severity=models.Severity.REQUIRED
    )
    return [f"{issue.check.identifier}: {issue.message}" for issue in services.validate(settings).get_issues()]


def test_the_crate_validates_as_a_workflow_run_crate(trained, tmp_path, offline):
    folder = crate.write_crate("smoke", tmp_path / "crate")
    assert issues(folder) == []
    # and the validator would have said so if it did not
    path = folder / "ro-crate-metadata.json"
    metadata = json.loads(path.read_text())
    for entity in metadata["@graph"]:
        if entity["@type"] == "CreateAction":
            del entity["instrument"]
    path.write_text(json.dumps(metadata))
    assert issues(folder) != []


def test_a_study_without_runs_and_a_folder_in_use_are_refused(trained, tmp_path):
    with pytest.raises(VerydeepError, match="the study full has no recorded run"):
        crate.write_crate("full", tmp_path / "crate")
    (tmp_path / "used").mkdir()
    with pytest.raises(VerydeepError, match="used exists already"):
        crate.write_crate("smoke", tmp_path / "used")


def test_a_damaged_record_is_not_passed_on(trained, tmp_path):
    (trained / "runs/smoke/A-256-s0/history.csv").write_text("epoch\n")
    with pytest.raises(VerydeepError, match=r"do not hold: .*history.csv: content differs"):
        crate.write_crate("smoke", tmp_path / "crate")
    assert not (tmp_path / "crate").exists()
