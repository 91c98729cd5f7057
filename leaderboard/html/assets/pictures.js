// Pictures of a subject: two conditions under a slider and their difference, or a run's strips.

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

// What can be put under the slider: conditions with a picture of that subject.
function conditionsOf(task, subject) {
  const found = [];
  for (const one of data.pictures) {
    if (one.task !== task || one.subject !== subject) continue;
    const name = data.titles[one.protection] +
      (one.purifier && one.purifier !== data.none ? ", " + data.titles[one.purifier] : "");
    if (one.given) found.push({ ...one, name: name + " (given to the exploit)", file: one.given });
    if (one.made) found.push({ ...one, name: name + " (made by the exploit)", file: one.made });
  }
  return found;
}

// The pictures of one subject; `protection` chooses the second one, if it is given.
function picturesOf(task, subject, protection, labels) {
  const box = make("div", {});
  const found = conditionsOf(task, subject);
  const own = found.findIndex((one) => one.protection === protection);
  const chosen = [0, own > 0 ? own : Math.min(1, found.length - 1)];
  const draw = () => {
    if (found.length < 2) {
      const strips = data.strips.filter((one) => one.task === task && one.subjects.includes(subject));
      box.replaceChildren(...strips.map((strip) => make("p", {},
        make("a", { href: `${data.name}/figures/${strip.file}` }, `Picture strip: ${strip.caption}`))));
      if (!strips.length) box.append(make("p", { class: "note" }, `This folder of results has no pictures of ${subject}.`));
      return;
    }
    const options = found.map((one, place) => [String(place), one.name]);
    const pick = (side) => select(labels[side], options, String(chosen[side]), (value) => {
      chosen[side] = Number(value);
      draw();
    });
    const [before, after] = chosen.map((place) => found[place]);
    box.replaceChildren(make("div", { class: "tools" }, pick(0), pick(1)),
      slider(before.file, after.file, [before.name, after.name]));
  };
  draw();
  return box;
}

function subjectChoice(chosen, changed) {
  const options = allSubjects().map(({ task, subject }) => [task.name + "/" + subject, `${task.title}: ${subject}`]);
  return select("Subject", options, chosen, changed);
}

function startPictures() {
  const box = document.getElementById("pictures");
  const first = allSubjects()[0];
  if (!first) return;
  const figures = [...document.querySelectorAll("figure.strip")];
  follow(["subject"], () => {
    const named = get("subject", first.task.name + "/" + first.subject);
    const at = allSubjects().find(({ task, subject }) => task.name + "/" + subject === named) || first;
    box.replaceChildren(make("div", { class: "tools" },
      subjectChoice(at.task.name + "/" + at.subject, (value) => set({ subject: value }))));
    const strips = figures.filter((figure) =>
      figure.dataset.task === at.task.name && JSON.parse(figure.dataset.subjects).includes(at.subject));
    for (const figure of figures) figure.hidden = !strips.includes(figure);
    if (conditionsOf(at.task.name, at.subject).length > 1 || !strips.length) {
      box.append(picturesOf(at.task.name, at.subject, "", ["Left", "Right"]));
    }
  });
}
