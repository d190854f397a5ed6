// 5: float32.
const float = (() => {
  const WAYS = { exact: arithmetic.exact, shifted: arithmetic.shifted32, textbook: arithmetic.textbook32 };
  const NEAR = 40, FAR = 100, HIGH = 1, RAIL = 0.06, STEPS = 400; // a rail below the log axis stands for exactly 0
  const own = () => state.float, change = () => changed("float");
  const put = (lead) => { own().lead = lead; change(); };
  const end = () => (own().lead <= NEAR ? NEAR : FAR);
  const low = () => (end() === NEAR ? -18 : -44);
  const up = (size) => (size === 0 ? RAIL / 3 : RAIL + (1 - RAIL) * within((Math.log10(size) - low()) / (HIGH - low()), 0, 1));
  const drawn = new Map();
  const path = (way, what) => {
    const key = [way, what, own().count, end()].join();
    if (!drawn.has(key)) {
      let pen = "M", text = "";
      for (let i = 0; i <= STEPS; i += 1) {
        const size = Math.abs(WAYS[way](end() * i / STEPS, own().count)[what]);
        if (Number.isNaN(size)) { pen = "M"; continue; }
        text += `${pen}${(100 * i / STEPS).toFixed(2)} ${(100 * (1 - up(size))).toFixed(2)}`;
        pen = "L";
      }
      drawn.set(key, text);
    }
    return drawn.get(key);
  };
  const draw = (plot, what) => {
    const svg = find("svg", plot), group = find(".marks", svg), points = find(".points", svg), x = percent(within(own().lead / end(), 0, 1));
    group.replaceChildren();
    points.replaceChildren();
    const step = end() === NEAR ? 4 : 10;
    for (let power = 0; power > low(); power -= step) {
      const y = percent(1 - up(10 ** power));
      group.append(make("line", { class: "grid", x1: 0, x2: "100%", y1: y, y2: y }), make("text", { class: "end", x: -8, y, dy: 4 }, power ? `10${figures.raised(power)}` : "1"));
    }
    const zero = percent(1 - up(0));
    group.append(make("line", { class: "rule", x1: 0, x2: "100%", y1: zero, y2: zero }), make("text", { class: "end ink", x: -8, y: zero, dy: 4 }, say("explore.float.zero")));
    for (let lead = 0; lead <= end(); lead += end() / 4) group.append(make("text", { class: "mid", x: percent(lead / end()), y: "100%", dy: 20 }, String(lead)));
    group.append(make("line", { class: "dash", x1: x, x2: x, y1: 0, y2: "100%" }));
    for (const way of Object.keys(WAYS)) {
      place(find(`.${way}`, svg), { d: path(way, what) });
      const size = Math.abs(WAYS[way](own().lead, own().count)[what]);
      if (!Number.isNaN(size)) points.append(make("circle", { class: `at-${way}`, cx: x, cy: percent(1 - up(size)), r: way === "exact" ? 5 : 4 }));
    }
  };
  const plots = [["#float-loss", "loss"], ["#float-gradient", "slope"]].map(([id, what]) => [find(id), what]);
  for (const [plot] of plots) {
    const drag = (event) => {
      const box = find("svg", plot).getBoundingClientRect();
      put(+(within((event.clientX - box.left) / box.width, 0, 1) * end()).toFixed(1));
    };
    plot.addEventListener("pointerdown", (event) => { if (!event.button) { plot.setPointerCapture(event.pointerId); drag(event); event.preventDefault(); } });
    plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) drag(event); });
  }
  const lead = { get: () => own().lead, set: put };
  const moved = slider(find("#float-lead"), { ...lead, min: 0, max: NEAR, step: 0.5 });
  const filled = field(find("#float-lead-number"), { ...lead, fits: (x) => x >= 0 && x <= 1000 });
  const counts = choice("count", () => own().count, (value) => { own().count = Number(value); change(); });

  const off = (loss, exact) => say("explore.percent", { value: figures.figure(100 * Math.abs(loss - exact) / exact) });
  const update = () => {
    moved(say("explore.float.lead"));
    filled(say("explore.float.lead"));
    counts();
    for (const [plot, what] of plots) draw(plot, what);
    const all = Object.fromEntries(Object.entries(WAYS).map(([way, compute]) => [way, compute(own().lead, own().count)]));
    for (const [way, { loss, slope }] of Object.entries(all)) {
      show(find(`#float-${way}-loss`), `float.${way}.loss`, loss);
      show(find(`#float-${way}-gradient`), `float.${way}.gradient`, slope);
      find(`#float-${way}`).classList.toggle("lost", loss === 0 || Number.isNaN(loss));
    }
    const exact = all.exact.loss, usual = all.shifted.loss, shown = { exact: figures.figure(exact), loss: figures.figure(usual), off: off(usual, exact), lead: figures.typed(own().lead) };
    if (Number.isNaN(all.textbook.loss)) return say("explore.float.reading.broken", shown);
    if (usual === 0) return say("explore.float.reading.zero", shown);
    return say(Math.abs(usual - exact) / exact < 1e-3 ? "explore.float.reading.close" : "explore.float.reading.rough", shown);
  };
  return { update };
})();
