// The page: its language, its examples, its address.
const parts = { two, logits, curve, several, float };
const status = find("#status");
let writing = 0, telling = 0, address = "";

const link = () => { const text = written.encode(state); return text ? `#${text}` : "#"; };
const write = () => {
  address = link();
  try { history.replaceState(null, "", address); } catch { location.replace(address); }
};
const tell = (text) => { status.textContent = text; };
const update = (part) => {
  const text = parts[part].update();
  find(`#${part} .reading`).textContent = text;
  return text;
};
// Browsers refuse an address that changes at every move of a pointer, and nobody wants to hear every number on the way.
const changed = (part) => {
  state.part = part;
  const text = update(part);
  chosen(part, null);
  clearTimeout(writing);
  clearTimeout(telling);
  writing = setTimeout(write, 200);
  telling = setTimeout(tell, 700, text);
};
const chosen = (part, id) => {
  for (const button of findAll(`#${part} [data-preset]`)) button.setAttribute("aria-pressed", String(button.dataset.preset === id));
};

const translate = () => {
  document.documentElement.lang = state.lang === "zh" ? "zh-Hans" : state.lang;
  document.title = say("explore.title");
  for (const element of findAll("[data-say]")) element.textContent = say(element.dataset.say, element.dataset.with ? JSON.parse(element.dataset.with) : {});
  for (const element of findAll("[data-say-label]")) element.setAttribute("aria-label", say(element.dataset.sayLabel));
  for (const button of findAll("[data-lang]")) button.setAttribute("aria-pressed", String(button.dataset.lang === state.lang));
};
const everything = () => { translate(); PARTS.forEach(update); };
const speak = (lang) => { state.lang = lang; everything(); write(); };

const preset = ({ id, part, inputs }) => {
  const { q, ...others } = structuredClone(inputs);
  if (part === "two") Object.assign(state.two, others, { q, row: 0 });
  else if (part === "logits") Object.assign(state.logits, { temperature: 1, smoothing: 0 }, others);
  else if (part === "curve") Object.assign(state.curve, { axis: "linear", nats: "linear" }, others);
  else if (part === "several") Object.assign(state.several, others, { given: q.map((x) => ({ q: x })) });
  else Object.assign(state.float, others);
  changed(part);
  chosen(part, id);
};

const go = (part) => find(`#${part}`).scrollIntoView({ block: "start" });
const read = () => {
  if (location.hash === address) return;
  const { state: found, bad } = written.decode(location.hash);
  state = found;
  everything();
  PARTS.forEach((part) => chosen(part, null));
  find("#broken").hidden = !bad.length;
  find("#broken").textContent = bad.length ? say("explore.broken", { names: listed(bad) }) : "";
  if (location.hash.length > 1 && state.part !== PARTS[0]) go(state.part);
  address = location.hash;
};

for (const button of findAll("[data-preset]")) button.addEventListener("click", () => preset(page.presets.find(({ id }) => id === button.dataset.preset)));
for (const button of findAll("[data-lang]")) button.addEventListener("click", () => speak(button.dataset.lang));
for (const anchor of findAll("nav a")) {
  anchor.addEventListener("click", (event) => {
    event.preventDefault();
    state.part = anchor.dataset.part;
    go(state.part);
    find(`#${state.part} h2`).focus({ preventScroll: true });
    write();
  });
}
press("copy", async () => {
  write();
  try { await navigator.clipboard.writeText(location.href); tell(say("explore.copied")); } catch { tell(say("explore.copy.failed")); }
  find("#told").textContent = status.textContent;
});
press("reset", () => { state = { ...start(), lang: state.lang }; everything(); PARTS.forEach((part) => chosen(part, null)); find("#broken").hidden = true; write(); });
addEventListener("hashchange", read);
everything();
read();
