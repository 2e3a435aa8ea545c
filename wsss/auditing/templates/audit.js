"use strict";

const page = JSON.parse(document.getElementById("page-data").textContent);
const FIRST = 50;  // Findings of a check that are shown before "Show more".
const cards = [...document.querySelectorAll(".finding")].map((element) => ({
  element,
  identity: JSON.parse(element.dataset.identity),
  key: element.dataset.identity,
  classes: JSON.parse(element.dataset.classes),
  images: JSON.parse(element.dataset.images),
  changes: JSON.parse(element.dataset.corrections),
  choice: element.querySelector(".choice"),
  buttons: [...element.querySelectorAll("[data-decision]")],
}));
const cardOf = new Map(cards.map((card) => [card.element, card]));
const control = (id) => document.getElementById(id);

// Decisions and choices, by finding. They are kept in the browser, by data set; where it keeps
// nothing they last as long as the page.
const STORE = `wsss-audit:${page.key}`;
const MAP = "wsss-audit-map";
let decisions = {}, choices = {};

function stored(name) {
  try {
    const value = JSON.parse(localStorage.getItem(name));
    return value && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

function store(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    control("unkept").hidden = false;
  }
}

function recall() {
  const kept = stored(STORE);
  decisions = kept.decisions ?? {};
  choices = kept.choices ?? {};
  for (const card of cards) {
    if (card.choice) {
      card.choice.value = choices[card.key] ?? "0";
      if (card.choice.selectedIndex < 0) card.choice.selectedIndex = 0;
    }
  }
  showDecisions();
}

function showDecisions() {
  let agreed = 0, disagreed = 0;
  for (const card of cards) {
    const decision = decisions[card.key];
    agreed += decision === "agree";
    disagreed += decision === "disagree";
    for (const button of card.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.decision === decision));
    }
  }
  control("decided").textContent = `${agreed + disagreed} of ${cards.length} decided`;
  control("decided").title = `${agreed} agreed, ${disagreed} not`;
}

// Decide on a finding, or withdraw that; true where it was decided.
function decide(card, decision) {
  const withdrawn = decisions[card.key] === decision;
  if (withdrawn) delete decisions[card.key];
  else decisions[card.key] = decision;
  store(STORE, { decisions, choices });
  showDecisions();
  return !withdrawn;
}

// Which findings are shown: those that match the filters, the first of each check.
const filters = { search: control("search"), of: control("class-filter"), kind: control("kind-filter") };
const unfolded = new Set();

function matches(card) {
  const text = filters.search.value.trim().toLowerCase();
  return (
    (!filters.kind.value || card.identity[0] === filters.kind.value) &&
    (!filters.of.value || card.classes.includes(filters.of.value)) &&
    (!text || card.images.some((id) => id.toLowerCase().includes(text)))
  );
}

function filter() {
  const filtered = Boolean(filters.search.value.trim() || filters.of.value);
  for (const section of document.querySelectorAll(".check")) {
    const kind = section.dataset.kind;
    section.hidden = Boolean(filters.kind.value) && filters.kind.value !== kind;
    const own = cards.filter((card) => card.identity[0] === kind);
    const found = own.filter(matches);
    const shown = new Set(unfolded.has(kind) ? found : found.slice(0, FIRST));
    for (const card of own) card.element.hidden = !shown.has(card);
    const more = section.querySelector(".more");
    more.hidden = shown.size === found.length;
    more.querySelector("span").textContent = found.length - shown.size;
    section.querySelector(".none-match").hidden = !(filtered && own.length && !found.length);
  }
}

for (const input of Object.values(filters)) input.addEventListener("input", filter);
for (const section of document.querySelectorAll(".check")) {
  section.querySelector(".more button").addEventListener("click", () => {
    const before = visible(section);
    unfolded.add(section.dataset.kind);
    filter();
    go(visible(section)[before.length]);
  });
}

// Going from one finding to the next.
let current = null;

function visible(inside = document) {
  return [...inside.querySelectorAll(".finding:not([hidden])")].filter((one) => one.offsetParent);
}

