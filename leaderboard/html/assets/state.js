// What is shown stands in the address behind "#", so that a link opens the same view.

const data = JSON.parse(document.getElementById("data").textContent);
const state = new URLSearchParams(location.hash.slice(1));
const listeners = [];

// A part of the state, or `otherwise`.
function get(key, otherwise = "") {
  return state.has(key) ? state.get(key) : otherwise;
}

// Changes parts of the state, the address and what shows them. "" removes a part.
function set(parts) {
  for (const [key, value] of Object.entries(parts)) {
    if (value === "" || value === null) state.delete(key);
    else state.set(key, value);
  }
  history.replaceState(null, "", "#" + state.toString());
  for (const listener of listeners) listener(Object.keys(parts));
}

// Calls `listener` now and whenever one of `keys` changes; a key may be the start of several.
function follow(keys, listener) {
  const wanted = (key) => keys.some((own) => key === own || (own.endsWith(".") && key.startsWith(own)));
  listeners.push((changed) => {
    if (changed.some(wanted)) listener();
  });
  listener();
}

addEventListener("hashchange", () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const changed = new Set([...state.keys(), ...given.keys()].filter((key) => state.get(key) !== given.get(key)));
  for (const key of [...state.keys()]) state.delete(key);
  for (const [key, value] of given) state.set(key, value);
  for (const listener of listeners) listener([...changed]);
});

// An element with attributes and children; texts become text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// A selection with a label; `options` are pairs of value and text.
function select(label, options, chosen, changed, id = null) {
  const choice = make("select", { onchange: () => changed(choice.value), id });
  for (const [value, text] of options) {
    choice.append(make("option", { value, selected: value === chosen }, text));
  }
  return make("label", {}, label + " ", choice);
}

// A table from texts: `heads` name the columns, the first text of a row names the row.
function grid(label, heads, rows) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...texts]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...texts.map((text) => make("td", {}, text))));
  const table = make("table", { "aria-label": label }, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": label }, table);
}
