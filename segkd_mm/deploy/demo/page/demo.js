// The page: sources of images, the picture with its labels, the legend.

import {greyPng} from './png.js';

const get = (id) => document.getElementById(id);
const worker = new Worker('worker.js', {type: 'module'});
const waiting = new Map();
let description, colours, shown = null, images = [], index = 0, stream = null;
let turn = 0, newest = 0;  // of what the worker was asked; of the pictures

worker.onmessage = ({data: {id, result, error}}) => {
  const {resolve, reject} = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(result);
  else reject(new Error(error));
};
worker.onerror = (event) => say(`The page cannot run: ${event.message ?? 'its worker did not load'}.`);

/** Asks the worker; gives its result. */
function ask(message, transfer = []) {
  const id = ++turn;
  return new Promise((resolve, reject) => {
    waiting.set(id, {resolve, reject});
    worker.postMessage({id, ...message}, transfer);
  });
}

function say(text) {
  get('message').textContent = text;
  get('message').hidden = !text;
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function makeLegend() {
  get('classes').replaceChildren(...description.classes.map((name, c) => {
    const line = document.createElement('li');
    for (const part of ['swatch', 'name', 'share', 'bar']) {
      const span = document.createElement('span');
      span.className = part;
      line.append(span);
    }
    line.children[0].style.background = `rgb(${description.palette[c].join(' ')})`;
    line.children[1].textContent = name;
    return line;
  }));
}

function showShares(counts, pixels) {
  [...get('classes').children].forEach((line, c) => {
    const share = counts[c] / pixels;
    line.classList.toggle('absent', !counts[c]);
    line.children[2].textContent = percent(share);
    line.children[3].style.setProperty('--v', 100 * share);
  });
}

/** The classes with the largest shares, in words. */
function summary(counts, pixels) {
  const order = [...counts.keys()].filter((c) => counts[c]).sort((a, b) => counts[b] - counts[a]);
  return order.slice(0, 3).map((c) => `${description.classes[c]} ${percent(counts[c] / pixels)}`)
    .join(', ');
}

function draw({bitmap, labels, counts, model, total}, name) {
  const {width, height} = bitmap;
  for (const id of ['picture', 'overlay']) Object.assign(get(id), {width, height});
  get('picture').getContext('2d').drawImage(bitmap, 0, 0);
  bitmap.close();
  const overlay = new ImageData(width, height), pixels = new Uint32Array(overlay.data.buffer);
  for (let i = 0; i < labels.length; i++) pixels[i] = colours[labels[i]];
  get('overlay').getContext('2d').putImageData(overlay, 0, 0);
  showShares(counts, labels.length);
  get('picture').setAttribute('aria-label', `${name}: ${summary(counts, labels.length)}`);
  get('empty').hidden = true;
  get('model-ms').textContent = `${model.toFixed(0)} ms`;
  get('total-ms').textContent = `${total.toFixed(0)} ms`;
  get('size').textContent = `${width} × ${height}`;
  get('save').disabled = false;
  shown = {labels, width, height, name};
}

/** Width and height to which the tests of the model resize an image, as mmcv's Resize does. */
function testSize({scale, scale_factor: factor, keep_ratio: keepsRatio}, size) {
  const rounded = (factors) => size.map((length, i) => Math.floor(length * factors[i] + 0.5));
  const pair = (value) => Array.isArray(value) ? value : [value, value];
  const wanted = scale ? pair(scale) : rounded(pair(factor));
  if (!keepsRatio) return wanted;
  const longest = Math.max(...wanted) / Math.max(...size);
  const shortest = Math.min(...wanted) / Math.min(...size);
  return rounded(pair(Math.min(longest, shortest)));
}

/** Width and height no longer than the reader wants. */
function chosenSize(size) {
  const longest = Math.max(...size), most = Number(get('side').value);
  if (!most || longest <= most) return size;
  return size.map((length) => Math.max(1, Math.round(length * most / longest)));
}

/** An image at the size of the model's tests, or no longer than the reader wants it. */
async function bitmapOf(source) {
  const bitmap = await createImageBitmap(source, {
    imageOrientation: description.turn_by_exif ? 'from-image' : 'none',
    colorSpaceConversion: 'none', premultiplyAlpha: 'none',
  });
  const own = [bitmap.width, bitmap.height], {resize} = description;
  const [resizeWidth, resizeHeight] = resize ? testSize(resize, own) : chosenSize(own);
  if (resizeWidth === own[0] && resizeHeight === own[1]) return bitmap;
  return createImageBitmap(bitmap, {resizeWidth, resizeHeight, resizeQuality: 'high'});
}

/** Takes the last picture away. */
function clear() {
  for (const id of ['picture', 'overlay']) Object.assign(get(id), {width: 0, height: 0});
  get('picture').setAttribute('aria-label', 'No picture');
  showShares(new Uint32Array(description.classes.length), 1);
  for (const id of ['model-ms', 'total-ms', 'fps', 'size']) get(id).textContent = '–';
  get('save').disabled = true;
}

/** Predicts an image, and shows it unless a newer one was asked for; its label map. */
async function predict(blob, name) {
  const own = ++newest;
  let bitmap;
  try {
    bitmap = await bitmapOf(blob);
  } catch {
    throw new Error(`${name} is not an image that this browser can read.`);
  }
  const size = `${bitmap.width} × ${bitmap.height}`;
  try {
    const result = await ask({bitmap}, [bitmap]);
    if (own === newest) draw(result, name);
  } catch (error) {
    throw new Error(
      `The model failed on ${name} (${size} pixels): ${error.message}. If it is too large for the `
      + 'memory, choose a shorter longest side.');
  }
  return shown;
}

function showPosition() {
  const some = images.length && !stream;
  get('position').textContent = stream ? 'Camera'
    : some ? `${images[index].name} (${index + 1} of ${images.length})` : 'No image';
  get('previous').disabled = !some || index === 0;
  get('next').disabled = !some || index === images.length - 1;
}

async function show(at) {
  index = at;
  stopCamera();
  const asked = images[index], {name, read} = asked;
  say('');
  get('status').textContent = `Predicting ${name}`;
  try {
    const {total} = await timed(async () => predict(await read(), name));
    get('fps').textContent = (1000 / total).toFixed(1);
    get('status').textContent = get('picture').getAttribute('aria-label');
  } catch (error) {
    if (images[index] !== asked || stream) return;
    clear();
    say(error.message);
  }
}

async function timed(action) {
  const start = performance.now();
  await action();
  return {total: performance.now() - start};
}

function use(files) {
  const found = files.filter((file) => file.type.startsWith('image/'));
  if (!found.length) {
    say(files.length
      ? `No image among ${files.length} files, such as ${files[0].name}.`
      : 'There is no file.');
    return;
  }
  images = found.map((file) => ({name: file.name, read: async () => file}));
  show(0);
}

/** All files of something that was dropped, with those in its folders. */
async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const one of some) found.push(...await filesOf(one));
  }
}

