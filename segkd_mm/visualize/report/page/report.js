// The images of the report: filters, cards that load as they are scrolled to, and the viewer.
'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const index = JSON.parse(byId('index').textContent);
  const { classes, runs, layers, entries } = index;
  const MAX_ZOOM = 16;
  const STEP = 5; // percent that a key moves the divider
  const MISSED = 50; // percent of a class found; below, it counts as missed

  // A data URI is read when it is needed: a page of 1,000 images would else parse 64 MB at once.
  const pictures = (number) => JSON.parse(byId(`pictures-${number}`).textContent);
  const element = (name, className, text = '') =>
    Object.assign(document.createElement(name), { className, textContent: text });
  const percent = (value) => (value === null || value === undefined ? '–' : value.toFixed(1));

  // ---- filters -------------------------------------------------------------------------------

  const filters = byId('filters');
  const cards = entries.map(makeCard);
  let shown = [];

  const chosen = () => ({
    run: Number(byId('run').value),
    cls: byId('class').value,
    error: byId('error').value,
    sort: byId('sort').value,
    text: byId('search').value.trim().toLowerCase(),
  });

  // Percent of the image's pixels, or of the class, that the chosen error is; 0 if there is none.
  function errorOf(score, cls, error) {
    const ofClass = cls === '' ? Object.keys(score.iou) : [cls];
    if (error === 'missed') {
      const missed = ofClass.map((one) => 100 - (score.recall[one] ?? 100));
      return Math.max(0, ...missed.filter((share) => share > 100 - MISSED));
    }
    const pairs = score.errors.filter(([truth, taken]) =>
      error === 'alarm'
        ? !(taken in score.recall) && (cls === '' || taken === Number(cls))
        : (error === '' || taken === Number(error)) && (cls === '' || truth === Number(cls)));
    return pairs.reduce((sum, pair) => sum + pair[2], 0);
  }

  function isShown(entry, { run, cls, error, text }) {
    const score = entry.scores[run];
    if (text && !entry.name.toLowerCase().includes(text)) return false;
    if (error !== '') return errorOf(score, cls, error) > 0;
    return cls === '' || cls in score.iou;
  }

  // The IoU of the chosen class, or the mIoU.
  const iouOf = (score, cls) => (cls === '' ? score.miou : score.iou[cls]) ?? null;

  function sorter({ run, cls, error, sort }) {
    const iou = (number) => iouOf(entries[number].scores[run], cls) ?? Infinity;
    const gain = (number) => {
      const [own, first] = [run, 0].map((one) => iouOf(entries[number].scores[one], cls));
      return own === null || first === null ? 0 : own - first;
    };
    const share = (number) => errorOf(entries[number].scores[run], cls, error);
    const orders = {
      worst: (a, b) => iou(a) - iou(b),
      best: (a, b) => iou(b) - iou(a),
      error: (a, b) => share(b) - share(a),
      gain: (a, b) => gain(b) - gain(a),
      loss: (a, b) => gain(a) - gain(b),
      name: (a, b) => entries[a].name.localeCompare(entries[b].name, undefined, { numeric: true }),
    };
    return (a, b) => orders[sort](a, b) || a - b;
  }

  function update() {
    const choice = chosen();
    shown = [...entries.keys()].filter((number) => isShown(entries[number], choice));
    shown.sort(sorter(choice));
    shown.forEach((number) => label(number, choice));
    byId('cards').replaceChildren(...shown.map((number) => cards[number].item));
    byId('count').textContent = `${shown.length} of ${entries.length} images`;
    observe();
  }

  // ---- cards ---------------------------------------------------------------------------------

  function makeCard(entry, number) {
    const item = element('li', '');
    const button = element('button', 'card');
    const thumbs = element('span', 'thumbs');
    const line = element('span', 'line');
    const name = element('span', 'name', entry.name);
    const iou = element('span', 'iou');
    button.type = 'button';
    button.title = entry.name;
    button.addEventListener('click', () => open(number));
    line.append(name, iou);
    button.append(thumbs, line);
    item.append(button);
    item.dataset.number = number;
    return { item, button, thumbs, iou, run: -1 };
  }

  function label(number, { run, cls }) {
    const own = iouOf(entries[number].scores[run], cls);
    const first = iouOf(entries[number].scores[0], cls);
    const difference = run && own !== null && first !== null ? own - first : null;
    const text = difference === null ? '' : ` (${difference >= 0 ? '+' : '−'}${Math.abs(difference).toFixed(1)})`;
    cards[number].iou.textContent = `IoU ${percent(own)}${text}`;
  }

  const loader = new IntersectionObserver((seen) => {
    seen.filter((one) => one.isIntersecting).forEach((one) => load(Number(one.target.dataset.number)));
  }, { rootMargin: '300px' });

  function observe() {
    loader.disconnect();
    shown.forEach((number) => loader.observe(cards[number].item));
  }

  function load(number) {
    const { run } = chosen();
    const card = cards[number];
    if (card.run === run) return;
    card.run = run;
    const found = pictures(number);
    const image = picture(found.image ?? found.truth, found.image ? '' : 'labels');
    card.thumbs.replaceChildren(image, picture(found[`prediction${run}`], 'labels'));
  }

  function picture(source, className) {
    const image = element('img', className);
    image.alt = '';
    image.decoding = 'async';
    image.draggable = false;
    image.src = source;
    return image;
  }

  // ---- viewer --------------------------------------------------------------------------------

  const viewer = byId('viewer');
  const stage = byId('stage');
  const worlds = [...stage.querySelectorAll('.world')];
  const view = { number: -1, zoom: 1, x: 0, y: 0 };

  function open(number) {
    const { run } = chosen();
    if (view.number < 0) {
      choose('left', layers.findIndex((layer) => layer.key === 'truth'));
      choose('right', layers.findIndex((layer) => layer.key === `prediction${run}`));
    }
    show(number);
    if (!viewer.open) viewer.showModal();
    stage.focus();
  }

  function show(number) {
    view.number = number;
    const entry = entries[number];
    const found = pictures(number);
    const size = picture(found.truth, '');
    size.decode().then(() => fit(size.naturalWidth / size.naturalHeight));
    byId('viewer-title').textContent = entry.name;
    byId('viewer-score').textContent =
      runs.map((name, run) => `${name}: mIoU ${percent(entry.scores[run].miou)}`).join(', ');
    const place = shown.indexOf(number);
    byId('position').textContent = place < 0 ? '' : `${place + 1} of ${shown.length}`;
    byId('previous').disabled = place <= 0;
    byId('next').disabled = place < 0 || place === shown.length - 1;
    fillClasses(entry);
    fillErrors(entry);
    zoomTo(1);
    draw();
    history.replaceState(null, '', `#image=${encodeURIComponent(entry.name)}`);
  }

  // As large as the window allows, at the picture's proportions.
  function fit(ratio) {
    stage.style.aspectRatio = ratio;
    stage.style.maxWidth = `calc(56vh * ${ratio})`;
  }

  function draw() {
    const found = pictures(view.number);
    const sides = ['left', 'right'].map((side) => layers[Number(byId(side).value)]);
    sides.forEach((layer, side) => worlds[side].replaceChildren(...layerImages(layer, found)));
    byId('tag-left').textContent = sides[0].title;
    byId('tag-right').textContent = sides[1].title;
    stage.setAttribute('aria-label',
      `${entries[view.number].name}: ${sides[0].title} on the left, ${sides[1].title} on the right`);
    blend();
  }

  function layerImages(layer, found) {
    const top = layer.kind === 'image' ? [] : [picture(found[layer.key], layer.kind)];
    const under = layer.kind === 'marks' ? 'under' : '';
    return [...(found.image ? [picture(found.image, under)] : []), ...top];
  }

  function blend() {
    const opacity = pictures(view.number).image ? byId('opacity').value / 100 : 1;
    stage.querySelectorAll('.labels').forEach((image) => { image.style.opacity = opacity; });
  }

  function choose(side, layer) {
    if (layer >= 0 && layer < layers.length) byId(side).value = layer;
  }

  function swap() {
    const [left, right] = [byId('left'), byId('right')];
    [left.value, right.value] = [right.value, left.value];
    draw();
  }

  function divide(at) {
    byId('divider').value = Math.min(100, Math.max(0, at));
    stage.style.setProperty('--at', `${byId('divider').value}%`);
  }

  const walk = (step) => {
    const next = shown[shown.indexOf(view.number) + step];
    if (next !== undefined && shown.includes(view.number)) show(next);
  };

  function fillClasses(entry) {
    const seen = [...classes.keys()].filter((cls) => entry.scores.some((score) => cls in score.iou));
    const head = element('tr', '');
    ['class', ...runs].forEach((name) => {
      const cell = element('th', name === 'class' ? '' : 'num', name);
      cell.scope = 'col';
      head.append(cell);
    });
    const rows = seen.map((cls) => {
      const row = element('tr', '');
      const name = element('th', '');
      const swatch = element('span', 'swatch');
      swatch.style.background = `rgb(${index.palette[cls].join(',')})`;
      name.scope = 'row';
      name.append(swatch, classes[cls]);
      row.append(name, ...entry.scores.map((score) => element('td', 'num', percent(score.iou[cls]))));
      return row;
    });
    const body = element('tbody', '');
    body.append(...rows);
    const top = element('thead', '');
    top.append(head);
    byId('viewer-classes').replaceChildren(element('caption', '', 'IoU in percent'), top, body);
  }

  function fillErrors(entry) {
    const { run } = chosen();
    const lines = entry.scores[run].errors.slice(0, 6).map(([truth, taken, share]) =>
      element('li', '', `${classes[truth]} taken for ${classes[taken]}: ${share.toFixed(1)} % of the pixels`));
    byId('viewer-errors').replaceChildren(...(lines.length ? lines : [element('li', '', 'none')]));
  }

  // ---- zoom ----------------------------------------------------------------------------------

  // Zooms about a point of the stage, by default its middle.
  function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const next = Math.min(MAX_ZOOM, Math.max(1, zoom));
    view.x = x - (x - view.x) * (next / view.zoom);
    view.y = y - (y - view.y) * (next / view.zoom);
    view.zoom = next;
    move(0, 0);
  }

  function move(dx, dy) {
    const inside = (value, size) => Math.min(0, Math.max(size * (1 - view.zoom), value));
    view.x = inside(view.x + dx, stage.clientWidth);
    view.y = inside(view.y + dy, stage.clientHeight);
    worlds.forEach((world) => {
      world.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.zoom})`;
    });
    stage.classList.toggle('zoomed', view.zoom > 1);
    byId('zoom').textContent = `${Math.round(100 * view.zoom)} %`;
  }

  function drag(event) {
    const onHandle = event.target === byId('handle');
    const divides = onHandle || view.zoom === 1;
    const place = (one) => {
      const box = stage.getBoundingClientRect();
      divide((100 * (one.clientX - box.left)) / box.width);
    };
    if (divides) place(event);
    stage.setPointerCapture(event.pointerId);
    const moved = (one) => (divides ? place(one) : move(one.movementX, one.movementY));
    const stop = () => stage.removeEventListener('pointermove', moved);
    stage.addEventListener('pointermove', moved);
    stage.addEventListener('pointerup', stop, { once: true });
    stage.addEventListener('pointercancel', stop, { once: true });
  }

  // ---- keyboard ------------------------------------------------------------------------------

  const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  function onArrow(event) {
    const [x, y] = ARROWS[event.key];
    if (view.zoom > 1) move(60 * x, 60 * y);
    else if (x) walk(-x);
    else return;
    event.preventDefault();
  }

  function onKey(event) {
    const tag = event.target.tagName;
    const digit = /^Digit([1-9])$/.exec(event.code);
    if (event.ctrlKey || event.metaKey || event.altKey || tag === 'SELECT') return;
    if (event.key in ARROWS) {
      if (tag !== 'INPUT') onArrow(event);
    } else if (digit) {
      choose(event.shiftKey ? 'left' : 'right', Number(digit[1]) - 1);
      draw();
    } else {
      const keys = {
        n: () => walk(1), p: () => walk(-1), x: swap,
        ',': () => divide(Number(byId('divider').value) - STEP),
        '.': () => divide(Number(byId('divider').value) + STEP),
        '+': () => zoomTo(view.zoom * 1.5), '=': () => zoomTo(view.zoom * 1.5),
        '-': () => zoomTo(view.zoom / 1.5), 0: () => zoomTo(1),
      };
      keys[event.key]?.();
    }
  }

  // ---- events --------------------------------------------------------------------------------

  // A hidden class shown elsewhere: the images in which one class is taken for another.
  function showError({ run, truth, taken }) {
    filters.reset();
    byId('run').value = run;
    byId('class').value = truth;
    byId('error').value = taken;
    byId('sort').value = 'error';
    update();
    byId('images').scrollIntoView();
    byId('class').focus({ preventScroll: true });
  }

  function openLinked() {
    const name = /^#image=(.*)$/.exec(location.hash);
    const number = name ? entries.findIndex((entry) => entry.name === decodeURIComponent(name[1])) : -1;
    if (number >= 0) open(number);
  }

  filters.addEventListener('submit', (event) => event.preventDefault());
  filters.addEventListener('input', update);
  filters.addEventListener('reset', () => setTimeout(update));
  document.querySelectorAll('[data-taken]').forEach((button) => {
    button.addEventListener('click', () => showError(button.dataset));
  });
  byId('left').addEventListener('change', draw);
  byId('right').addEventListener('change', draw);
  byId('swap').addEventListener('click', swap);
  byId('divider').addEventListener('input', (event) => divide(event.target.value));
  byId('opacity').addEventListener('input', blend);
  byId('zoom-in').addEventListener('click', () => zoomTo(view.zoom * 1.5));
  byId('zoom-out').addEventListener('click', () => zoomTo(view.zoom / 1.5));
  byId('zoom-reset').addEventListener('click', () => zoomTo(1));
  byId('previous').addEventListener('click', () => walk(-1));
  byId('next').addEventListener('click', () => walk(1));
  byId('close').addEventListener('click', () => viewer.close());
  viewer.addEventListener('keydown', onKey);
  viewer.addEventListener('close', () => {
    cards[view.number].button.focus();
    history.replaceState(null, '', location.pathname);
  });
  stage.addEventListener('pointerdown', drag);
  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoomTo(view.zoom * Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });

  divide(50);
  update();
  openLinked();
})();
