// What is shown, and in which order: state of the controls, filters and sorting.
const element = (name) => document.getElementById(`gallery-${name}`);
const best = LAYERS.find((layer) => layer.name === "result") ?? LAYERS.at(-1);
const view = { layer: best, outline: "", opacity: 0.75, threshold: Number(element("threshold").value) };
const PAGE = 24;
const wanted = { search: "", split: "", class: "", doubt: 0, sort: "doubt" };
let chosen = [], page = 0;

// A missing number comes last, whichever way is sorted.
const by = (key, sign) => (one, other) => {
  if (one[key] === null || other[key] === null) return (one[key] === null) - (other[key] === null);
  return sign * (one[key] - other[key]);
};
const ORDERS = {
  doubt: by("doubt", -1),
  sure: by("doubt", 1),
  worst: by("score", 1),
  best: by("score", -1),
  id: (one, other) => one.id.localeCompare(other.id, undefined, { numeric: true }),
};

function choose() {
  const label = Number(wanted.class), search = wanted.search.trim().toLowerCase();
  chosen = gallery.entries.filter((entry) =>
    (!search || entry.id.toLowerCase().includes(search)) &&
    (!wanted.split || entry.split === wanted.split) &&
    (!label || entry.tags.includes(label) || entry.present.includes(label)) &&
    (!wanted.doubt || (entry.doubt ?? 0) >= wanted.doubt));
  chosen.sort(ORDERS[wanted.sort]);
  page = 0;
}

const pages = () => Math.max(1, Math.ceil(chosen.length / PAGE));
const percent = (share) => `${(100 * share).toFixed(0)} %`;
