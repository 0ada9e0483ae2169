// A label map as a grey PNG of class ids, which a canvas cannot write: it writes colours.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

function checksum(bytes) {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum;
}

function chunk(name, content) {
  const bytes = new Uint8Array(12 + content.length), view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  bytes.set(new TextEncoder().encode(name), 4);
  bytes.set(content, 8);
  view.setInt32(8 + content.length, checksum(bytes.subarray(4, 8 + content.length)));
  return bytes;
}

/** A PNG of a label map: 8 bits a pixel, or 16 for a Uint16Array. */
export async function greyPng(labels, width, height) {
  const depth = labels.BYTES_PER_ELEMENT, line = 1 + depth * width;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8 * depth);
  const lines = new DataView(new ArrayBuffer(line * height));  // each begins with its filter: none
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * line + 1 + depth * x, label = labels[y * width + x];
      if (depth === 1) lines.setUint8(at, label);
      else lines.setUint16(at, label);
    }
  }
  const stream = new Blob([lines]).stream().pipeThrough(new CompressionStream('deflate'));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  const parts = [
    new Uint8Array(SIGNATURE), chunk('IHDR', new Uint8Array(header.buffer)),
    chunk('IDAT', packed), chunk('IEND', new Uint8Array()),
  ];
  return new Blob(parts, {type: 'image/png'});
}
