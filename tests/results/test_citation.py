"""How a number is cited."""

import json
import re
import subprocess

import pytest
import yaml
from cffconvert.cli.create_citation import create_citation

from verydeep import results, runs, studies
from verydeep.errors import UnknownName, VerydeepError
from verydeep.results import citation, crate
from verydeep.runs import provenance, publication


def test_the_entry_leads_back_to_the_number(trained):
    found = results.number("smoke.table3.A-256.top1")
    entry, sentence = citation.cite(found, "bibtex"), citation.cite(found, "text")
    record = runs.read_record(studies.find_run("smoke", "A", 256), "evaluate")
    assert entry.startswith("@misc{verydeep:smoke.table3.A-256.top1,") and entry.endswith("}")
    assert entry.count("{") == entry.count("}")
    for text in (entry, sentence):
        assert "version 0.1.0" in text
        assert re.search(r"commit ([0-9a-f]{40}|unknown)", text)
        assert "A-256-s0.html" in text and "smoke.table3.A-256.top1" in text
        assert f"{found.value:.2f}" in text and "n = 364" in text and "one seed" in text
    assert f"year = {{{record.finished[:4]}}}" in entry
    assert r"\%" in entry and " % " not in entry.replace(r"\%", "")
    assert "Top-1 error of A-256 (Table 3: dense testing, Q=256)" in sentence
    assert "title = {{Top-1 error of A-256 (Table 3: dense testing, Q=256) on" in entry, "no style writes it a-256"


@pytest.mark.parametrize(("identity", "words"), [
    ("smoke.table5.A-256-both.top5",
     "Top-5 error of A-256-both (Table 5: dense and multi-crop testing, Q=224, 256, 288)"),
    ("smoke.centre-crop.A-256.top1", "centre-crop testing, Q=256"),
    ("smoke.table2.D.parameters", "Millions of parameters of network D in the study smoke"),
])  # fmt: skip
def test_every_kind_of_number_is_said_in_words(trained, identity, words):
    assert words in citation.cite(results.number(identity), "text")


@pytest.mark.parametrize("form", citation.FORMATS)
def test_a_number_that_was_not_run_is_not_cited(form, trained):
    found = results.number("smoke.table3.D-256.top1")
    with pytest.raises(VerydeepError, match=r"^smoke.table3.D-256.top1: not run, so there is no number to cite$"):
        citation.cite(found, form)
    assert citation.page(found) == "runs/numbers.html#smoke.table3.D-256.top1"


ADDRESS = "https://example.github.io/verydeep"


def test_every_form_has_the_address_where_one_is_set_and_none_pretends_otherwise(trained, monkeypatch):
    found = results.number("smoke.table3.A-256.top1")
    for form in citation.FORMATS:
        assert "http" not in citation.cite(found, form)
    monkeypatch.setenv("VERYDEEP_BOOK_URL", f"{ADDRESS}/")
    page = f"{ADDRESS}/runs/smoke/A-256-s0.html#smoke.table3.A-256.top1"
    assert citation.cite(found, "text").endswith(f"{page}.")
    assert f"  url = {{{page}}}\n" in citation.cite(found, "bibtex")
    (item,) = json.loads(citation.cite(found, "csl"))
    assert item["URL"] == page and item["title"] == citation.describe(found) and item["version"].startswith("0.1.0 (un")
    assert (
        "{:04}-{:02}-{:02}".format(*item["issued"]["date-parts"][0])
        == runs.read_record(studies.find_run("smoke", "A", 256), "evaluate").finished[:10]
    )


