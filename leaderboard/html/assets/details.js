// What a cell and a row open: values, settings, digests and the command; what a method is, what it
// may see, what it costs, how it fared, its ranks and its pictures.

function settings(label) {
  const found = data.components[label] || [];
  if (!found.length) return [make("p", { class: "note" }, `No settings are stored for ${label}.`)];
  return found.map((component) => make("details", {},
    make("summary", {}, label),
    make("pre", { tabindex: "0" }, JSON.stringify(component, null, 1))));
}

// The command that measures a cell again; controls are part of every run of their task.
function commandOf(task, protection, purifier) {
  if (!data.command) return "";
  const parts = [data.command, `--tasks ${data.quoted[task.name]}`];
  if (!protection.startsWith("control:")) {
    parts.push(`--protections ${data.quoted[protection]}`);
    if (purifier) parts.push(`--purifiers ${data.quoted[purifier]}`);
  }
  return parts.join(" ");
}

// The label of a component, or of what it is within a task that has settings of its own for it.
function within(label, task) {
  const own = `${label} in ${task.name}`;
  return own in data.components ? own : label;
}

function provenance(labels, task, protection, purifier) {
  const command = commandOf(task, protection, purifier);
  return [
    make("h3", {}, "Settings and digests"),
    ...labels.map((label) => within(label, task)).flatMap(settings),
    ...(command ? [make("h3", {}, "Measured again by"), make("pre", { tabindex: "0", class: "command" }, command),
      make("p", { class: "note" }, "It has the same result with the same version, settings and models.")] : []),
  ];
}

function show(title, children) {
  const dialog = document.getElementById("details");
  document.getElementById("details-body").replaceChildren(make("h2", { id: "details-title" }, title), ...children);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function showCell(protection, purifier) {
  const record = recordOf(protection, purifier);
  const task = currentTask();
  if (!record) return;
  const after = purifier && purifier !== data.none ? ", " + data.titles[purifier] : "";
  const rows = task.subjects.map((subject, place) => [subject, record.texts[place] || "–"]);
  const labels = [`task ${task.name}`];
  if (!protection.startsWith("control:")) labels.push(`protection ${protection}`);
  if (purifier) labels.push(`purifier ${purifier}`);
  const metric = currentMetric();
  const unit = metric.percent ? "per cent" : metric.unit;
  show(`${data.titles[protection]}${after}`, [
    make("p", {}, `${task.title}, ${metric.title}${unit ? ` (${unit})` : ""}: `, make("strong", {}, record.text)),
    make("p", {}, `Mean with its 95 % interval: ${record.interval}; ${record.n} of ${task.subjects.length} subjects.`),
    record.state === "done" ? null : make("p", { class: "caution" }, `State: ${record.state}. ${record.reason || ""}`),
    grid("Values by subject", ["Subject", metric.title], rows),
    ...provenance(labels, task, protection, purifier),
  ].filter((one) => one !== null));
}

function showRow(protection) {
  const method = data.methods.protection[protection];
  // Not every task has every protection.
  const measured = (one) => data.records.find((record) => record.task === one.name).cells
    .some((cell) => cell.protection === protection);
  const task = [currentTask(), ...data.tasks].find(measured);
  const subject = task.subjects.find((one) => rowsOf(task.name, one).includes(protection)) ||
    task.subjects.find((one) => data.strips.some((strip) => strip.task === task.name && strip.subjects.includes(one))) ||
    task.subjects[0];
  const pictures = make("div", {});
  const draw = (named) => {
    const at = allSubjects().find((one) => one.task.name + "/" + one.subject === named);
    pictures.replaceChildren(subjectChoice(named, draw), picturesOf(at.task.name, at.subject, protection));
  };
  draw(task.name + "/" + subject);
  show(data.titles[protection], [
    make("p", {}, make("code", {}, protection), ` (${data.kinds[protection]})`),
    ...(method ? methodOf(method) : []), ...ranksOf(protection),
    make("h3", {}, "Pictures"), pictures,
    ...(protection.startsWith("control:") ? [] : provenance([`protection ${protection}`], task, protection, "")),
  ]);
}

function showPurifier(purifier) {
  show(data.titles[purifier], [
    make("p", {}, make("code", {}, purifier), " (purifier)"),
    ...methodOf(data.methods.purifier[purifier]),
    make("h3", {}, "Settings and digests"), ...settings(within(`purifier ${purifier}`, currentTask())),
  ]);
}

// What a method is, what it may see, what it costs and how it fared.
function methodOf(method) {
  const costs = [["Sees of the model", method.sees], ["Passes per image", method.passes],
    ["Seconds per subject", method.seconds], ["Peak MiB", method.peak]];
  const fared = data.fared.map((head, place) => [head, method.fared[place]]).filter(([, text]) => text);
  return [
    ...method.about.map((text) => make("p", {}, text)),
    make("h3", {}, "What it sees and costs"),
    texts("What it sees and costs", ["Measured", "Value"], costs.map(([name, text]) => [name, text || "not measured"])),
    ...(fared.length ? [make("h3", {}, "How it fared"), texts("How it fared", ["Task", "Fared"], fared)] : []),
  ];
}

// A table whose texts may go on in a second line.
function texts(...parts) {
  return make("div", { class: "texts" }, grid(...parts));
}

// The ranks of a protection by the current task's and metric's table, a row per purifier.
function ranksOf(protection) {
  const table = document.querySelector("#at\\=ranks .view:not([hidden]) table");
  const own = table && [...table.tBodies[0].rows].find((row) => row.dataset.protection === protection);
  if (!own) return [];
  const text = (cell) => cell.textContent.trim();
  const rows = [...table.tHead.rows[0].cells].slice(1)
    .map((head, place) => [text(head), text(own.cells[place + 1])]).filter(([, rank]) => rank);
  const title = `Ranks: ${currentTask().title}, ${currentMetric().title}`;
  return rows.length ? [make("h3", {}, title), grid(title, ["Purifier", "Rank"], rows)] : [];
}

// The buttons of a board that open a cell or a row.
function makeOpeners(board) {
  for (const cell of board.querySelectorAll("td[data-record]")) {
    cell.append(make("button", { type: "button", class: "cell" }, ...cell.childNodes));
  }
  for (const row of board.querySelectorAll("tr[data-protection], tr[data-purifier]")) {
    const head = row.querySelector("th");
    head.append(make("button", { type: "button", class: "row" }, ...head.childNodes));
  }
}

function startDetails() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button.cell, button.row");
    if (!button) return;
    const { protection, purifier } = button.closest("tr").dataset;
    if (purifier) return set({ method: purifier, row: "", cell: "" });
    if (button.classList.contains("row")) return set({ row: protection, cell: "", method: "" });
    const found = data.records.find((one) => one.task === currentTask().name).cells;
    const record = found[Number(button.parentElement.dataset.record)];
    return set({ cell: JSON.stringify([protection, record.purifier]), row: "", method: "" });
  });
  const dialog = document.getElementById("details");
  dialog.addEventListener("close", () => set({ cell: "", row: "", method: "" }));
  follow(["cell", "row", "method"], () => {
    if (Object.hasOwn(data.kinds, get("row"))) return showRow(get("row"));
    if (Object.hasOwn(data.methods.purifier, get("method"))) return showPurifier(get("method"));
    try {
      if (get("cell")) return showCell(...JSON.parse(get("cell")));
    } catch {
      return undefined; // an address that nobody's click made
    }
    if (dialog.open) dialog.close();
    return undefined;
  });
}
