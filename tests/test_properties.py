"""Whatever the input: a result that holds, or an error of ours; never another exception, never a silent number."""

import hashlib
import io
import re
import tarfile
import zipfile

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import EVERY
from verydeep import notebooks, runs
from verydeep.data import archives
from verydeep.data.images import decode
from verydeep.errors import DataError, RecordError, StudyError, VerydeepError
from verydeep.networks import vgg, weights
from verydeep.networks.configurations import Size
from verydeep.studies import schema


def picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8)).save(stream, kind)
    return stream.getvalue()


PICTURES = {kind: picture(kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")}


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """``whole``, cut, lengthened, or with some of its bytes changed."""
    data = bytearray(whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole)
    for _ in range(draw(st.integers(0, 6))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data) + draw(st.binary(max_size=8))


@EVERY
@given(st.sampled_from(sorted(PICTURES)).flatmap(lambda kind: damaged(PICTURES[kind])))
def test_a_damaged_image_is_decoded_or_refused(data):
    try:
        image = decode(data, "x.JPEG")
    except DataError as error:
        assert str(error).startswith("x.JPEG: ") and "\n" not in str(error) and data not in PICTURES.values()
    else:
        width, height = Image.open(io.BytesIO(data)).size
        assert image.dtype == np.uint8 and image.shape == (height, width, 3)


def archive(kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("top/a", b"hello" * 50)
            bundle.writestr("top/b", b"")
    else:
        with tarfile.open(fileobj=stream, mode=f"w:{kind}") as bundle:
            member = tarfile.TarInfo("top/a")
            member.size = 250
            bundle.addfile(member, io.BytesIO(b"hello" * 50))
    return stream.getvalue()


ARCHIVES = {kind: archive(kind) for kind in ("zip", "", "gz", "xz")}


@EVERY
@given(st.sampled_from(sorted(ARCHIVES)).flatmap(lambda kind: damaged(ARCHIVES[kind])))
def test_a_damaged_archive_is_unpacked_inside_its_folder_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("archive")
    (folder / "a").write_bytes(data)
    before = {path for path in folder.parent.iterdir()}
    try:
        archives.extract(folder / "a", folder / "out" / "here")
    except DataError as error:
        assert "\n" not in str(error) and data not in ARCHIVES.values()
        assert not (folder / "out").exists() or list((folder / "out").iterdir()) == []
    else:
        inside = {path.name: path.read_bytes() for path in (folder / "out").rglob("*") if path.is_file()}
        packed = {"a": b"hello" * 50} | ({"b": b""} if data == ARCHIVES["zip"] else {})
        assert data not in ARCHIVES.values() or inside == packed
    assert {path for path in folder.parent.iterdir()} == before
    assert {path.name for path in folder.iterdir()} <= {"a", "out"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@EVERY
@given(st.sampled_from(sorted(schema.Study.model_fields)), VALUES)
def test_a_study_with_any_value_for_a_key_is_read_or_refused(key, value):
    keys = {
        "name": "bad", "title": "t", "purpose": "p", "where": "w",
        "data": {"source": "digits", "held_out_per_class": 10}, key: value,
    }  # fmt: skip
    try:
        found = schema.parse(yaml.safe_dump(keys), "bad.yaml")
    except StudyError as error:
        assert str(error).startswith("bad.yaml: ")
    else:
        read = found.model_dump()[key]
        assert read == value or read == read | value, "what was given stands as it was given, beside defaults"


PARAMETERS = st.sampled_from(["study", "config", "train_scale", "variant", "seed", "processes", "micro_batch"])
#: Of which some name a run, and others one that no study trains.
LIKELY = st.fixed_dictionaries({
    "study": st.sampled_from(["smoke", "quarter"]), "config": st.sampled_from("AD"), "seed": st.integers(0, 3),
    "train_scale": st.sampled_from([256, "256", "jitter"]), "variant": st.sampled_from([None, "longer", "long-0.01"]),
})  # fmt: skip


@EVERY
@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda data: data.decode("latin-1")))
def test_any_text_is_a_study_or_refused(text):
    with pytest.raises(StudyError, match="^bad.yaml: "):
        schema.parse(text, "bad.yaml")


@EVERY
@given(LIKELY | st.dictionaries(PARAMETERS | st.text("abc", min_size=1), VALUES, max_size=4))
def test_any_parameters_name_a_run_or_are_refused(changes):
    given_ = {"study": "smoke", "config": "A", "train_scale": 256, "seed": 0} | changes
    try:
        run = notebooks.requested_run(given_)
    except VerydeepError:
        return
    expected = given_["study"], given_["config"], str(given_["train_scale"]), given_["seed"], given_.get("variant")
    assert (run.study.name, run.config, run.train_scale, run.seed, run.variant) == expected
    assert run.folder.parent.name == run.study.name and "/" not in run.name


@EVERY
@given(VALUES, VALUES)
def test_any_members_and_method_are_a_fusion_or_are_refused(members, method):
    with pytest.raises(VerydeepError):
        notebooks.requested_fusion({"members": members, "method": method})


SEALED = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("history.csv", "train.json"))


@EVERY
@given(st.binary(max_size=300) | damaged(SEALED.encode()))
def test_any_seal_is_read_as_it_stands_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("run")
    (folder / runs.SEAL).write_bytes(data)
    try:
        sums = runs.read_seal(folder)
    except RecordError:
        assert data != SEALED.encode()
        return
    text = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(f"{digest}  {name}\n" for name, digest in sums.items()) == text
    assert all(re.fullmatch("[0-9a-f]{64}", digest) and name for name, digest in sums.items())


def test_a_seal_that_names_a_file_twice_is_refused(tmp_path):
    (tmp_path / runs.SEAL).write_text(f"{SEALED}{'0' * 64}  train.json\n")
    with pytest.raises(RecordError, match="line 3 names train.json again"):
        runs.read_seal(tmp_path)


@settings(EVERY, max_examples=60)
@given(st.data())
def test_damaged_weights_are_refused_or_are_numbers(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    net, other = (vgg.build("A", Size(width_divisor=16, num_classes=10, crop=32)) for _ in range(2))
    for weight in other.parameters():
        weight.data.fill_(torch.nan)
    weights.publish(net, path)
    whole = path.read_bytes()
    header = data.draw(damaged(whole[:400]))
    path.write_bytes(header + whole[400:])
    pairs = zip(net.parameters(), other.parameters(), strict=True)
    try:
        weights.load_into(other, path)
    except VerydeepError as error:
        assert str(error).startswith(f"{path}: ") and header != whole[:400]
    else:
        assert all(bool(theirs.isfinite().all()) for theirs in other.parameters())
        assert header != whole[:400] or all(torch.equal(mine.half().float(), theirs) for mine, theirs in pairs)