async function startCamera() {
  say(navigator.mediaDevices ? '' : 'A browser gives a camera to pages of https or localhost alone.');
  if (!navigator.mediaDevices) return;
  get('camera').disabled = true;
  try {
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}});
  } catch (error) {
    say(`The camera cannot be used (${error.message}).`);
    return;
  } finally {
    get('camera').disabled = false;
  }
  get('camera').setAttribute('aria-pressed', 'true');
  showPosition();
  const video = Object.assign(document.createElement('video'), {srcObject: stream, muted: true});
  video.playsInline = true;
  await video.play();
  runCamera(video, stream);
}

/** Frame by frame; the rate is a running mean. */
async function runCamera(video, own) {
  let mean = 0;
  try {
    while (stream === own) {
      const {total} = await timed(async () => {
        await new Promise(requestAnimationFrame);
        if (stream === own) await predict(video, 'Camera');
      });
      mean = mean ? 0.9 * mean + 0.1 * total : total;
      get('fps').textContent = (1000 / mean).toFixed(1);
    }
  } catch (error) {
    if (stream !== own) return;
    stopCamera();
    say(error.message);
  }
}

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  get('camera').setAttribute('aria-pressed', 'false');
  showPosition();
}

async function save() {
  const {labels, width, height, name} = shown;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await greyPng(labels, width, height));
  link.download = `${name.replace(/\.\w+$/, '')}_labels.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function listen() {
  for (const id of ['files', 'folder']) {
    get(`${id}-button`).addEventListener('click', () => get(id).click());
    get(id).addEventListener('change', () => {
      if (get(id).files.length) use([...get(id).files]);
      get(id).value = '';
    });
    get(`${id}-button`).disabled = false;
  }
  get('camera').disabled = false;
  get('camera').addEventListener('click', () => stream ? stopCamera() : startCamera());
  get('opacity').addEventListener('input', setOpacity);
  get('side').addEventListener('change', () => { if (!stream && images.length) show(index); });
  get('save').addEventListener('click', save);
  get('previous').addEventListener('click', () => show(index - 1));
  get('next').addEventListener('click', () => show(index + 1));
  addEventListener('keydown', (event) => {
    if (event.target.matches('input, select')) return;
    const button = {ArrowLeft: get('previous'), ArrowRight: get('next')}[event.key];
    if (button) button.click();
  });
  addEventListener('dragover', (event) => {
    event.preventDefault();
    get('stage').classList.add('over');
  });
  addEventListener('dragleave', () => get('stage').classList.remove('over'));
  addEventListener('drop', async (event) => {
    event.preventDefault();
    get('stage').classList.remove('over');
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry());
    use((await Promise.all(entries.filter(Boolean).map(filesOf))).flat());
  });
}

function setOpacity() {
  get('overlay').style.opacity = get('opacity').value / 100;
}

async function fetched(file) {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`The server has no ${file} (${response.status}).`);
  return response;
}

async function start() {
  setOpacity();
  description = await (await fetched('demo.json')).json();
  // Little-endian, as all machines with a browser: A, B, G, R.
  colours = Uint32Array.from(
    description.palette,
    // A class whose colour is black, as VOC's background, leaves the picture as it is.
    ([r, g, b]) => ((r || g || b ? 255 : 0) << 24 | b << 16 | g << 8 | r) >>> 0);
  document.title = `${description.name}: segmentation demo`;
  makeLegend();
  get('side').parentElement.hidden = Boolean(description.resize);
  const {threads} = await ask({description});
  get('about').textContent = `${description.name}, ${description.precision}, `
    + `${description.classes.length} classes; ONNX Runtime Web on the CPU, `
    + `${threads === 1 ? 'one thread' : `${threads} threads`}`;
  listen();
  images = description.examples.map(({name, file}) =>
    ({name, read: async () => (await fetched(file)).blob()}));
  if (images.length) await show(0);
}

export {predict};
export const started = start().catch((error) => {
  get('about').textContent = 'The model did not load.';
  say(error.message);
});