function mark(element) {
  if (current) current.removeAttribute("aria-current");
  current = element ?? null;
  if (current) current.setAttribute("aria-current", "true");
}

function go(element) {
  if (!element) return;
  mark(element);
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "center" });
}

function step(by) {
  const all = visible();
  const place = all.indexOf(current);
  go(place < 0 ? all[by > 0 ? 0 : all.length - 1] : all[place + by]);
}

for (const card of cards) {
  card.element.addEventListener("focusin", () => mark(card.element));
  card.element.addEventListener("pointerdown", () => mark(card.element));
  for (const button of card.buttons) {
    button.addEventListener("click", () => decide(card, button.dataset.decision));
  }
  card.choice?.addEventListener("change", () => {
    choices[card.key] = card.choice.value;
    store(STORE, { decisions, choices });
  });
}

function decideCurrent(decision) {
  const card = cardOf.get(current);
  if (card && !card.element.hidden && decide(card, decision)) step(1);
}

// Maps.
function setOpacity() {
  document.body.style.setProperty("--map-opacity", control("opacity").value / 100);
  document.body.classList.remove("maps-off");
}

function toggleMaps() {
  if (document.body.classList.toggle("maps-off")) document.body.style.removeProperty("--map-opacity");
  else setOpacity();
}

control("opacity").addEventListener("input", () => {
  setOpacity();
  store(MAP, { opacity: control("opacity").value });
});

// Saving.
function cell(text) {
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}

// The tags of each image after the corrections that were agreed with.
function correctedTags() {
  const tags = new Map(page.items.map(([id, own]) => [id, new Set(own.map((c) => page.classes[c]))]));
  for (const card of cards) {
    if (decisions[card.key] !== "agree" || !card.changes.length) continue;
    const change = card.changes[card.choice ? card.choice.value : 0];
    for (const [id, [added, removed]] of Object.entries(change)) {
      if (!tags.has(id)) continue;
      for (const name of added) tags.get(id).add(name);
      for (const name of removed) tags.get(id).delete(name);
    }
  }
  return tags;
}

// Tags are separated by `|`, or are lists of JSON, which data=folder reads as well; when is told by
// the page, which has the rule.
function labelsTable(tags) {
  const rows = [...tags].map(([id, names]) => [id, page.classes.filter((name) => names.has(name))]);
  const several = rows.some(([, names]) => names.length > 1);
  const lists = several ? page.lists.several : page.lists.single;
  const written = (names) => (lists && names.length ? JSON.stringify(names) : names.join("|"));
  return table([["image", "labels"], ...rows.map(([id, names]) => [id, written(names)])]);
}

function decisionsTable() {
  const rows = cards.filter((card) => card.key in decisions);
  const columns = ["kind", "image", "label", "other", "decision"];
  return table([columns, ...rows.map((card) => [...card.identity, decisions[card.key]])]);
}

function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

control("save-labels").addEventListener("click", () => save(page.table, labelsTable(correctedTags())));
control("save-decisions").addEventListener("click", () => save("decisions.csv", decisionsTable()));

// Help.
const help = control("help");
control("open-help").addEventListener("click", () => help.showModal());
control("close-help").addEventListener("click", () => help.close());
help.addEventListener("click", (event) => event.target === help && help.close());
control("forget").addEventListener("click", () => {
  if (!confirm("Forget all decisions on this data set?")) return;
  store(STORE, {});
  recall();
});

// Keys.
const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  y: () => decideCurrent("agree"),
  n: () => decideCurrent("disagree"),
  m: toggleMaps,
  "/": () => filters.search.select(),
  "?": () => help.showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target === filters.search) {
    if (event.key === "Escape") {
      filters.search.value = "";
      filter();
      filters.search.blur();
    } else if (event.key === "Enter") {
      go(visible()[0]);
    }
    return;
  }
  if (event.target.matches("select, textarea")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

control("opacity").value = stored(MAP).opacity ?? control("opacity").value;
setOpacity();
recall();
filter();
