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
