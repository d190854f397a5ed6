// Controls: sliders that can be dragged and moved by keys, fields for numbers, and texts in the language chosen.
const find = (selector, within = document) => within.querySelector(selector);
const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];
const SVG = find("svg").namespaceURI;
const make = (tag, attributes = {}, ...children) => {
  const element = ["svg", "line", "circle", "text", "path"].includes(tag)
    ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const place = (element, attributes) => {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
};
const percent = (share) => `${+(100 * share).toFixed(3)}%`;
const within = (value, low, high) => Math.min(high, Math.max(low, value));

let state = start();
const say = (name, values = {}) =>
  page.texts[state.lang][name].replace(/\{(\w+)\}/g, (blank, key) => (key in values ? values[key] : blank));
const letter = (i) => String.fromCharCode(65 + i);
// A name of the examples in the language chosen, any other name as it is, a letter where there is none.
const nameOf = (names, i, kind) => {
  if (!names[i]) return say(kind, { letter: letter(i) });
  const [, row] = /^row (\d+)$/.exec(names[i]) ?? [];
  if (row) return say("explore.row.counted", { index: row });
  return page.texts[state.lang][`explore.name.${names[i]}`] ?? names[i];
};
const listed = (names) => names.join(say("explore.comma"));

// A number with its full precision beside it: data-key says which, data-value is it.
const show = (element, key, value, text = figures.figure(value)) => {
  element.dataset.key = key;
  element.dataset.value = value;
  element.textContent = text;
};

// `at` gives the share of the track where a value stands, `from` the value at a share.
const slider = (element, { get, set, min, max, step, at, from, text = figures.typed }) => {
  const share = at ?? ((value) => (value - min) / (max - min));
  const value = from ?? ((part) => min + part * (max - min));
  const round = (x) => +(Math.round(x / step) * step).toFixed(6);
  const put = (x) => set(within(x, min, max));
  const point = (event) => {
    const box = element.getBoundingClientRect();
    put(round(value(within((event.clientX - box.left) / box.width, 0, 1))));
  };
  element.setAttribute("role", "slider");
  element.tabIndex = 0;
  element.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    point(event);
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => { if (element.hasPointerCapture(event.pointerId)) point(event); });
  element.addEventListener("keydown", (event) => {
    const far = event.shiftKey ? 10 : 1, own = within(get(), min, max);
    const to = {
      ArrowRight: round(own) + far * step, ArrowUp: round(own) + far * step, ArrowLeft: round(own) - far * step,
      ArrowDown: round(own) - far * step, PageUp: round(own) + 10 * step, PageDown: round(own) - 10 * step, Home: min, End: max,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    put(+to.toFixed(6));
  });
  return (label) => {
    const own = get(), shown = within(own, min, max);
    place(element, { "aria-label": label, "aria-valuemin": min, "aria-valuemax": max, "aria-valuenow": shown, "aria-valuetext": text(own) });
    element.style.setProperty("--at", percent(within(share(own), 0, 1)));
  };
};

// What was typed and is not taken is said below the section's title, and to screen readers.
const wrong = (input, text) => {
  const place = find(".wrong", input.closest("section"));
  place.textContent = text;
  place.hidden = !text;
};

// `set` is asked only for numbers that `fits`; what does not fit is marked, and on leaving the field undone, which is said.
const field = (input, { get, set, fits }) => {
  place(input, { type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
  const settle = () => {
    const value = figures.typed(get()), typed = input.value;
    if (input.hasAttribute("aria-invalid")) {
      const allowed = say(fits(0) && fits(1) && !fits(2) ? "explore.wrong.share" : "explore.wrong.number");
      wrong(input, say("explore.wrong", { typed, allowed, value }));
    }
    input.value = value;
    input.removeAttribute("aria-invalid");
  };
  input.addEventListener("input", () => {
    const value = figures.parse(input.value);
    wrong(input, "");
    if (fits(value)) { input.removeAttribute("aria-invalid"); set(value); } else input.setAttribute("aria-invalid", "true");
  });
  input.addEventListener("blur", settle);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") { settle(); input.select(); } });
  return (label) => {
    input.setAttribute("aria-label", say("explore.number", { what: label }));
    if (document.activeElement !== input) settle();
  };
};

// One of several: a group of radio buttons in the page, by the name of the input.
const choice = (name, get, set) => {
  for (const radio of findAll(`input[name="${name}"]`)) radio.addEventListener("change", () => set(radio.value));
  return () => { for (const radio of findAll(`input[name="${name}"]`)) radio.checked = radio.value === get() || Number(radio.value) === get(); };
};
const press = (id, act) => find(`#${id}`).addEventListener("click", act);

// An element for each of `count`, made anew only when the count changes, so that the focus stays where it is.
const repeat = (parent, count, build) => {
  let rows = [];
  return () => {
    while (rows.length > count()) rows.pop().element.remove();
    while (rows.length < count()) { rows.push(build(rows.length)); parent.append(rows.at(-1).element); }
    rows.forEach((row) => row.update());
  };
};
