"use strict";

// Pictures: a click enlarges one; the arrow keys, or a click, go on to the next of its row, so that
// image, mask and ground truth can be compared in place.
const viewer = document.getElementById("viewer");
const [picture, caption] = viewer.children;
let row = [], position = 0;

function show(step) {
  position = (position + step + row.length) % row.length;
  picture.src = row[position].src;
  picture.alt = caption.textContent = row[position].alt;
}

for (const button of document.querySelectorAll(".panels button")) {
  button.addEventListener("click", () => {
    row = [...button.closest(".panels").querySelectorAll("img")];
    position = row.indexOf(button.firstElementChild);
    show(0);
    viewer.showModal();
  });
}
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") show(1);
  if (event.key === "ArrowLeft") show(-1);
});
viewer.addEventListener("click", (event) => (event.target === picture ? show(1) : viewer.close()));

// Tables: a click on a heading sorts by its column, a second one the other way round.
function cellValue(line, column) {
  const text = line.cells[column].textContent.trim();
  return column === 0 ? text : text === "—" ? -1 : parseFloat(text);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const was = heading.getAttribute("aria-sort");
      const descending = was ? was === "ascending" : column > 0;
      const sign = descending ? -1 : 1;
      const lines = [...table.tBodies[0].rows].sort((one, other) => {
        const a = cellValue(one, column), b = cellValue(other, column);
        return sign * (column === 0 ? a.localeCompare(b) : a - b);
      });
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
      table.tBodies[0].append(...lines);
    });
  });
}

// Paper cannot be unfolded.
const folded = () => document.querySelectorAll("details:not([open])");
let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = [...folded()];
  for (const details of unfolded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of unfolded) details.open = false;
});
