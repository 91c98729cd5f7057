// Makes the page work: what is above is text and tables, with or without scripts.

// Sorting, what rows and cells open, filter and exports of a board.
function prepare(board) {
  const folded = board.querySelector("noscript");
  if (folded) folded.outerHTML = folded.textContent;
  for (const table of board.querySelectorAll("table.sortable")) makeSortable(table);
  makeOpeners(board);
  const filter = makeFilter(board);
  if (!filter) return;
  const tools = board.querySelector(".tools") || make("div", { class: "tools" });
  if (!tools.parentElement) board.querySelector("h2").nextElementSibling.after(tools);
  tools.prepend(filter, makeExports(board.dataset.board, () => visibleTables(board)));
}

// Whether a filter or an order of the board stands in the address.
function isAddressed(board) {
  return [...state.keys()].some((key) => key === "q." + board.dataset.board ||
    (key.startsWith("sort.") && board.querySelector("noscript").textContent.includes(`id="${key.slice(5)}"`)));
}

startViews();
startDetails();
// A folded board waits until it is opened: hundreds of tables, with buttons, would delay the page.
for (const board of document.querySelectorAll("[data-board]")) {
  if (board.tagName === "DETAILS" && isAddressed(board)) board.open = true;
  if (board.tagName !== "DETAILS" || board.open) prepare(board);
  else board.addEventListener("toggle", () => prepare(board), { once: true });
}
startPlots();
startPictures();
startCompare();
startParts();
startRelease();
document.documentElement.dataset.ready = "";
