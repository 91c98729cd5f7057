// The task and the metric of heat map, plots, ranks and comparisons.

function currentTask() {
  return data.tasks.find((task) => task.name === get("task")) || data.tasks[0] || null;
}

function currentMetric() {
  const task = currentTask();
  if (!task) return null;
  const named = (name) => task.metrics.find((metric) => metric.name === name);
  return named(get("metric")) || named(task.headline) || task.metrics[0] || null;
}

// The record of a cell under the current task and metric, or null.
function recordOf(protection, purifier) {
  const task = currentTask();
  const found = data.records.find((one) => one.task === task.name);
  const metric = currentMetric().name;
  return found.cells.find((cell) =>
    cell.metric === metric && cell.protection === protection && cell.purifier === purifier) || null;
}

function startViews() {
  const tasks = document.getElementById("choose-task");
  const metrics = document.getElementById("choose-metric");
  if (!currentTask()) return;
  tasks.addEventListener("change", () => set({ task: tasks.value, metric: "" }));
  metrics.addEventListener("change", () => set({ metric: metrics.value }));
  const views = [...document.querySelectorAll(".view")];
  follow(["task", "metric"], () => {
    const task = currentTask();
    const metric = currentMetric();
    tasks.value = task.name;
    metrics.replaceChildren(...task.metrics.map((one) => make("option", { value: one.name }, one.title)));
    metrics.value = metric.name;
    for (const view of views) {
      view.hidden = view.dataset.task !== task.name || view.dataset.metric !== metric.name;
    }
  });
}

// Costs are passes or seconds: of the two plots one is shown, where there are both. Pointing at a
// point of a plot, or at its row of values, marks both.
function startPlots() {
  const kinds = ["passes", "seconds"].map((name) => [name, [...document.querySelectorAll(`figure[data-plot=${name}]`)]]);
  if (kinds.every(([, plots]) => plots.length)) {
    const titles = { passes: "passes through networks", seconds: "seconds" };
    const choice = select("Cost in", Object.entries(titles), "", (value) => set({ cost: value === "passes" ? "" : value }), "choose-cost");
    document.querySelector("#at\\=plots > p").after(make("div", { class: "tools" }, choice));
    follow(["cost"], () => {
      const wanted = get("cost") === "seconds" ? "seconds" : "passes";
      choice.querySelector("select").value = wanted;
      for (const [name, plots] of kinds) for (const plot of plots) plot.hidden = name !== wanted;
    });
  }
  for (const figure of document.querySelectorAll("#at\\=plots .view")) {
    const mark = (event) => {
      const own = event.target.closest("[data-number]");
      for (const one of figure.querySelectorAll("[data-number]")) {
        one.classList.toggle("marked", own !== null && one.dataset.number === own.dataset.number);
      }
    };
    figure.addEventListener("pointerover", mark);
    figure.addEventListener("focusin", mark);
  }
}

function startParts() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#at="]');
    if (!link) return;
    event.preventDefault();
    set({ at: link.getAttribute("href").slice(4) });
  });
  follow(["at"], () => {
    const part = get("at") && document.getElementById("at=" + get("at"));
    if (!part) return;
    part.scrollIntoView();
    part.querySelector("h2").focus({ preventScroll: true });
  });
}

// On the page of an earlier release: says so, and leads to the current one.
function startRelease() {
  const place = location.pathname.match(/\/releases\/([^/]+)\/[^/]*$/);
  if (!place) return;
  const release = decodeURIComponent(place[1]);
  const current = make("a", { href: "../../index.html" }, "The current one");
  const told = make("p", { class: "caution" }, `The board of release ${release}. `, current, ".");
  document.querySelector("header h1").after(told);
}
