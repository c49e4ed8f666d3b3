"""The page that runs a network in the browser: what it loads, what it says, and what it says when something fails."""

import base64
import io
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from conftest import REPOSITORY
from verydeep import assembly, files, runs, studies
from verydeep.data.normaliser import Normaliser
from verydeep.data.views import rescale
from verydeep.evaluation.ways import WAYS
from verydeep.studies import schema

TOUCH = REPOSITORY / "book/evaluation/touch"
PICTURES = ("tower", "dog", "flower")

#: As the book shows it, without the book: its folder beside a page that has nothing else.
PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Test</title><link rel="icon" href="data:,">{}</html>'
)


@pytest.fixture(scope="module")
def address(tmp_path_factory, served):
    folder = tmp_path_factory.mktemp("touch")
    shutil.copytree(TOUCH, folder / "touch")
    (folder / "touch.html").write_text(PAGE.format((TOUCH / "page.html").read_text()))
    with served(folder) as found:
        yield found


def take(page, address, picture):
    """Open the page and take a supplied picture, or the file given; wait for every way of testing."""
    page.goto(f"{address}/touch.html")
    if picture in PICTURES:
        page.click(f"[data-picture$='/{picture}.jpg']")
    else:
        page.set_input_files("input[type=file]", picture)
    return result(page)


def result(page, scale=256):
    """What the page knows once every way has tested at the scale."""
    done = f"document.querySelector('#touch').result?.both && document.querySelector('#touch').result.scale === {scale}"
    page.wait_for_function(done, timeout=60_000)
    return page.evaluate("(({picture, rescaled, drawn, ...others}) => others)(document.querySelector('#touch').result)")


def pixels(page, name):
    """The page's picture, or its rescaled one: uint8 (height, width, 3)."""
    height, width, data = page.evaluate(
        """name => {
            const {height, width, data} = document.querySelector('#touch').result[name];
            let letters = '';
            for (let k = 0; k < data.length; k += 4096) letters += String.fromCharCode(...data.subarray(k, k + 4096));
            return [height, width, btoa(letters)];
        }""",
        name,
    )
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 3)


