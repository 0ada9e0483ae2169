// Runs the model on images, beside the page, which stays responsive.

import {labelMap} from './labels.js';

let ort, session, model;

async function load(description) {
  model = description;
  ort = await import(`./runtime/${model.runtime}`);
  ort.env.wasm.wasmPaths = new URL('./runtime/', import.meta.url).href;
  // Threads need a page that is isolated from other origins, which is a matter of the server.
  const cores = navigator.hardwareConcurrency || 1;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(cores, 4) : 1;
  const file = new URL('./model.onnx', import.meta.url).href;
  session = await ort.InferenceSession.create(file, {executionProviders: ['wasm']});
  return {threads: ort.env.wasm.numThreads};
}

/** Height and width with the padding of mmseg's preprocessor, which is below and on the right. */
function padded(size) {
  const {size: least, size_divisor: divisor} = model.test_cfg ?? {};
  if (least) return size.map((length, i) => Math.max(length, least[i]));
  return divisor > 1 ? size.map((length) => Math.ceil(length / divisor) * divisor) : size;
}

/** For each channel of the input the channel of RGB, and the input's value of each pixel value. */
function channels() {
  // A file that takes images wants BGR, as OpenCV reads it, and normalises itself.
  const whole = model.input === 'image';
  const order = !whole && model.bgr_to_rgb ? [0, 1, 2] : [2, 1, 0];
  return order.map((from, c) => {
    const mean = whole ? 0 : Math.fround(model.mean[c % model.mean.length]);
    const std = whole ? 1 : Math.fround(model.std[c % model.std.length]);
    const values = Float32Array.from({length: 256}, (_, v) => Math.fround(v - mean) / std);
    return {from, values};
  });
}

/** The input [1, 3, H, W] of an image's pixels, RGBA; padding is 0. */
function inputOf({data, width, height}, [fullHeight, fullWidth]) {
  const plane = fullHeight * fullWidth;
  const input = new (model.input_dtype === 'uint8' ? Uint8Array : Float32Array)(3 * plane);
  channels().forEach(({from, values}, c) => {
    for (let y = 0; y < height; y++) {
      const to = c * plane + y * fullWidth, at = 4 * y * width + from;
      for (let x = 0; x < width; x++) input[to + x] = values[data[at + 4 * x]];
    }
  });
  return new ort.Tensor(model.input_dtype, input, [1, 3, fullHeight, fullWidth]);
}

function pixelsOf(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

/** The upper left part [height, width] of a label map that the file gave. */
function cropped(labels, [, fullWidth], [height, width]) {
  const ids = new (model.classes.length > 256 ? Uint16Array : Uint8Array)(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) ids[y * width + x] = Number(labels[y * fullWidth + x]);
  }
  return ids;
}

async function predict(bitmap) {
  const size = [bitmap.height, bitmap.width], full = padded(size);
  const start = performance.now();
  const input = inputOf(pixelsOf(bitmap), full);
  const before = performance.now();
  const output = (await session.run({[session.inputNames[0]]: input}))[session.outputNames[0]];
  const after = performance.now();
  const labels = model.output === 'labels'
    ? cropped(output.data, full, size)
    : labelMap(output.data, output.dims.slice(1), full, size, model.align_corners);
  const counts = new Uint32Array(model.classes.length);
  for (const label of labels) counts[label]++;
  const end = performance.now();
  return {bitmap, labels, counts, model: after - before, total: end - start};
}

// One after another: a session runs one image at a time.
let last = Promise.resolve();
onmessage = ({data: {id, description, bitmap}}) => {
  last = last.then(async () => {
    try {
      const result = await (description ? load(description) : predict(bitmap));
      postMessage({id, result}, bitmap ? [bitmap, result.labels.buffer] : []);
    } catch (error) {
      postMessage({id, error: error.message ?? String(error)});
    }
  });
};
