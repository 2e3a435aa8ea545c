// The cards of a page of images.
const cards = element("cards");

function tagged(entry) {
  const tags = entry.tags.map((label) => {
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.dir = "auto";
    tag.textContent = gallery.names[label];
    return tag;
  });
  if (tags.length) return tags;
  const none = document.createElement("span");
  none.className = "tag none";
  none.textContent = "no tags";
  return [none];
}

function numbers(entry) {
  const told = [];
  if (entry.doubt !== null) told.push(`doubt ${percent(entry.doubt)}`);
  if (entry.score !== null) told.push(`IoU ${percent(entry.score)} (oracle)`);
  return told.join(" · ");
}

function card(entry) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "card";
  button.dataset.id = `${entry.split}/${entry.id}`;
  button.setAttribute("aria-label", `Enlarge ${entry.id}, ${entry.split}`);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = entry.size;
  const head = document.createElement("span");
  head.className = "head";
  const id = document.createElement("span");
  id.className = "id";
  id.dir = "auto";
  id.textContent = entry.id;
  const split = document.createElement("span");
  split.className = `split ${entry.split}`;
  split.textContent = entry.split;
  head.append(id, split);
  const tags = document.createElement("span");
  tags.className = "tags";
  tags.append(...tagged(entry));
  const told = document.createElement("span");
  told.className = "muted";
  told.textContent = numbers(entry);
  button.append(canvas, head, tags, told);
  button.addEventListener("click", () => enlarge(chosen.indexOf(entry)));
  return button;
}

const onPage = () => chosen.slice(page * PAGE, (page + 1) * PAGE);

// Draw what is on the page anew; a call that a later one overtakes stops.
let drawing = 0;
async function redraw() {
  const own = ++drawing;
  document.body.dataset.drawn = "";
  const shown = onPage();
  for (let at = 0; at < shown.length; at++) {
    if (own !== drawing) return;
    const canvas = cards.children[at].firstElementChild;
    await draw(canvas, shown[at], view.layer, view);
    canvas.parentElement.classList.toggle("without", !has(shown[at], view.layer));
  }
  if (viewer_is_open()) await redrawEnlarged();
  if (own === drawing) document.body.dataset.drawn = "yes";
}

function list() {
  cards.replaceChildren(...onPage().map(card));
  const all = gallery.entries.length;
  element("count").textContent = chosen.length
    ? `${chosen.length.toLocaleString("en")} of ${all.toLocaleString("en")} images`
    : `None of ${all.toLocaleString("en")} images is like that.`;
  element("page").textContent = `page ${page + 1} of ${pages()}`;
  element("previous").disabled = page === 0;
  element("next").disabled = page === pages() - 1;
  cards.parentElement.querySelector(".pages").hidden = pages() === 1;
  return redraw();
}

function turn(step) {
  const to = Math.min(Math.max(page + step, 0), pages() - 1);
  if (to === page) return;
  page = to;
  list();
}
element("previous").addEventListener("click", () => turn(-1));
element("next").addEventListener("click", () => turn(1));
