// The controls above the cards.
const layerChoice = element("layers"), outlineChoice = element("outline");
const WITH_LABELS = LAYERS.filter((layer) => layer.labels);

LAYERS.forEach((layer, at) => {
  const label = document.createElement("label"), input = document.createElement("input");
  input.type = "radio";
  input.name = "layer";
  input.value = layer.name;
  input.checked = layer === view.layer;
  input.addEventListener("change", () => showLayer(layer));
  const key = document.createElement("kbd");
  key.textContent = at + 1;
  label.append(input, key, ` ${layer.title}`);
  if (layer.oracle) label.classList.add("oracle-layer");
  layerChoice.append(label);
});
outlineChoice.append(new Option("nothing", ""), ...WITH_LABELS.map((one) => new Option(one.title, one.name)));

function showLayer(layer) {
  view.layer = layer;
  if (layer.map in gallery.thresholds && !thresholdMoved) setThreshold(gallery.thresholds[layer.map]);
  layerChoice.querySelector(`[value="${layer.name}"]`).checked = true;
  redraw();
}

function showOutline(name) {
  view.outline = outlineChoice.value = name;
  redraw();
}
outlineChoice.addEventListener("change", () => showOutline(outlineChoice.value));

// A slider and the number beside it.
function slider(id, written, use) {
  const input = element(id), output = input.parentElement.querySelector("output");
  const take = () => {
    output.value = written(Number(input.value));
    use(Number(input.value));
  };
  output.value = written(Number(input.value));
  input.addEventListener("input", take);
  return (step) => {
    const { min, max } = input;
    input.value = Math.min(Math.max(Number(input.value) + step, Number(min)), Number(max)).toFixed(2);
    take();
  };
}
const moveOpacity = slider("opacity", percent, (value) => { view.opacity = value; redraw(); });
let thresholdMoved = false; // Until then it is the one that was fixed for the maps shown.
const moveThreshold = slider("threshold", (value) => value.toFixed(2), (value) => {
  view.threshold = value;
  thresholdMoved = true;
  redraw();
});
function setThreshold(value) {
  element("threshold").value = view.threshold = value;
  element("threshold").parentElement.querySelector("output").value = value.toFixed(2);
}
slider("doubt", percent, (value) => { wanted.doubt = value; choose(); list(); });

for (const name of ["search", "split", "class", "sort"]) {
  element(name)?.addEventListener("input", (event) => {
    wanted[name] = event.target.value;
    choose();
    list();
  });
}
element("controls").addEventListener("submit", (event) => event.preventDefault());

function resetFilters() {
  Object.assign(wanted, { search: "", split: "", class: "", doubt: 0 });
  for (const name of ["search", "split", "class"]) if (element(name)) element(name).value = "";
  element("doubt").value = 0;
  element("doubt").parentElement.querySelector("output").value = percent(0);
  choose();
  list();
}
element("help-button").addEventListener("click", () => element("help").showModal());
