// One image, enlarged: all its layers, numbers, and zoom.
const dialog = element("enlarged"), stage = element("stage");
const large = stage.firstElementChild;
const layerButtons = dialog.querySelector(".choices");
let current = 0, zoom = 1, shift = [0, 0];

const viewer_is_open = () => dialog.open;

function place() {
  large.style.transform = `translate(${shift[0]}px, ${shift[1]}px) scale(${zoom})`;
  stage.classList.toggle("zoomed", zoom > 1);
}

function zoomBy(factor, x = 0, y = 0) {
  const to = factor ? Math.min(Math.max(zoom * factor, 1), 16) : 1;
  shift = to === 1 ? [0, 0] : [x - (x - shift[0]) * to / zoom, y - (y - shift[1]) * to / zoom];
  zoom = to;
  place();
}

async function redrawEnlarged() {
  const entry = chosen[current];
  const share = await draw(large, entry, view.layer, view);
  const told = [numbers(entry)];
  if (!has(entry, view.layer)) told.push(`no ${view.layer.title} of this image`);
  else if (share !== null) told.push(`${view.layer.title}: objects have ${percent(share)} of the pixels`);
  dialog.querySelector(".told").textContent = told.filter(Boolean).join(" · ");
  layerButtons.replaceChildren(...LAYERS.filter((layer) => has(entry, layer)).map(layerButton));
}

function layerButton(layer) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = layer.title;
  button.setAttribute("aria-pressed", layer === view.layer);
  button.addEventListener("click", () => showLayer(layer));
  return button;
}

function describe(entry) {
  element("enlarged-id").textContent = entry.id;
  dialog.querySelector(".tags").replaceChildren(...tagged(entry));
  const rows = Object.entries(entry.parts).map(([name, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    const cell = document.createElement("td");
    head.scope = "row";
    head.textContent = gallery.meanings[name] ?? name;
    cell.textContent = percent(value);
    row.append(head, cell);
    return row;
  });
  dialog.querySelector(".parts").replaceChildren(...rows);
}

function enlarge(position) {
  current = (position + chosen.length) % chosen.length;
  describe(chosen[current]);
  zoomBy(0);
  if (!dialog.open) dialog.showModal();
  return redrawEnlarged();
}

// An address such as #image=val/cat enlarges that image.
function followAddress() {
  const [key, id] = [location.hash.slice(1, 7), location.hash.slice(7)];
  if (key !== "image=") return;
  const name = decodeURIComponent(id);
  let at = chosen.findIndex((entry) => `${entry.split}/${entry.id}` === name);
  if (at < 0) {
    resetFilters();
    at = chosen.findIndex((entry) => `${entry.split}/${entry.id}` === name);
  }
  if (at >= 0) enlarge(at);
}
addEventListener("hashchange", followAddress);

dialog.addEventListener("close", () => {
  if (location.hash.startsWith("#image=")) history.replaceState(null, "", "#gallery");
  const at = current - page * PAGE;
  if (at < 0 || at >= PAGE) {
    page = Math.floor(current / PAGE);
    list();
  }
  cards.children[current - page * PAGE]?.focus();
});
for (const button of dialog.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => enlarge(current + Number(button.dataset.step)));
}
for (const button of dialog.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => zoomBy(Number(button.dataset.zoom)));
}
for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
const fromMiddle = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
};
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoomBy(event.deltaY < 0 ? 1.25 : 0.8, ...fromMiddle(event));
}, { passive: false });
stage.addEventListener("dblclick", (event) => zoomBy(zoom > 1 ? 0 : 2.5, ...fromMiddle(event)));
stage.addEventListener("pointerdown", (event) => stage.setPointerCapture(event.pointerId));
stage.addEventListener("pointermove", (event) => {
  if (!event.buttons || zoom === 1) return;
  shift = [shift[0] + event.movementX, shift[1] + event.movementY];
  place();
});
