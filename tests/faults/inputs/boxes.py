"""Boxes that are none, lie where they cannot, or hide something else."""

from faults import small
from faults.cases import Entry, case
from faults.world import World
from verydeep.data import annotations, boxes, sources, store


def _read(kind: type[sources.Source], folder) -> Entry:
    """Read every box of a set whose images are stored already: nothing else is written."""
    source = kind(folder)
    opened = store.open_store(source)
    return lambda: boxes.read_boxes(source, opened)


def line_case(what: str, line: str, says: str, file: str = "train/n01/n01_boxes.txt"):
    """A line in place of the second of one of Tiny ImageNet's lists."""

    @case("box", what, rf"error: .*{file}: {says}")
    def add(world: World) -> Entry:
        folder = small.make_tiny(world)
        small.box_tiny(folder)
        entry = _read(small.SmallTiny, folder)
        path = folder / file
        path.write_text(f"{path.read_text().splitlines()[0]}\n{line}\n", encoding="utf-8")
        return entry


line_case("negative", "n01_1.JPEG\t-1\t2\t30\t40", "line 2: the box -1 2 30 40 begins outside the image")
line_case("outside", "n01_1.JPEG\t1\t2\t64\t40", "line 2: the box 1 2 64 40 ends outside the image of 64x64")
line_case("empty", "n01_1.JPEG\t30\t2\t29\t40", "line 2: the box 30 2 29 40 is empty")
line_case("no numbers", "n01_1.JPEG\t1\t2\tx\t40", "line 2: '1 2 x 40' are no four whole numbers")
line_case("a number of Python", "n01_1.JPEG\t1\t2\t3_0\t40", "line 2: '1 2 3_0 40' are no four whole numbers")
line_case("digits of another script", "n01_1.JPEG\t1\t٢\t30\t40", "line 2: '1 ٢ 30 40' are no four whole numbers")
line_case("too few numbers", "n01_1.JPEG\t1\t2\t30", "line 2 has 4 fields, 5 expected")
line_case("several for one image", "n01_0.JPEG\t1\t2\t30\t40", "line 2: a second box for n01_0.JPEG")
line_case("of an image that is not there", "n01_9.JPEG\t1\t2\t30\t40", "has a box for n01_9.JPEG, which is not there")
line_case("of a validation image, outside", "val_1.JPEG\tn02\t0\t0\t63\t99", "line 2: the box 0 0 63 99 ends outside",
          "val/val_annotations.txt")  # fmt: skip


@case("box", "missing for an image", r"error: .*n01_boxes.txt: has no box for n01_1.JPEG")
def _missing(world):
    folder = small.make_tiny(world)
    small.box_tiny(folder)
    entry = _read(small.SmallTiny, folder)
    path = folder / "train/n01/n01_boxes.txt"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    return entry


@case("box", "file missing", r"error: .*n02_boxes.txt: cannot be read")
def _no_file(world):
    folder = small.make_tiny(world)
    small.box_tiny(folder)
    entry = _read(small.SmallTiny, folder)
    (folder / "train/n02/n02_boxes.txt").unlink()
    return entry


class SmallImagenet(sources.Imagenet):
    """ILSVRC's layout, boxes in XML."""

    name, num_classes, counts = "small-xml", 2, {"train": 4, "val": 2}


def xml_case(what: str, text: str, says: str):
    """An XML file in place of that of a validation image."""

    @case("box", what, rf"error: .*val_n01_0.xml: {says}")
    def add(world: World) -> Entry:
        folder = small.make(world)
        path = folder / "boxes/val/val_n01_0.xml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return _read(SmallImagenet, folder)


_BOMB = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10}">' for k in range(1, 10))
xml_case("XML bomb", f'<!DOCTYPE x [<!ENTITY e0 "x">{_BOMB}]><annotation>&e9;</annotation>', "not the XML of boxes")
xml_case(
    "XML that reads another file",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation>&e;</annotation>',
    "not the XML of boxes",
)
xml_case("XML cut short", "<annotation><size>", "not the XML of boxes")
xml_case("XML without a box", "<annotation><size><width>9</width><height>9</height></size></annotation>", "has no box")
xml_case("XML of many megabytes", "<a>" + " " * annotations.MAX_XML_BYTES + "</a>", "larger than")


@case("box", "set that has none", r"error: small has no boxes: nothing can be localised on its images")
def _none(world):
    return _read(small.Small, small.make(world))


@case(
    "study", "key of localisation that is none", "error: .*pcr-all.localisation.match_: unknown key, did you mean match"
)
def _key(world):
    from verydeep.studies import schema

    text = (schema.FOLDER / "smoke.yaml").read_text()
    line = "pcr-all: {boxes: pcr, "
    assert line in text
    text = text.replace(line, line + "localisation: {match_: iou}, ", 1)
    return lambda: schema.parse(text, "studies/smoke.yaml")


@case(
    "study", "boxes on images that have none", "error: .*variants.pcr-all.boxes: the data set imagenet20 has no boxes"
)
def _study(world):
    from verydeep.studies import schema

    text = (schema.FOLDER / "narrow.yaml").read_text()
    line = '  pcr-all: {boxes: pcr, networks: [D-256], why: "x", set: {}}\n'
    text = text.replace("variants:\n", f"variants:\n{line}", 1)
    return lambda: schema.parse(text, "studies/narrow.yaml")
