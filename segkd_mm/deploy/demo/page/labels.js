// Upsampling and argmax of low-resolution logits in one, as segkd_mm/deploy/label_map.py does it.

/**
 * Where F.interpolate takes each of `length` values from: of `full` values made of n.
 * `upper` and `lower` are indices, `weight` is that of the lower one.
 */
function positions(n, full, length, alignCorners) {
  const upper = new Int32Array(length), lower = new Int32Array(length);
  const weight = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = alignCorners
      ? i * (n - 1) / Math.max(full - 1, 1)
      : Math.max((i + 0.5) * (n / full) - 0.5, 0);
    upper[i] = Math.min(Math.floor(at), n - 1);
    lower[i] = Math.min(upper[i] + 1, n - 1);
    weight[i] = Math.min(Math.max(at - upper[i], 0), 1);
  }
  return {upper, lower, weight};
}

/**
 * For each row of cells the classes that may be the argmax there. A class that is lower than
 * another at all four corners of a cell is nowhere the argmax in it.
 */
function candidates(logits, classes, h, w) {
  const rows = Math.max(h - 1, 1), columns = Math.max(w - 1, 1);
  const down = h > 1 ? w : 0, right = w > 1 ? 1 : 0, highest = new Float32Array(classes);
  return Array.from({length: rows}, (_, row) => {
    const found = new Uint8Array(classes);
    for (let column = 0; column < columns; column++) {
      let bound = -Infinity;
      for (let c = 0; c < classes; c++) {
        const at = (c * h + row) * w + column;
        const a = logits[at], b = logits[at + right];
        const d = logits[at + down], e = logits[at + down + right];
        highest[c] = Math.max(a, b, d, e);
        bound = Math.max(bound, Math.min(a, b, d, e));
      }
      for (let c = 0; c < classes; c++) if (highest[c] >= bound) found[c] = 1;
    }
    return [...found.keys()].filter((c) => found[c]);
  });
}

/** Upsamples the rows of one class [h, w] to [h, width]. */
function widened(logits, start, h, w, {upper, lower, weight}) {
  const width = upper.length, wide = new Float32Array(h * width);
  for (let row = 0; row < h; row++) {
    const from = start + row * w;
    for (let x = 0; x < width; x++) {
      wide[row * width + x] =
        logits[from + upper[x]] * (1 - weight[x]) + logits[from + lower[x]] * weight[x];
    }
  }
  return wide;
}

/**
 * The label map [height, width] of logits [classes, h, w]: bilinear upsampling to `full` (height
 * and width with padding, of which the label map is the upper left part) and argmax.
 */
export function labelMap(logits, [classes, h, w], full, [height, width], alignCorners) {
  const labels = new (classes > 256 ? Uint16Array : Uint8Array)(height * width);
  const rows = positions(h, full[0], height, alignCorners);
  const columns = positions(w, full[1], width, alignCorners);
  const local = candidates(logits, classes, h, w), wide = new Map();
  for (const c of new Set(local.flat())) {
    wide.set(c, widened(logits, c * h * w, h, w, columns));
  }
  const best = new Float32Array(width);
  for (let y = 0; y < height; y++) {
    const above = rows.upper[y] * width, below = rows.lower[y] * width, share = rows.weight[y];
    const line = labels.subarray(y * width, (y + 1) * width);
    best.fill(-Infinity);
    for (const c of local[Math.min(rows.upper[y], local.length - 1)]) {
      const scores = wide.get(c);
      for (let x = 0; x < width; x++) {
        const score = scores[above + x] * (1 - share) + scores[below + x] * share;
        if (score > best[x]) {
          best[x] = score;
          line[x] = c;
        }
      }
    }
  }
  return labels;
}
