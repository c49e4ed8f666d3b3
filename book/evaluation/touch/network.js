// A network tested on one picture as the package does it: data/views.py, data/normaliser.py, networks/dense.py and
// evaluation/ways.py, function by function. No part of this file knows of the page.
//
// A picture is {width, height, data}: data is a Uint8Array of RGB, row by row.

import * as ort from "./onnxruntime/ort.wasm.bundle.min.js";

export const STRIDE = 32; // pixels between two positions of the score map: five poolings

// -- data/views.py -----------------------------------------------------------------------------------------

/** Python's round: a half goes to the even neighbour. */
function rounded(x) {
  const up = Math.floor(x + 0.5);
  return up - x === 0.5 && up % 2 ? up - 1 : up;
}

/** The size after rescaling so that the shorter side is `shorter`. */
export function scaledSize({ width, height }, shorter) {
  return height <= width
    ? { width: Math.max(shorter, rounded((width * shorter) / height)), height: shorter }
    : { width: shorter, height: Math.max(shorter, rounded((height * shorter) / width)) };
}

/**
 * For each pixel of a side of `after`, which pixels of the side of `before` it averages, and with what weights: those
 * of Pillow's bilinear filter, which widens when a picture shrinks, in its 22 bits of fixed point.
 */
function weights(before, after) {
  const scale = before / after;
  const support = Math.max(scale, 1);
  const inverse = 1 / support;
  return Array.from({ length: after }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(before, Math.floor(centre + support + 0.5));
    const raw = Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs((first + k - centre + 0.5) * inverse)),
    );
    const total = raw.reduce((sum, one) => sum + one, 0);
    return { first, weights: raw.map((one) => Math.floor((one / total) * 2 ** 22 + 0.5)) };
  });
}

/** One direction of the resizing: `lines` lines, their pixels `step` values apart and the lines `line` values. */
function resizeAlong(data, plan, lines, step, line, stepAfter, lineAfter) {
  const out = new Uint8Array(plan.length * lines * 3);
  for (let k = 0; k < lines; k++) {
    for (let place = 0; place < plan.length; place++) {
      const { first, weights: factors } = plan[place];
      for (let channel = 0; channel < 3; channel++) {
        let sum = 2 ** 21;
        let at = k * line + first * step + channel;
        for (let i = 0; i < factors.length; i++, at += step) sum += data[at] * factors[i];
        out[k * lineAfter + place * stepAfter + channel] = Math.min(255, sum >> 22);
      }
    }
  }
  return out;
}

/** The picture with a shorter side of `shorter` pixels, to the bit as Pillow resizes it. */
export function rescale(picture, shorter) {
  const size = scaledSize(picture, shorter);
  const { width, height } = picture;
  let { data } = picture;
  if (size.width !== width) {
    data = resizeAlong(data, weights(width, size.width), height, 3, 3 * width, 3, 3 * size.width);
  }
  if (size.height !== height) {
    const row = 3 * size.width;
    data = resizeAlong(data, weights(height, size.height), size.width, row, 3, row, 3);
  }
  return { ...size, data };
}

/** Offsets of `perSide` crops along a side, evenly from edge to edge. */
export function gridPositions(length, crop, perSide) {
  return Array.from({ length: perSide }, (_, k) => Math.floor(((length - crop) * k) / (perSide - 1) + 0.5));
}

/** Offset of the centre crop along a side. */
export function centrePosition(length, crop) {
  return rounded((length - crop) / 2);
}

// -- networks/dense.py -------------------------------------------------------------------------------------

/** How many positions of the score map, along a side, see a whole training crop. */
export function wholePositions(length, crop) {
  return Math.floor((length - crop) / STRIDE) + 1;
}

export function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((sum, one) => sum + one, 0);
  return powers.map((one) => one / total);
}

/** The mean of several lists of numbers, each counted so often. */
function average(lists, counts = lists.map(() => 1)) {
  const total = counts.reduce((sum, one) => sum + one, 0);
  return lists[0].map((_, k) => lists.reduce((sum, list, i) => sum + counts[i] * list[k], 0) / total);
}

// -- The network, and evaluation/ways.py -------------------------------------------------------------------

export class Network {
  /** `model`: the bytes of network.onnx. `runtime`: those of ONNX Runtime. `settings`: network.json. */
  static async open(model, runtime, settings) {
    ort.env.wasm.wasmBinary = runtime;
    ort.env.wasm.numThreads = 1; // several need headers that a plain server does not send
    ort.env.wasm.proxy = true; // in a worker, so that the page stays alive meanwhile
    const network = new Network();
    network.settings = settings;
    network.session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    return network;
  }

  /** What the network takes of a part of a picture: mean subtracted, divided, channel by channel. */
  input(picture, { left, top, width, height }, mirrored) {
    const { mean, divisor } = this.settings;
    const values = new Float32Array(3 * width * height);
    for (let channel = 0, to = 0; channel < 3; channel++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++, to++) {
          const column = left + (mirrored ? width - 1 - x : x);
          const value = picture.data[3 * ((top + y) * picture.width + column) + channel];
          values[to] = (value - mean[channel]) / divisor;
        }
      }
    }
    return new ort.Tensor("float32", values, [1, 3, height, width]);
  }

  /** The scores at every position that sees a whole training crop: [row][column][class]. */
  async scores(picture, part, mirrored) {
    const { scores } = await this.session.run({ images: this.input(picture, part, mirrored) });
    const [, classes, height, width] = scores.dims;
    const [rows, columns] = [part.height, part.width].map((side) => wholePositions(side, this.settings.crop));
    return Array.from({ length: rows }, (_, row) =>
      Array.from({ length: columns }, (_, column) =>
        Array.from({ length: classes }, (_, k) => scores.data[(k * height + row) * width + column]),
      ),
    );
  }

  /** Dense testing: the probabilities of the classes, and their map, [row][column][class]. */
  async dense(picture) {
    const whole = { left: 0, top: 0, width: picture.width, height: picture.height };
    const maps = [await this.scores(picture, whole, false), await this.scores(picture, whole, true)];
    const posteriors = average(maps.map((map) => softmax(average(map.flat()))));
    return { posteriors, map: maps[0].map((row) => row.map(softmax)) };
  }

  /** The probabilities for one crop of the training size. */
  async crop(picture, left, top, mirrored = false) {
    const side = this.settings.crop;
    const [[scores]] = await this.scores(picture, { left, top, width: side, height: side }, mirrored);
    return softmax(scores);
  }

  /**
   * Multi-crop testing: a grid of crops and their mirror images. Crops of one place go through the network once.
   * `progress(done, all)` is called before each, and stops the test by answering false; null then comes back.
   */
  async multiCrop(picture, progress) {
    const { crop, crops_per_side: perSide } = this.settings;
    const [tops, lefts] = [picture.height, picture.width].map((side) => gridPositions(side, crop, perSide));
    const counts = new Map();
    for (const top of tops) {
      for (const left of lefts) {
        for (const mirrored of [false, true]) {
          const view = JSON.stringify([left, top, mirrored]);
          counts.set(view, (counts.get(view) ?? 0) + 1);
        }
      }
    }
    const found = [];
    for (const view of counts.keys()) {
      if (!progress(found.length, counts.size)) return null;
      found.push(await this.crop(picture, ...JSON.parse(view)));
    }
    return average(found, [...counts.values()]);
  }
}

/** Both ways together: the average of the two. */
export function both(dense, multiCrop) {
  return average([dense, multiCrop]);
}
