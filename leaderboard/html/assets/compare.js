// Two conditions of one task and metric, paired by subject.

function startCompare() {
  const box = document.getElementById("compare");
  if (!currentTask()) return;
  follow(["task", "metric", "a", "b"], () => {
    const task = currentTask();
    const metric = currentMetric();
    const cells = data.records.find((one) => one.task === task.name).cells
      .filter((cell) => cell.metric === metric.name);
    const options = cells.map((cell) => [JSON.stringify([cell.protection, cell.purifier]),
      data.titles[cell.protection] + (cell.purifier ? ", " + data.titles[cell.purifier] : "")]);
    if (!options.length) return;
    const known = new Set(options.map(([value]) => value));
    // At first a protection beside what is no protection, both without a purifier.
    const first = (kinds) => {
      const place = cells.findIndex((cell) => cell.n && cell.purifier === data.none &&
        kinds.includes(data.kinds[cell.protection]));
      return options[Math.max(place, 0)][0];
    };
    const chosen = [["a", ["protection"]], ["b", ["noise", "clean"]]].map(([key, kinds]) =>
      known.has(get(key)) ? get(key) : first(kinds));
    const focused = document.activeElement && document.activeElement.id;
    const sides = chosen.map((value) => cells[options.findIndex(([one]) => one === value)]);
    const found = pairedDifference(sides[0].values, sides[1].values);
    const names = chosen.map((value) => options.find(([one]) => one === value)[1]);
    const text = intervalText(found, metric.percent);
    const subjects = `${found.n} subject${found.n === 1 ? "" : "s"} that both have`;
    const both = task.subjects.map((subject, place) => place)
      .filter((place) => sides.every((side) => side.values[place] !== null));
    const differences = numbers(
      both.map((place) => sides[0].values[place] - sides[1].values[place]), metric.percent, true);
    const rows = both.map((place, row) =>
      [task.subjects[place], sides[0].texts[place], sides[1].texts[place], differences[row]]);
    box.replaceChildren(
      make("div", { class: "tools" },
        select("First", options, chosen[0], (value) => set({ a: value }), "compare-a"),
        select("Second", options, chosen[1], (value) => set({ b: value }), "compare-b")),
      make("p", { class: "result", "aria-live": "polite" }, `${metric.title}, ${names[0]} − ${names[1]}: `,
        make("strong", { id: "difference" }, text), `, over ${subjects}.`),
      grid("Comparison by subject", ["Subject", names[0], names[1], "Difference"], rows));
    if (focused && focused.startsWith("compare-")) document.getElementById(focused).focus();
  });
}
