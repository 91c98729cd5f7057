// Two conditions of one task and metric, paired by subject.

function startCompare() {
  const box = document.getElementById("compare");
  if (!currentTask()) return;
  follow(["task", "metric", "a", "b"], () => {
    const task = currentTask();
    const metric = currentMetric();
    const cells = data.records.find((one) => one.task === task.name).cells
      .filter((cell) => cell.metric === metric.name);
    if (!cells.length) return;
    const keyOf = (cell) => JSON.stringify([cell.protection, cell.purifier]);
    const known = new Map(cells.map((cell) => [keyOf(cell), cell]));
    // At first a protection beside what is no protection, both without a purifier.
    const first = (kinds) => cells.find((cell) => cell.n && cell.purifier === data.none &&
      kinds.includes(data.kinds[cell.protection])) || cells[0];
    const sides = [["a", ["protection"]], ["b", ["noise", "clean"]]].map(([key, kinds]) =>
      known.get(get(key)) || first(kinds));
    const focused = document.activeElement && document.activeElement.id;
    const found = pairedDifference(sides[0].values, sides[1].values);
    const names = sides.map((cell) =>
      data.titles[cell.protection] + (cell.purifier ? ", " + data.titles[cell.purifier] : ""));
    const text = intervalText(found, metric.percent);
    const subjects = `${found.n} subject${found.n === 1 ? "" : "s"} that both have`;
    const both = task.subjects.map((subject, place) => place)
      .filter((place) => sides.every((side) => side.values[place] !== null));
    const differences = numbers(
      both.map((place) => tenDigits(sides[0].values[place] - sides[1].values[place])), metric.percent, true);
    const rows = both.map((place, row) =>
      [task.subjects[place], sides[0].texts[place], sides[1].texts[place], differences[row]]);
    const choices = [["First", "a"], ["Second", "b"]].flatMap(([label, key], place) =>
      conditionChoice(label, key, cells, sides[place], (cell) => set({ [key]: keyOf(cell) })));
    const result = make("p", { class: "result", "aria-live": "polite" }, `${metric.title}, ${names[0]} − ${names[1]}: `,
      make("strong", { id: "difference" }, text), `, over ${subjects}.`);
    const heads = ["Subject", names[0], names[1], "Difference"];
    const unit = metric.percent ? "per cent" : metric.unit;
    const exported = () => [{
      heading: `${task.title}: ${metric.title}${unit ? ` (${unit})` : ""}, comparison by subject`,
      heads: [heads], rows, footnotes: [],
      text: [result.textContent, document.querySelector("#at\\=compare .told").textContent],
    }];
    box.replaceChildren(make("div", { class: "tools" }, ...choices, makeExports("compare", exported)),
      result, grid("Comparison by subject", heads, rows));
    if (focused && focused.startsWith("compare-")) document.getElementById(focused).focus();
  });
}

// A choice of a protection and one of a purifier that was run on it. Another protection keeps the
// purifier if it was run on that one too.
function conditionChoice(label, key, cells, chosen, changed) {
  const of = (name) => cells.filter((cell) => cell.protection === name);
  const protections = [...new Set(cells.map((cell) => cell.protection))];
  return [
    select(label, protections.map((name) => [name, data.titles[name]]), chosen.protection, (name) =>
      changed(of(name).find((cell) => cell.purifier === chosen.purifier) || of(name)[0]), `compare-${key}`),
    select(`${label} purifier`, of(chosen.protection).map((cell) =>
      [cell.purifier, cell.purifier ? data.titles[cell.purifier] : "–"]), chosen.purifier, (name) =>
      changed(of(chosen.protection).find((cell) => cell.purifier === name)), `compare-${key}-purifier`),
  ];
}
