// The page: takes a picture (picture.js), has the network test it (network.js), and shows what came out. Nothing is
// sent anywhere; what is loaded comes from the folder of this file.

import { Network, STRIDE, both, centrePosition, rescale, scaledSize, wholePositions } from "./network.js";
import { Said, asCanvas, decode } from "./picture.js";

const HERE = new URL(".", import.meta.url);
const MOST_RESCALED = 2 ** 20; // pixels: a very long picture would take minutes
const FEW = 5; // classes in the short table

const root = document.getElementById("touch");
const one = (selector) => root.querySelector(selector);
const control = (name) => one(`input[name="${name}"]`);
const canvas = one(".touch-canvas");

/** What the page shows: the picture at full size, rescaled (its shorter side: Q) and as a canvas, the crop's place, the class, ... */
const state = { picture: null, rescaled: null, scale: null, drawn: null, left: 0, top: 0, class: 0 };
/** ... and what the crop and each way of testing say: null until they have. */
const UNTESTED = { crop: null, dense: null, multiCrop: null, both: null };
Object.assign(state, UNTESTED);
let network = null; // a promise, once it was asked for
let picks = 0; // rises with every picture that is taken, so that the last one counts
let turn = 0; // rises with every test, so that the one before stops

// -- Loading -----------------------------------------------------------------------------------------------

async function fetched(name) {
  const answer = await fetch(new URL(name, HERE)).catch(() => null);
  if (!answer?.ok) throw new Said(`${name} could not be loaded. Are you still online? Then take the picture again.`);
  return answer;
}

async function openNetwork() {
  if (typeof WebAssembly === "undefined") {
    throw new Said("This browser has no WebAssembly, or it is switched off, and the network needs it.");
  }
  const files = ["network.onnx", "onnxruntime/ort-wasm-simd-threaded.wasm", "network.json"];
  const [model, runtime, settings] = await Promise.all(files.map(fetched));
  const bytes = await Promise.all([model.arrayBuffer(), runtime.arrayBuffer()]);
  try {
    return await Network.open(new Uint8Array(bytes[0]), bytes[1], await settings.json());
  } catch (error) {
    throw new Said(`The network could not be started in this browser (${error.message}).`);
  }
}

/** The network, loaded when it is first asked for, and asked for again after a failure. */
function theNetwork() {
  network ??= openNetwork().catch((error) => {
    network = null;
    throw error;
  });
  return network;
}

// -- Testing -----------------------------------------------------------------------------------------------

async function take(blob) {
  const mine = ++picks;
  one(".touch-error").hidden = true;
  say("Loading the network…");
  const loading = theNetwork();
  loading.catch(() => {}); // awaited below, after a picture that may fail first
  const picture = await decode(blob);
  await loading;
  if (mine === picks) {
    state.picture = picture;
    await test();
  }
}

/** Test the picture at the scale chosen: first what is quick, then the crops. */
async function test() {
  one(".touch-error").hidden = true;
  const net = await theNetwork();
  const shorter = Number(control("scale").value);
  const { width, height } = scaledSize(state.picture, shorter);
  if (width * height > MOST_RESCALED) {
    if (state.rescaled) control("scale").value = state.scale; // what is shown stays, and is tested to its end
    await again();
    throw new Said(`At Q=${shorter} this picture has ${width}×${height} pixels, too long for this page. Crop it.`);
  }
  const mine = ++turn;
  state.rescaled = rescale(state.picture, shorter);
  state.scale = shorter;
  state.drawn = asCanvas(state.rescaled);
  const side = net.settings.crop;
  placeCrop(centrePosition(width, side), centrePosition(height, side), side);
  Object.assign(state, UNTESTED);
  one(".touch-result").hidden = false;
  say("Testing densely…");
  show(net);
  const [dense] = await Promise.all([net.dense(state.rescaled), testCrop()]);
  if (mine !== turn) return;
  state.dense = dense;
  state.class = best(dense.posteriors);
  show(net);
  const multiCrop = await net.multiCrop(state.rescaled, (done, all) => {
    if (mine === turn) say(`Testing on crops: ${done} of ${all}…`);
    return mine === turn;
  });
  if (mine !== turn) return;
  Object.assign(state, { multiCrop, both: both(dense.posteriors, multiCrop) });
  say("");
  show(net);
}

let testing = false;
/** Test the crop where it is, and again where it was moved meanwhile: while the reader drags, one at a time. */
async function testCrop() {
  if (testing) return;
  testing = true;
  try {
    const net = await theNetwork();
    let moved = true;
    while (moved) {
      const { rescaled, left, top } = state;
      const crop = await net.crop(rescaled, left, top);
      moved = rescaled !== state.rescaled || left !== state.left || top !== state.top;
      if (!moved) state.crop = crop;
    }
    show(net);
  } finally {
    testing = false;
  }
}

const best = (posteriors) => posteriors.indexOf(Math.max(...posteriors));

