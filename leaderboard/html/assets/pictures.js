// Pictures of a subject: two conditions of a row under a slider and their difference, or strips.

function allSubjects() {
  return data.tasks.flatMap((task) => task.subjects.map((subject) => ({ task, subject })));
}

// A slider between two images, and their difference, amplified. Nothing reads pixels, which pages
// from the disk may not: the difference is how the browser blends the two.
function slider(before, after, names) {
  const top = make("img", { src: after, alt: names[1] });
  const pair = make("div", { class: "slide" }, make("img", { src: before, alt: names[0] }), top);
  const range = make("input", { type: "range", min: "0", max: "100", value: "50", oninput: () => cut() });
  const cut = () => { top.style.clipPath = `inset(0 0 0 ${range.value}%)`; };
  cut();
  const blend = make("div", { class: "difference" },
    make("img", { src: before, alt: "" }), make("img", { src: after, alt: "" }));
  const gain = make("input", { type: "range", min: "1", max: "30", value: "8", oninput: () => amplify() });
  const shown = make("output", {});
  const amplify = () => {
    blend.style.filter = `brightness(${gain.value})`;
    shown.textContent = " " + gain.value + " times";
  };
  amplify();
  return make("div", { class: "pair" },
    make("figure", {}, pair, make("label", {}, `Left: ${names[0]}; right: ${names[1]} `, range)),
    make("figure", {}, make("div", { class: "frame", role: "img",
      "aria-label": `Difference of ${names[0]} and ${names[1]}, amplified` }, blend),
    make("label", {}, "Difference, amplified ", gain), shown));
}

// The rows that have pictures of a subject, in the order of the board.
function rowsOf(task, subject) {
  const found = data.pictures.filter((one) => one.task === task && one.subject === subject);
  return [...new Set(found.map((one) => one.protection))];
}

// What can be put under the slider: the pictures of the clean row, then those of the row itself.
function conditionsOf(task, subject, protection) {
  const found = [];
  const rank = (one) => (data.kinds[one.protection] === "clean" ? 0 : 1);
  const own = data.pictures.filter((one) => one.task === task && one.subject === subject &&
    (one.protection === protection || (!rank(one) && one.purifier === data.none)));
  for (const one of own.sort((a, b) => rank(a) - rank(b))) {
    const name = data.titles[one.protection] +
      (one.purifier && one.purifier !== data.none ? ", " + data.titles[one.purifier] : "");
    const place = (file) => `${data.name}/pictures/${file}`;
    if (one.given) found.push({ ...one, name: name + " (given to the exploit)", file: place(one.given) });
    if (one.made) found.push({ ...one, name: name + " (made by the exploit)", file: place(one.made) });
  }
  return found;
}

// The pictures of one row: at first the clean picture on the left and the row's own on the right.
function picturesOf(task, subject, protection) {
  const box = make("div", {});
  const found = conditionsOf(task, subject, protection);
  const own = found.findIndex((one) => one.protection === protection);
  const chosen = [0, own > 0 ? own : Math.min(1, found.length - 1)];
  const draw = () => {
    if (found.length < 2) {
      const strips = data.strips.filter((one) => one.task === task && one.subjects.includes(subject));
      box.replaceChildren(...strips.map((strip) => make("p", {},
        make("a", { href: `${data.name}/figures/${strip.file}` }, `Picture strip: ${strip.caption}`))));
      box.append(make("p", { class: "note" }, `This folder of results has no ${strips.length ? "single " : ""}pictures of ${subject} in this row.`));
      return;
    }
    const options = found.map((one, place) => [String(place), one.name]);
    const pick = (label, side) => select(label, options, String(chosen[side]), (value) => {
      chosen[side] = Number(value);
      draw();
    });
    const [before, after] = chosen.map((place) => found[place]);
    box.replaceChildren(make("div", { class: "tools" }, pick("Left", 0), pick("Right", 1)),
      slider(before.file, after.file, [before.name, after.name]));
  };
  draw();
  return box;
}

function subjectChoice(chosen, changed) {
  const options = allSubjects().map(({ task, subject }) => [task.name + "/" + subject, `${task.title}: ${subject}`]);
  return select("Subject", options, chosen, changed);
}

// The pictures of a subject and a row, both of which stand in the address, and the subject's strips.
function startPictures() {
  const box = document.getElementById("pictures");
  const all = allSubjects();
  const first = all.find(({ task, subject }) => rowsOf(task.name, subject).length) || all[0];
  if (!first) return;
  const figures = [...document.querySelectorAll("figure.strip")];
  follow(["subject", "of"], () => {
    const focused = document.activeElement && document.activeElement.id;
    const named = get("subject", first.task.name + "/" + first.subject);
    const at = all.find(({ task, subject }) => task.name + "/" + subject === named) || first;
    const rows = rowsOf(at.task.name, at.subject);
    const protection = rows.includes(get("of")) ? get("of")
      : rows.find((one) => data.kinds[one] === "protection") || rows[0] || "";
    const tools = make("div", { class: "tools" },
      subjectChoice(at.task.name + "/" + at.subject, (value) => set({ subject: value })));
    if (rows.length) {
      tools.append(select("Row", rows.map((one) => [one, data.titles[one]]), protection, (value) => set({ of: value }), "pictures-row"));
    }
    box.replaceChildren(tools);
    const strips = figures.filter((figure) =>
      figure.dataset.task === at.task.name && JSON.parse(figure.dataset.subjects).includes(at.subject));
    for (const figure of figures) figure.hidden = !strips.includes(figure);
    if (rows.length || !strips.length) box.append(picturesOf(at.task.name, at.subject, protection));
    if (focused === "pictures-row") document.getElementById(focused).focus();
  });
}
