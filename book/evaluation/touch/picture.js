// Pictures: from a file to pixels, and from pixels to the screen. A picture is {width, height, data}: data is a
// Uint8Array of RGB, row by row.

const MOST_PIXELS = 50e6; // more do not fit a canvas, and on some phones fewer do not

/** An error in words for the reader. */
export class Said extends Error {}

/** A picture's pixels, upright, as they stand in the file: no colour profile is applied, as in the package. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" }).catch(() => {
    throw new Said("This is not a picture that your browser can read. JPEG, PNG and WebP will do.");
  });
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    throw new Said(`This picture has ${width}×${height} pixels, more than this page takes. Make it smaller first.`);
  }
  const drawn = Object.assign(document.createElement("canvas"), { width, height });
  const context = drawn.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // shows where the picture is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  drawn.width = drawn.height = 0; // some browsers have room for few canvases, and free them late
  if (rgba[3] === 0) throw new Said("This picture is too large for this browser. Make it smaller first.");
  const data = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < data.length; from++) if (from % 4 !== 3) data[to++] = rgba[from];
  return { width, height, data };
}

/** A picture as a canvas, which is drawn faster. */
export function asCanvas({ width, height, data }) {
  const pixels = new ImageData(width, height);
  pixels.data.fill(255);
  for (let from = 0, to = 0; from < data.length; to++) if (to % 4 !== 3) pixels.data[to] = data[from++];
  const drawn = Object.assign(document.createElement("canvas"), { width, height });
  drawn.getContext("2d").putImageData(pixels, 0, 0);
  return drawn;
}