function placeCrop(left, top, side) {
  const room = { left: state.rescaled.width - side, top: state.rescaled.height - side };
  for (const [name, value] of Object.entries({ left, top })) {
    state[name] = Math.max(0, Math.min(room[name], value));
    Object.assign(control(name), { max: room[name], value: state[name], disabled: room[name] === 0 });
  }
}

// -- Showing -----------------------------------------------------------------------------------------------

function say(words) {
  Object.assign(one(".touch-status"), { textContent: words, hidden: !words });
}

function complain(error) {
  const unforeseen = `Something went wrong (${error.message}). Take the picture again.`;
  const words = error instanceof Said ? error.message : unforeseen;
  Object.assign(one(".touch-error"), { textContent: words, hidden: false });
  one(".touch-status").hidden = true;
}

const percent = (value) => (100 * value).toFixed(1);

function show(net) {
  for (const name of ["scale", "left", "top"]) one(`output[name="${name}"]`).textContent = control(name).value;
  draw(net);
  showClasses(net);
  showWords(net);
  showMap(net);
  // for tests and the curious: everything that the page knows
  root.result = { ...state, names: net.settings.classes };
}

/** Picture, score map and crop, drawn as large as the screen shows them. */
function draw(net) {
  const { width, height } = state.rescaled;
  canvas.style.aspectRatio = `${width} / ${height}`;
  canvas.style.maxWidth = `${Math.round((width / Math.max(width, height)) * 512)}px`;
  const scale = (canvas.clientWidth / width) * window.devicePixelRatio;
  Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
  const context = canvas.getContext("2d");
  context.drawImage(state.drawn, 0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  const line = window.devicePixelRatio / scale; // a pixel of the screen
  if (state.dense && control("shown").checked) drawMap(context, line, net.settings.crop);
  for (const [colour, wide] of [["black", 4], ["white", 2]]) {
    context.strokeStyle = colour;
    context.lineWidth = wide * line;
    const side = net.settings.crop - 4 * line; // the line lies inside
    context.strokeRect(state.left + 2 * line, state.top + 2 * line, side, side);
  }
}

/** Each position of the score map as a square of one stride in the middle of the window that it sees. */
function drawMap(context, line, crop) {
  context.font = `600 ${11 * line}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  state.dense.map.forEach((row, r) =>
    row.forEach((posteriors, c) => {
      const value = posteriors[state.class];
      const [x, y] = [c, r].map((place) => place * STRIDE + (crop - STRIDE) / 2);
      context.fillStyle = `rgba(230, 97, 0, ${0.1 + 0.75 * value})`;
      context.fillRect(x, y, STRIDE - line, STRIDE - line);
      if (STRIDE / line < 26) return; // no room for a number
      context.strokeStyle = "rgba(0, 0, 0, .8)";
      context.lineWidth = 3 * line;
      context.fillStyle = "white";
      const words = Math.round(100 * value);
      context.strokeText(words, x + STRIDE / 2, y + STRIDE / 2);
      context.fillText(words, x + STRIDE / 2, y + STRIDE / 2);
    }),
  );
}

function showClasses({ settings }) {
  const columns = [state.crop, state.dense?.posteriors, state.multiCrop, state.both];
  const order = settings.classes.map((_, k) => k);
  const sorted = state.both ?? state.dense?.posteriors;
  if (sorted) order.sort((a, b) => sorted[b] - sorted[a]);
  const shown = control("all").checked ? order : order.slice(0, FEW);
  if (!shown.includes(state.class)) shown.push(state.class);
  const focused = document.activeElement?.name === "class";
  one(".touch-classes tbody").replaceChildren(
    ...shown.map((k) => {
      const row = document.createElement("tr");
      const head = Object.assign(document.createElement("th"), { scope: "row" });
      const label = document.createElement("label");
      const choice = Object.assign(document.createElement("input"), { type: "radio", name: "class", value: k });
      choice.checked = k === state.class;
      label.append(choice, settings.classes[k]);
      head.append(label);
      row.append(head);
      for (const column of columns) {
        const cell = document.createElement("td");
        cell.textContent = column ? percent(column[k]) : "…";
        cell.style.setProperty("--part", column ? `${100 * column[k]}%` : "0%");
        row.append(cell);
      }
      return row;
    }),
  );
  if (focused) one('input[name="class"]:checked').focus();
}

/** The same in sentences, which a screen reader reads out and which say how the ways differ. */
function showWords({ settings }) {
  const { rescaled, dense, multiCrop, crop } = state;
  const sentences = [];
  const called = (posteriors) => `${settings.classes[best(posteriors)]} (${percent(Math.max(...posteriors))} %)`;
  if (dense) {
    const [rows, columns] = [dense.map.length, dense.map[0].length];
    sentences.push(
      `At Q=${state.scale} the picture has ${rescaled.width}×${rescaled.height} pixels and the score map ` +
        `${columns}×${rows} positions. Dense testing says ${called(dense.posteriors)}.`,
    );
  }
  if (multiCrop) {
    const apart = dense.posteriors.map((value, k) => Math.abs(value - multiCrop[k]));
    const most = best(apart);
    sentences.push(
      `Multi-crop testing says ${called(multiCrop)}, both together ${called(state.both)}. The two ways differ most ` +
        `for ${settings.classes[most]}: ${percent(dense.posteriors[most])} % densely, ` +
        `${percent(multiCrop[most])} % on crops.`,
    );
  }
  if (dense && crop) {
    const [row, column] = [nearest(state.top, rescaled.height), nearest(state.left, rescaled.width)];
    const here = dense.map[row][column][state.class];
    sentences.push(
      `For ${settings.classes[state.class]} the crop at (${state.left}, ${state.top}) gives ` +
        `${percent(crop[state.class])} %, and the position of the score map whose window is nearest, at ` +
        `(${STRIDE * column}, ${STRIDE * row}), ${percent(here)} %.`,
    );
  }
  const paragraphs = sentences.map((words) => Object.assign(document.createElement("p"), { textContent: words }));
  if (one(".touch-words").textContent !== sentences.join("")) one(".touch-words").replaceChildren(...paragraphs);
  canvas.setAttribute("aria-label", `The picture, its score map and the crop. ${sentences.join(" ")}`);

  function nearest(offset, length) {
    return Math.min(Math.round(offset / STRIDE), wholePositions(length, settings.crop) - 1);
  }
}

function showMap({ settings }) {
  one("#touch-map").textContent = `Probability of ${settings.classes[state.class]} in percent, position by position:`;
  one(".touch-map tbody").replaceChildren(
    ...(state.dense?.map ?? []).map((positions) => {
      const row = document.createElement("tr");
      row.append(
        ...positions.map((posteriors) =>
          Object.assign(document.createElement("td"), { textContent: percent(posteriors[state.class]) }),
        ),
      );
      return row;
    }),
  );
}

// -- What the reader does ----------------------------------------------------------------------------------

/** Runs what an event asks for; what fails is said. */
const on = (target, events, act) => {
  const acting = async (event) => act(event);
  for (const event of events.split(" ")) target.addEventListener(event, (given) => acting(given).catch(complain));
};
const again = async () => state.rescaled && show(await theNetwork());

for (const button of root.querySelectorAll("[data-picture]")) {
  on(button, "click", async () => {
    const answer = await fetch(button.dataset.picture).catch(() => null);
    if (!answer?.ok) throw new Said("The picture could not be loaded. Are you still online?");
    await take(await answer.blob());
  });
}
on(one("input[type=file]"), "change", async ({ target }) => {
  const [file] = target.files;
  target.value = ""; // so that the same file can be taken again
  if (file) await take(file);
});
on(root, "dragover dragleave drop", async (event) => {
  event.preventDefault();
  root.classList.toggle("touch-over", event.type === "dragover");
  if (event.type !== "drop") return;
  const [file] = event.dataTransfer.files;
  if (!file) throw new Said("What was dropped is no file. Drop a picture from your own computer.");
  await take(file);
});

let waiting;
on(control("scale"), "input", () => {
  one('output[name="scale"]').textContent = control("scale").value;
  clearTimeout(waiting); // a slider that is drawn along asks for every scale on the way
  return new Promise((resolve) => (waiting = setTimeout(resolve, 200))).then(() => state.picture && test());
});
on(root, "input", async ({ target }) => {
  if (target.name === "left" || target.name === "top") {
    Object.assign(state, { [target.name]: Number(target.value), crop: null }); // what was said is of the old place
    await again();
    await testCrop();
  } else if (target.name === "class") {
    state.class = Number(target.value);
    await again();
  } else if (target.name === "all" || target.name === "shown") {
    await again();
  }
});

let grip = null; // where in the crop the pointer holds it, in pixels of the rescaled picture
on(canvas, "pointerdown pointermove pointerup pointercancel", async (event) => {
  if (!state.rescaled) return;
  const scale = state.rescaled.width / canvas.clientWidth;
  const [x, y] = [event.offsetX * scale, event.offsetY * scale];
  const { crop } = (await theNetwork()).settings;
  if (event.type === "pointerdown") {
    const inside = x >= state.left && y >= state.top && x < state.left + crop && y < state.top + crop;
    grip = inside ? { x: x - state.left, y: y - state.top } : { x: crop / 2, y: crop / 2 };
    canvas.setPointerCapture(event.pointerId);
  } else if (event.type !== "pointermove") {
    grip = null;
    return;
  }
  if (!grip) return;
  placeCrop(Math.round(x - grip.x), Math.round(y - grip.y), crop);
  state.crop = null;
  await again();
  await testCrop();
});
new ResizeObserver(() => again().catch(complain)).observe(one(".touch-stage"));
