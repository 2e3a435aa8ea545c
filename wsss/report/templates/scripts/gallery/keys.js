// Keys of the gallery; `?` lists them. At last the gallery is drawn for the first time.
const typing = (target) =>
  target.matches?.("input[type=search], input[type=text], select, textarea");

function focusCard(step) {
  const at = [...cards.children].indexOf(document.activeElement);
  cards.children[at < 0 ? 0 : at + step]?.focus();
}

function nextOutline() {
  const names = ["", ...WITH_LABELS.map((layer) => layer.name)];
  showOutline(names[(names.indexOf(view.outline) + 1) % names.length]);
}

const KEYS = {
  "?": () => element("help").showModal(),
  "/": () => { dialog.close(); element("search").focus(); },
  b: nextOutline,
  ",": () => moveThreshold(-0.01),
  ".": () => moveThreshold(0.01),
  "[": () => moveOpacity(-0.05),
  "]": () => moveOpacity(0.05),
  n: () => turn(1),
  p: () => turn(-1),
};
const IN_VIEWER = {
  ArrowRight: () => enlarge(current + 1),
  ArrowLeft: () => enlarge(current - 1),
  "+": () => zoomBy(1.25),
  "=": () => zoomBy(1.25),
  "-": () => zoomBy(0.8),
  0: () => zoomBy(0),
};
const IN_CARDS = { ArrowRight: () => focusCard(1), ArrowLeft: () => focusCard(-1) };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
  if (typing(event.target)) return;
  const inCards = cards.contains(document.activeElement);
  const layer = /^[1-9]$/.test(event.key) ? LAYERS[event.key - 1] : undefined;
  const own = dialog.open ? IN_VIEWER : inCards ? IN_CARDS : {};
  const action = layer ? () => showLayer(layer) : own[event.key] ?? KEYS[event.key];
  if (!action || (dialog.open && "np".includes(event.key))) return;
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  event.preventDefault();
  action();
});

choose();
list();
followAddress();
