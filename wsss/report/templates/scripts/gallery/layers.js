// The layers of an image: a map's strength, a map's labels at the threshold, or a mask.
const LAYERS = [
  { name: "image", title: "image" },
  { name: "result", title: "pseudo mask or prediction", masks: ["pseudo_mask", "prediction_tta_crf", "prediction"], labels: true },
  { name: "cam", title: "CAM", map: "cam" },
  { name: "cam_labels", title: "CAM ≥ threshold", map: "cam", labels: true },
  { name: "refined_map", title: "refined map", map: "refined_map" },
  { name: "refined_labels", title: "refined map ≥ threshold", map: "refined_map", labels: true },
  { name: "pseudo_mask", title: "pseudo mask", mask: "pseudo_mask", labels: true },
  { name: "prediction", title: "prediction", mask: "prediction", labels: true },
  { name: "prediction_tta_crf", title: "prediction, multi-scale + flip + CRF", mask: "prediction_tta_crf", labels: true },
  { name: "ground_truth", title: "ground truth (oracle)", mask: "ground_truth", labels: true, oracle: true },
].filter((layer) => gallery.entries.some((entry) => has(entry, layer)));

function has(entry, layer) {
  if (layer.map) return entry.maps.some((one) => one.kind === layer.map);
  return layer.labels ? maskName(entry, layer) !== undefined : true;
}

// The mask that a layer shows of an entry: of several the first that there is.
function maskName(entry, layer) {
  return (layer.masks ?? [layer.mask]).find((name) => name in entry.masks);
}

// Maps at the picture's size, bilinear without aligned corners, as the stages enlarge them.
function enlarged(map, width, height) {
  const results = map.labels.map(() => new Float32Array(width * height));
  const size = map.width * map.height;
  const place = (at, from, to) => {
    const exact = Math.min(Math.max((at + 0.5) * from / to - 0.5, 0), from - 1);
    const low = Math.floor(exact);
    return [low, Math.min(low + 1, from - 1), exact - low];
  };
  const columns = Array.from({ length: width }, (_, x) => place(x, map.width, width));
  for (let y = 0; y < height; y++) {
    const [top, bottom, down] = place(y, map.height, height);
    for (let n = 0; n < results.length; n++) {
      const upper = n * size + top * map.width, lower = n * size + bottom * map.width;
      for (let x = 0; x < width; x++) {
        const [left, right, across] = columns[x];
        const above = map.values[upper + left] * (1 - across) + map.values[upper + right] * across;
        const below = map.values[lower + left] * (1 - across) + map.values[lower + right] * across;
        results[n][y * width + x] = (above * (1 - down) + below * down) / 255;
      }
    }
  }
  return results;
}

// The maps of an entry at the picture's size.
function mapsOf(entry, found, kind) {
  return (found.enlarged[kind] ??= enlarged(found.maps[kind], ...entry.size));
}

// The strongest map of every pixel, in [0, 1].
function strongest(maps) {
  return Float32Array.from(maps[0], (_, at) => Math.max(...maps.map((one) => one[at])));
}

// The label of the strongest map of every pixel; background where none is above the threshold.
function labelled(maps, labels, threshold) {
  const mask = new Uint8Array(maps[0].length);
  for (let at = 0; at < mask.length; at++) {
    let best = threshold;
    for (let n = 0; n < maps.length; n++) {
      if (maps[n][at] > best) { best = maps[n][at]; mask[at] = labels[n]; }
    }
  }
  return mask;
}

// The labels of an entry's pixels in a layer that has some.
function labelsOf(entry, found, layer, threshold) {
  if (!layer.map) return found.masks[maskName(entry, layer)];
  return labelled(mapsOf(entry, found, layer.map), found.maps[layer.map].labels, threshold);
}