@pytest.fixture(scope="module")
def tested():
    """What Python says of a picture at a scale, by way of testing; the crop is the one in the middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERYDEEP_ROOT", str(REPOSITORY))
        run = studies.find_run("narrow", "D", 256)
        net = assembly.load_network(run)
        colours = runs.read_record(run, "train").data.statistics
    normalise = Normaliser(torch.tensor(colours.mean, dtype=torch.float32), colours.deviation)

    @torch.inference_mode()
    def test(picture, scale):
        images = normalise(rescale(picture, scale)[None])
        said = {name: way(net, schema.Testing())(images).posteriors[0].numpy() for name, way in WAYS.items()}
        return said | {"both": (said["dense"] + said["multi-crop"]) / 2}

    return test


@pytest.mark.browser
@pytest.mark.parametrize("picture", PICTURES)
def test_a_supplied_picture_is_classified_as_python_does(page, address, tested, picture):
    """Decoded and resized to the same bits, so that nothing but the order of sums is left."""
    found = take(page, address, picture)
    read = np.asarray(Image.open(TOUCH / f"pictures/{picture}.jpg").convert("RGB"))
    assert np.array_equal(pixels(page, "picture"), read)
    for scale in (256, 384) if picture == "tower" else (256,):
        if scale != 256:
            page.fill("input[name=scale]", str(scale))
            found = result(page, scale)
        assert np.array_equal(pixels(page, "rescaled"), rescale(read, scale))
        said = tested(read, scale)
        for name, ours in {"dense": found["dense"]["posteriors"], "multi-crop": found["multiCrop"]}.items():
            assert np.abs(said[name] - ours).max() < 1e-3, (scale, name)
        assert np.abs(said["both"] - found["both"]).max() < 1e-3
        shown = page.locator(".touch-classes tbody tr").first.inner_text().split("\t")
        first = int(np.argmax(said["both"]))
        assert shown[0].strip() == found["names"][first]
        assert float(shown[4]) == pytest.approx(100 * said["both"][first], abs=0.15)


@pytest.mark.browser
@pytest.mark.parametrize(("size", "mode"), [((77, 91), "L"), ((1201, 803), "RGB"), ((256, 256), "RGB")])
def test_any_picture_is_resized_as_python_does(page, address, tested, tmp_path, size, mode):
    """Enlarged, shrunk, left alone."""
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).convert(mode).save(tmp_path / "noise.png")
    found = take(page, address, tmp_path / "noise.png")
    read = np.asarray(Image.open(tmp_path / "noise.png").convert("RGB"))
    assert np.array_equal(pixels(page, "rescaled"), rescale(read, 256))
    assert np.abs(tested(read, 256)["both"] - found["both"]).max() < 1e-3


@pytest.mark.browser
def test_the_crop_moves_by_pointer_and_by_keyboard(page, address, tested):
    found = take(page, address, "tower")
    read = pixels(page, "picture")
    width, height = Image.fromarray(rescale(read, 256)).size
    middle = tested(read, 256)["centre-crop"]
    assert np.abs(middle - found["crop"]).max() < 1e-3

    def moved(left, top):
        page.wait_for_function(
            f"(() => {{ const {{left, top, crop}} = document.querySelector('#touch').result;"
            f"return left === {left} && top === {top} && crop !== null; }})()"
        )
        return page.evaluate("document.querySelector('#touch').result.crop")

    page.locator("input[name=left]").focus()
    page.keyboard.press("ArrowRight")
    right = moved(found["left"] + 1, found["top"])
    assert np.abs(np.array(right) - middle).max() > 1e-6
    box = page.locator(".touch-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + box["height"] - 3, steps=5)
    page.mouse.up()
    corner = moved(width - 224, height - 224)
    assert page.input_value("input[name=left]") == str(width - 224)
    assert np.abs(np.array(corner) - middle).max() > 1e-3


@pytest.mark.browser
def test_nothing_is_said_of_a_place_or_a_scale_that_was_not_tested(page, address, tmp_path):
    """While a crop is tested anew, and when a picture would be too large at the scale that was asked for."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (100, 500, 3), np.uint8)).save(tmp_path / "wide.png")
    found = take(page, address, tmp_path / "wide.png")
    known = "(({crop, scale, left}) => ({crop, scale, left}))(document.querySelector('#touch').result)"
    page.evaluate(
        """known => {
            window.seen = [];
            new MutationObserver(() => seen.push(eval(known)))
                .observe(document.querySelector('.touch-classes tbody'), {childList: true});
        }""",
        known,
    )
    page.locator("input[name=left]").press("ArrowRight")
    page.wait_for_function(f"{known}.crop && {known}.left === {found['left'] + 1}")
    page.wait_for_function("window.seen.length > 1")
    seen = page.evaluate("window.seen")
    assert seen[0]["left"] == found["left"] + 1 and seen[0]["crop"] is None
    page.fill("input[name=scale]", "512")
    page.locator(".touch-error").first.wait_for(state="visible")
    assert "At Q=512 this picture has 2560×512 pixels" in page.locator(".touch-error").first.inner_text()
    page.check("input[name=all]")
    assert page.evaluate(known)["scale"] == 256 and page.input_value("input[name=scale]") == "256"
    assert "At Q=256 the picture has 1280×256 pixels" in page.inner_text(".touch-words")


@pytest.mark.browser
def test_nothing_but_the_books_own_files_is_asked_for(page, address):
    asked = []
    page.on("request", lambda request: asked.append((request.method, request.url)))
    take(page, address, "dog")
    assert len(asked) >= 9
    assert all(method == "GET" and url.startswith((address, "data:", f"blob:{address}")) for method, url in asked), (
        asked
    )