def test_the_citation_file_of_the_book_is_valid_and_has_the_addresses(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("VERYDEEP_BOOK_URL", ADDRESS)
    monkeypatch.setenv("VERYDEEP_REPOSITORY_URL", "https://github.com/example/verydeep")
    (tmp_path / "CITATION.cff").write_text(citation.cff())
    create_citation(str(tmp_path / "CITATION.cff"), None).validate()
    written = yaml.safe_load((tmp_path / "CITATION.cff").read_text())
    assert (written["url"], written["repository-code"]) == (ADDRESS, "https://github.com/example/verydeep")


def test_an_address_comes_from_the_configuration_or_the_environment_and_is_one(trained, monkeypatch):
    assert publication.book_url() is publication.repository_url() is None
    config = trained / "_config.yml"
    config.write_text(config.read_text().replace("html:\n", f"html:\n  baseurl: {ADDRESS}\n", 1))
    publication._config.cache_clear()
    assert publication.book_url() == ADDRESS
    monkeypatch.setenv("VERYDEEP_BOOK_URL", "https://elsewhere.org")
    assert publication.book_url() == "https://elsewhere.org"


@pytest.mark.parametrize("wrong", [
    "elsewhere.org", "ftp://elsewhere.org", "https://", "https://a.org/?page=1", "https://[x", "https://:80/x",
    "https://h st/x", "https://host/a b", "https://h\n/x", "https://host/x\n", " https://host", "https://host/\x07",
    "https://host:port/x", "https://host:99999/x", "https://host/x?", "https://host/x#", "https://host\\x",
])  # fmt: skip
def test_what_is_no_address_is_refused(monkeypatch, wrong):
    for variable, address in (("BOOK", publication.book_url), ("REPOSITORY", publication.repository_url)):
        monkeypatch.setenv(f"VERYDEEP_{variable}_URL", wrong)
        said = re.escape(f"$VERYDEEP_{variable}_URL: {wrong!r} is no address of a site, write https://HOST/PATH")
        with pytest.raises(VerydeepError, match=f"^{said}$"):
            address()


#: No secret, and written so that none is seen in it.
USER = ":".join(["user", "hidden"])


@pytest.mark.parametrize("wrong", [
    f"https://{USER}@host/a", "https://user@host", f"{USER}@host", f"https://{USER}@ho st/@a",
    f"https://{USER}/hidden@host/a", f"https://{USER} hidden@b hidden@host", f"HTTPS://{USER}@host?",
])  # fmt: skip
def test_an_address_with_a_password_is_refused_without_showing_it(monkeypatch, wrong):
    monkeypatch.setenv("VERYDEEP_REPOSITORY_URL", wrong)
    with pytest.raises(VerydeepError, match=r"is no address of a site, write https://HOST/PATH$") as caught:
        publication.repository_url()
    assert "hidden" not in str(caught.value) and "...@" in str(caught.value)


@pytest.mark.parametrize("right", ["http://localhost:8000", "https://host/~me/@book", "https://[::1]:80/x"])
def test_other_addresses_of_sites_are_taken(monkeypatch, right):
    monkeypatch.setenv("VERYDEEP_BOOK_URL", f"{right}/")
    assert publication.book_url() == right


def test_a_version_is_called_unreleased_until_its_tag_is_checked_out(trained, monkeypatch):
    for command in (["init", "-q"], ["add", "CITATION.cff"], ["commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *command], cwd=trained, check=True)
    assert citation.version() == "version 0.1.0 (unreleased)"
    subprocess.run(["git", "tag", "v0.1.0"], cwd=trained, check=True)
    provenance._head.cache_clear()
    assert citation.version() == "version 0.1.0"


def test_an_unknown_number_suggests_the_nearest_three(trained):
    with pytest.raises(UnknownName) as caught:
        results.number("smoke.table3.A-265.top1")
    assert "smoke.table3.A-256.top1" in str(caught.value)
    assert str(caught.value).count("smoke.") == 4  # what was asked for, and three


def test_authors_who_are_persons_are_cited_one_by_one(trained):
    path = trained / "CITATION.cff"
    persons = [{"family-names": "Doe", "given-names": "Ann"}, {"family-names": "Roe", "given-names": "Bob"}]
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"authors": persons}))
    found = results.number("smoke.table3.A-256.top1")
    assert "author = {{Ann Doe} and {Bob Roe}}" in citation.cite(found, "bibtex")
    (item,) = json.loads(citation.cite(found, "csl"))
    assert item["author"] == [{"family": "Doe", "given": "Ann"}, {"family": "Roe", "given": "Bob"}]
    names = {entity["name"] for entity in json.loads(crate_of(trained))["@graph"] if entity["@id"] == "#authors"}
    assert names == {"Ann Doe and Bob Roe"}


def crate_of(root) -> str:
    return (crate.write_crate("smoke", root / "crate") / "ro-crate-metadata.json").read_text()


@pytest.mark.parametrize(("text", "message"), [
    ('title: "x\n', r"CITATION.cff, line \d: not YAML; restore it"), ("", "CITATION.cff: says nothing; restore it"),
    ("title: x\nversion: 1\nlicense: MIT\n", "CITATION.cff: has no authors; restore it"),
])  # fmt: skip
def test_a_damaged_citation_file_is_told(trained, text, message):
    (trained / "CITATION.cff").write_text(text)
    with pytest.raises(VerydeepError, match=message):
        citation.software()


def test_without_its_citation_file_nothing_is_cited(trained):
    (trained / "CITATION.cff").unlink()
    with pytest.raises(VerydeepError, match=r"CITATION.cff: missing"):
        citation.cite(results.number("smoke.table3.A-256.top1"), "text")
