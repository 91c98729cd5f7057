// Sorting by column and filtering by text. Rows keep the texts that they came with.

// The numbers of a text that starts with one, to sort by; null for other texts.
function sortKey(text) {
  const plain = text.replace(/^[<≤]\s*/, "").replaceAll("−", "-");
  if (!/^[+-]?\.?\d/.test(plain)) return null;
  return (plain.match(/[+-]?\d*\.?\d+(e[+-]?\d+)?/gi) || []).map(Number);
}

// Numbers before texts, blanks last whichever way is sorted.
function compareTexts(one, other, way) {
  if (!one || !other) return (one ? 0 : 1) - (other ? 0 : 1);
  const [a, b] = [sortKey(one), sortKey(other)];
  if (a && b) {
    for (let place = 0; place < Math.min(a.length, b.length); place++) {
      if (a[place] !== b[place]) return way * (a[place] - b[place]);
    }
    return 0;
  }
  if (a || b) return a ? -1 : 1;
  return way * one.localeCompare(other, "en");
}

function sortTable(table, original) {
  const [column, way] = get("sort." + table.id).split(",");
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, place) => {
    if (!head.querySelector("button")) return;
    const own = column !== "" && Number(column) === place;
    head.setAttribute("aria-sort", !own ? "none" : way === "d" ? "descending" : "ascending");
  });
  const rows = [...original];
  if (column !== "" && Number(column) < heads.length) {
    const texts = new Map(rows.map((row) => [row, row.cells[Number(column)].textContent.trim()]));
    rows.sort((a, b) => compareTexts(texts.get(a), texts.get(b), way === "d" ? -1 : 1));
  }
  table.tBodies[0].append(...rows);
}

function makeSortable(table) {
  const original = [...table.tBodies[0].rows];
  const key = "sort." + table.id;
  [...table.tHead.rows[table.tHead.rows.length - 1].cells].forEach((head, place) => {
    if (head.tagName !== "TH") return;
    const button = make("button", { type: "button", class: "sort", onclick: () => {
      const next = { [place + ",a"]: place + ",d", [place + ",d"]: "" };
      set({ [key]: get(key) in next ? next[get(key)] : place + ",a" });
    } }, ...head.childNodes);
    head.append(button);
  });
  follow([key], () => sortTable(table, original));
}

// A field that keeps only the rows that hold all of its words, and how many these are.
function makeFilter(board) {
  const key = "q." + board.dataset.board;
  const rows = [...board.querySelectorAll("table.sortable tbody tr")];
  if (!rows.length) return null;
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const count = make("output", { class: "count", "aria-live": "polite" });
  const field = make("input", { type: "search", oninput: () => set({ [key]: field.value }) });
  follow([key, "task", "metric"], () => {
    if (field.value !== get(key)) field.value = get(key);
    const words = get(key).toLowerCase().split(/\s+/).filter(Boolean);
    rows.forEach((row, place) => {
      row.hidden = !words.every((word) => texts[place].includes(word));
    });
    const here = rows.filter((row) => !row.closest(".view[hidden]"));
    count.textContent = `${here.filter((row) => !row.hidden).length} of ${here.length} rows`;
  });
  return make("span", { class: "filter" }, make("label", {}, "Filter rows ", field), " ", count);
}
