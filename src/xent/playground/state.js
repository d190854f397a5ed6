// What the page shows, and the same as the part of its address after #.
const PARTS = ["two", "logits", "curve", "several", "float"];
const MOST = 12, MOST_ROWS = 9, LONGEST = 40; // outcomes, rows, letters of a name

const start = () => ({
  lang: page.lang, part: "two",
  two: { p: [[0.1, 0.4, 0.5]], q: [[0.8, 0.15, 0.05]], row: 0, unit: "bits", names: ["red", "green", "blue"] },
  logits: { z: [4.334, 2.9, 0.01], label: 0, temperature: 1, smoothing: 0, classes: ["basketball", "tennis", "football"] },
  curve: { at: 0.8, clip: 0, axis: "linear", nats: "linear", marks: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1] },
  several: { y: [0, 1, 1], given: [{ q: 0.1 }, { q: 0.7 }, { q: 0.8 }], labels: ["cat", "frog", "mouse"] },
  float: { lead: 20, count: 3 },
});

const written = (() => {
  const share = (x) => x >= 0 && x <= 1;
  const one = (fits) => (text) => { const x = figures.parse(text); return fits(x) ? x : undefined; };
  const of = (...words) => (text) => (words.includes(text) ? text : undefined);
  const all = (values) => (values.includes(undefined) ? undefined : values);
  const list = (read, least, most) => (text) => {
    const parts = text.split(",");
    return parts.length >= least && parts.length <= most ? all(parts.map(read)) : undefined;
  };
  const distribution = (text) => {
    const found = list(one(share), 2, MOST)(text);
    return found && arithmetic.sum(found) > 0 ? found : undefined;
  };
  const rows = (text) => {
    const found = text.split(";").slice(0, MOST_ROWS + 1).map(distribution);
    return found.length <= MOST_ROWS && found.every((row) => row && row.length === found[0].length) ? found : undefined;
  };
  const given = (text) => {
    const x = figures.parse(text.slice(1));
    if (text[0] === "q" && share(x)) return { q: x };
    return text[0] === "z" && !Number.isNaN(x) ? { z: x } : undefined;
  };
  const name = (text) => (text.length <= LONGEST ? text : undefined);
  const names = (text) => (text === "" ? [] : list(name, 1, MOST)(text));
  const whole = (least, most) => one((x) => Number.isInteger(x) && x >= least && x <= most);
  const number = (x) => String(x).replace("e+", "e"); // + is a space in addresses
  const words = (values) => values.join(",");
  const numbers = (values) => values.map(number).join(",");
  const matrix = (values) => values.map(numbers).join(";");

  // key: [part, field, read, write]; a part of which one key cannot be read, or does not fit the others, stays as it starts.
  const FIELDS = {
    lang: [null, "lang", (text) => of(...page.languages)(text), String],
    part: [null, "part", of(...PARTS), String],
    p: ["two", "p", rows, matrix], q: ["two", "q", rows, matrix],
    row: ["two", "row", whole(0, MOST_ROWS - 1), String], unit: ["two", "unit", of("nats", "bits"), String],
    names: ["two", "names", names, words],
    z: ["logits", "z", list(one(Number.isFinite), 2, MOST), numbers],
    label: ["logits", "label", whole(0, MOST - 1), String],
    T: ["logits", "temperature", one((x) => x >= 0.01 && x <= 1000), number],
    smoothing: ["logits", "smoothing", one(share), number],
    classes: ["logits", "classes", names, words],
    at: ["curve", "at", one(share), number], clip: ["curve", "clip", one((x) => page.clips.includes(x)), number],
    axis: ["curve", "axis", of("linear", "log"), String], nats: ["curve", "nats", of("linear", "log"), String],
    marks: ["curve", "marks", list(one(share), 1, MOST), numbers],
    y: ["several", "y", list(whole(0, 1), 1, MOST), numbers],
    given: ["several", "given", list(given, 1, MOST), (all) => all.map((x) => ("q" in x ? `q${number(x.q)}` : `z${number(x.z)}`)).join(",")],
    labels: ["several", "labels", names, words],
    lead: ["float", "lead", one((x) => x >= 0 && x <= 1000), number],
    count: ["float", "count", one((x) => page.counts.includes(x)), String],
  };
  const fits = {
    two: ({ p, q, row }) => p.length === q.length && p[0].length === q[0].length && row < p.length,
    logits: ({ z, label }) => label < z.length,
    several: ({ y, given: all }) => y.length === all.length,
  };

  const decode = (address) => {
    const text = address.replace(/^#/, ""), found = start(), bad = [], broken = new Set();
    if (PARTS.includes(text)) return { state: { ...found, part: text }, bad };
    for (const [key, value] of new URLSearchParams(text)) {
      const [part, field, read] = Object.hasOwn(FIELDS, key) ? FIELDS[key] : [null, null, () => undefined];
      const meant = read(value);
      if (meant === undefined) { bad.push(key.slice(0, LONGEST)); broken.add(part); } else (part ? found[part] : found)[field] = meant;
    }
    for (const [part, fit] of Object.entries(fits)) {
      if (fit(found[part])) continue;
      broken.add(part);
      bad.push(...Object.keys(FIELDS).filter((key) => FIELDS[key][0] === part && new URLSearchParams(text).has(key)));
    }
    for (const part of PARTS) if (broken.has(part)) found[part] = start()[part];
    return { state: found, bad: [...new Set(bad)] };
  };
  const encode = (state) => {
    const plain = start(), parts = [];
    for (const [key, [part, field, , write]] of Object.entries(FIELDS)) {
      const [own, first] = [state, plain].map((one) => write((part ? one[part] : one)[field]));
      if (own !== first) parts.push(`${key}=${encodeURIComponent(own).replace(/%2C/g, ",").replace(/%3B/g, ";")}`);
    }
    return parts.join("&");
  };
  return { decode, encode };
})();