@pytest.mark.browser
def test_everything_can_be_done_by_keyboard_and_is_said_in_words(page, address):
    page.goto(f"{address}/touch.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    found = result(page)
    words = page.inner_text(".touch-words")
    for posteriors in (found["dense"]["posteriors"], found["multiCrop"], found["both"]):
        best = int(np.argmax(posteriors))
        assert f"{found['names'][best]} ({100 * posteriors[best]:.1f} %)" in words
    assert words.replace("\n\n", " ") in page.get_attribute(".touch-canvas", "aria-label")
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert {"scale", "left", "top", "shown", "class", "all", "SUMMARY"} <= reached
    page.click("summary")
    cells = page.locator(".touch-map td").all_inner_texts()
    map_ = found["dense"]["map"]
    assert [float(cell) for cell in cells] == pytest.approx(
        [100 * position[found["class"]] for row in map_ for position in row], abs=0.051
    )


@pytest.mark.browser
def test_an_accessibility_audit_of_the_filled_page_finds_nothing_serious(page, address):
    from axe_playwright_python.sync_playwright import Axe

    take(page, address, "tower")
    page.check("input[name=all]")
    page.click("summary")
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [fault["id"] for fault in found if fault["impact"] in ("serious", "critical")] == []


@pytest.mark.browser
@pytest.mark.parametrize("broken", ["text", "narrow", "onnx", "wasm", "no wasm", "script", "offline"])
def test_what_fails_is_said_in_words(browser, address, tmp_path, broken):
    """In a page of its own: here errors are expected."""
    said = {
        "text": "not a picture",
        "narrow": "too long for this page",
        "onnx": "network.onnx could not be loaded",
        "wasm": "could not be started in this browser",
        "no wasm": "has no WebAssembly",
        "script": "could not be loaded. Load the page again",
        "offline": "Are you still online?",
    }[broken]
    page = browser.new_page()
    if broken == "onnx":
        page.route("**/network.onnx", lambda route: route.fulfill(status=404))
    elif broken == "wasm":
        page.route("**/*.wasm", lambda route: route.fulfill(body=b"no program"))
    elif broken == "no wasm":
        page.add_init_script("delete window.WebAssembly")
    elif broken == "script":
        page.route("**/touch.js", lambda route: route.fulfill(status=404))
    page.goto(f"{address}/touch.html")
    if broken == "offline":
        page.context.set_offline(True)
    if broken == "text":
        page.set_input_files("input[type=file]", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"a text"})
    elif broken == "narrow":
        stream = io.BytesIO()
        Image.new("RGB", (2000, 10)).save(stream, "PNG")
        page.set_input_files(
            "input[type=file]", {"name": "a.png", "mimeType": "image/png", "buffer": stream.getvalue()}
        )
    elif broken != "script":
        page.click("[data-picture$='/dog.jpg']")
    alert = page.locator(".touch-error").first
    alert.wait_for(state="visible", timeout=60_000)
    assert said in alert.inner_text()
    assert page.locator(".touch-status").is_hidden()
    page.close()


@pytest.mark.browser
def test_a_page_opened_as_a_file_says_what_to_do(browser, tmp_path):
    shutil.copytree(TOUCH, tmp_path / "touch")
    (tmp_path / "touch.html").write_text(PAGE.format((TOUCH / "page.html").read_text()))
    page = browser.new_page()
    page.goto((tmp_path / "touch.html").as_uri())
    assert "python -m http.server" in page.locator(".touch-error").first.inner_text()
    page.close()


def test_the_runtime_is_what_its_publisher_published():
    source = yaml.safe_load((TOUCH / "onnxruntime/source.yaml").read_text())
    for name, file in source["files"].items():
        assert files.sha256(TOUCH / "onnxruntime" / name) == file["sha256"], name
    pinned = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert f"onnxruntime=={source['version']}" in pinned, "what is tested in Python is what runs in the browser"
    assert "MIT License" in (TOUCH / "onnxruntime/LICENSE").read_text()


def test_every_supplied_picture_has_its_author_and_licence_on_the_page():
    page, shown = (REPOSITORY / "book/evaluation/touch.md").read_text(), (TOUCH / "page.html").read_text()
    for path in (TOUCH / "pictures").iterdir():
        assert f"touch/pictures/{path.name}" in shown and path.stat().st_size < 2**18
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {path.stem}")]
        assert "CC " in line or "CC0" in line
