// Data of the gallery: base64 to bytes, and bytes to maps and masks.
const gallery = JSON.parse(document.getElementById("gallery-data").textContent);

// Bytes of a string that Python's `pack` made.
async function unpack(text) {
  const raw = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Undo the differences along columns and rows, modulo 256, of maps stored one after the other.
function summed(bytes, width, height) {
  const size = width * height;
  for (let start = 0; start < bytes.length; start += size) {
    for (let at = start + width; at < start + size; at++) bytes[at] += bytes[at - width];
    for (let row = start; row < start + size; row += width) {
      for (let at = row + 1; at < row + width; at++) bytes[at] += bytes[at - 1];
    }
  }
  return bytes;
}

// The picture, maps and masks of an entry; those of the last `KEPT` entries stay unpacked.
const KEPT = 72;
const unpacked = new Map();
function opened(entry) {
  const found = unpacked.get(entry) ?? unpackEntry(entry);
  unpacked.delete(entry);
  unpacked.set(entry, found);
  if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
  return found;
}

async function unpackEntry(entry) {
  const picture = new Image();
  picture.src = "data:image/webp;base64," + entry.image;
  const maps = {}, masks = {};
  for (const one of entry.maps) {
    const [width, height] = one.size;
    const values = summed(await unpack(one.data), width, height);
    maps[one.kind] = { labels: one.labels, width, height, values };
  }
  for (const [name, data] of Object.entries(entry.masks)) masks[name] = await unpack(data);
  if (entry.image) await picture.decode();
  return { picture, maps, masks, enlarged: {} };
}
