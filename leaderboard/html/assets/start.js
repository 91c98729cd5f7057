// Makes the page work: what is above is text and tables, with or without scripts.

startViews();
for (const table of document.querySelectorAll("table.sortable")) makeSortable(table);
startDetails();
for (const board of document.querySelectorAll("[data-board]")) {
  const filter = makeFilter(board);
  if (!filter) continue;
  const tools = board.querySelector(".tools") || make("div", { class: "tools" });
  if (!tools.parentElement) board.querySelector("h2").nextElementSibling.after(tools);
  tools.prepend(filter, makeExports(board.dataset.board, () => visibleTables(board)));
}
startPlots();
startPictures();
startCompare();
// A board whose filter or order stands in the address is open.
for (const key of state.keys()) {
  const [kind, name] = [key.split(".")[0], key.slice(key.indexOf(".") + 1)];
  const id = kind === "sort" && document.getElementById(name);
  const board = id ? id.closest("details") : kind === "q" && document.querySelector(`details[data-board="${CSS.escape(name)}"]`);
  if (board) board.open = true;
}
startParts();
startRelease();
document.documentElement.dataset.ready = "";
