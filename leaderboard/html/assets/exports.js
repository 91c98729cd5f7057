// The current view of a board, with its filter and order, as CSV, JSON or LaTeX. Sentences and
// footnotes go into the JSON, and into the LaTeX as comments; CSV has no place for them.

// The tables of a board that are on view: heading, sentences, columns, the texts of the visible
// rows, and footnotes.
function visibleTables(board) {
  return [...board.querySelectorAll("table.sortable")]
    .filter((table) => !table.closest("[hidden]"))
    .map((table) => {
      const named = table.getAttribute("aria-labelledby");
      const texts = (row) => [...row.cells].map((cell) => cell.textContent.trim());
      const told = (selector, from = board) => [...from.querySelectorAll(selector)].map((one) => one.textContent.trim());
      const own = `[data-of="${table.id}"]`;
      const heads = [...table.tHead.rows].map(texts);
      if (heads[0][0] === "Row" && table.tHead.querySelector(".sr")) heads[0][0] = "";
      if (heads.length > 1) heads[1][0] = "";
      return {
        heading: named ? document.getElementById(named).textContent : table.getAttribute("aria-label"),
        heads,
        rows: [...table.tBodies[0].rows].filter((row) => !row.hidden).map(texts),
        text: [...told(".told"), ...told(`p${own}`)],
        footnotes: told(`ul${own} li`),
      };
    });
}

// A text that a spreadsheet would take for a formula is quoted as text.
function csvField(text) {
  const plain = /^[=@\t\r]/.test(text) ? "'" + text : text;
  return /[",\n\r]/.test(plain) ? '"' + plain.replaceAll('"', '""') + '"' : plain;
}

function asCsv(tables) {
  const line = (texts) => texts.map(csvField).join(",");
  return tables.map((table) =>
    [line([table.heading]), ...table.heads.map(line), ...table.rows.map(line)].join("\n") + "\n").join("\n");
}

function asJson(tables) {
  const shown = tables.map(({ heading, heads, rows, text, footnotes }) =>
    ({ heading, text, columns: heads, rows, footnotes }));
  return JSON.stringify(shown, null, 1) + "\n";
}

const LATEX = {
  "&": "\\&", "%": "\\%", "$": "\\$", "#": "\\#", "_": "\\_", "^": "\\^{}", "{": "\\{", "}": "\\}",
  "~": "\\textasciitilde{}", "\\": "\\textbackslash{}", "<": "\\ensuremath{<}", ">": "\\ensuremath{>}",
};

function asLatex(tables) {
  const line = (texts) =>
    texts.map((text) => text.replace(/[&%$#_^{}~\\<>]/g, (sign) => LATEX[sign])).join(" & ") + " \\\\";
  const comments = (texts) => texts.map((text) => "% " + text.replace(/\s+/g, " "));
  return tables.map(({ heading, heads, rows, text, footnotes }) => [
    ...comments([heading, ...text]),
    `\\begin{tabular}{l${"r".repeat(heads[0].length - 1)}}`, "\\toprule", line(heads[0]), "\\midrule",
    ...[...heads.slice(1), ...rows].map(line), "\\bottomrule", "\\end{tabular}", ...comments(footnotes), "",
  ].join("\n")).join("\n");
}

function download(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = make("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// Buttons that export what `tablesOf` returns; files are named by `name`.
function makeExports(name, tablesOf) {
  const forms = [["CSV", "csv", "text/csv", asCsv], ["JSON", "json", "application/json", asJson],
    ["LaTeX", "tex", "application/x-tex", asLatex]];
  const buttons = forms.map(([title, ending, type, form]) => make("button", {
    type: "button",
    "data-export": ending,
    "aria-label": `Export this view of ${name} as ${title}`,
    onclick: () => download(`${data.name}-${name}.${ending}`, type, form(tablesOf())),
  }, title));
  return make("span", { class: "exports" }, "This view as ", ...buttons);
}
