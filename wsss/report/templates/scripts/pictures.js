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
