// Drawing: the picture, a layer over it, and outlines of another one.
const VOID = 255;
let heat = null; // Colours of a map's strength, 256 times red, green and blue.

function coloured(mask, width) {
  const pixels = new Uint8ClampedArray(4 * mask.length);
  for (let at = 0; at < mask.length; at++) {
    const label = mask[at];
    if (label === 0) {
      pixels[4 * at + 3] = 115;
      continue;
    }
    if (label === VOID) {
      const grey = (Math.floor(at / width) + at % width) % 8 < 4 ? 255 : 178;
      pixels.set([grey, grey, grey, 255], 4 * at);
    } else pixels.set([...gallery.colors[label], 255], 4 * at);
  }
  return pixels;
}

function heated(strength) {
  const pixels = new Uint8ClampedArray(4 * strength.length);
  for (let at = 0; at < strength.length; at++) {
    const level = Math.round(255 * Math.min(1, strength[at]));
    pixels.set([...heat.subarray(3 * level, 3 * level + 3), 80 + 175 * Math.sqrt(level / 255)], 4 * at);
  }
  return pixels;
}

// White pixels, dark around, where an object ends.
function outlined(mask, width) {
  const pixels = new Uint8ClampedArray(4 * mask.length);
  const label = (at) => (mask[at] === VOID ? 0 : mask[at]);
  for (let at = 0; at < mask.length; at++) {
    const x = at % width;
    const beside = [x > 0 ? at - 1 : at, x < width - 1 ? at + 1 : at, at - width, at + width];
    if (!beside.some((other) => other >= 0 && other < mask.length && label(other) !== label(at))) continue;
    pixels.set(label(at) ? [255, 255, 255, 255] : [0, 0, 0, 200], 4 * at);
  }
  return pixels;
}

function over(context, pixels, width, height, opacity) {
  const layer = document.createElement("canvas");
  layer.width = width;
  layer.height = height;
  layer.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  context.globalAlpha = opacity;
  context.drawImage(layer, 0, 0);
  context.globalAlpha = 1;
}

// Draw an entry; returns the share of its pixels that are an object in the layer, if it has labels.
async function draw(canvas, entry, layer, view) {
  const found = await opened(entry);
  heat ??= await unpack(gallery.heat);
  const [width, height] = entry.size;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  context.drawImage(found.picture, 0, 0, width, height);
  let share = null;
  if (has(entry, layer) && layer.labels) {
    const mask = labelsOf(entry, found, layer, view.threshold);
    share = mask.reduce((sum, label) => sum + (label > 0 && label < VOID), 0) / mask.length;
    over(context, coloured(mask, width), width, height, view.opacity);
  } else if (has(entry, layer) && layer.map) {
    over(context, heated(strongest(mapsOf(entry, found, layer.map))), width, height, view.opacity);
  }
  const outline = LAYERS.find((one) => one.name === view.outline);
  if (outline && has(entry, outline)) {
    over(context, outlined(labelsOf(entry, found, outline, view.threshold), width), width, height, 1);
  }
  return share;
}
