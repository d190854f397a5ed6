// 3: the curve.
const curve = (() => {
  const DECADES = 17, LOW = 1e-3, HIGH = 50, TOP = 7, NAME = 13; // ends of the axes: p from 10^-17, log nats, linear nats; pixels for a name
  const own = () => state.curve, change = () => changed("curve");
  const plot = find("#curve-plot"), svg = find("svg", plot), handle = find("#curve-handle");
  const deep = () => own().axis === "log";
  const top = () => (deep() ? DECADES * Math.LN10 : TOP);
  const across = (p) => (deep() ? within(1 + Math.log10(p) / DECADES, 0, 1) : p);
  const from = (share) => (deep() ? (share <= 0 ? 0 : 10 ** (DECADES * (share - 1))) : share);
  const up = (nats) => (own().nats === "log"
    ? within(Math.log(nats / LOW) / Math.log(HIGH / LOW), 0, 1) : within(nats / top(), 0, 1));
  const tidy = (p) => (p > 0.001 && p < 1 ? +p.toFixed(3) : p === 0 || p >= 1 ? p : +p.toPrecision(2));
  const put = (p) => { own().at = within(p, 0, 1); change(); };

  const lineAt = (y, kind) => make("line", { class: kind, x1: 0, x2: "100%", y1: percent(1 - y), y2: percent(1 - y) });
  const textAt = (attributes, text) => make("text", attributes, text);
  const heights = () => {
    if (own().nats === "log") return [0.001, 0.01, 0.1, 1, 10];
    return deep() ? [0, 10, 20, 30] : [0, 1, 2, 3, 4, 5, 6, 7];
  };
  const widths = () => (deep() ? [0, 4, 8, 12, 16].map((k) => [10 ** -k, k ? `10${figures.raised(-k)}` : "1"])
    : [0, 0.2, 0.4, 0.6, 0.8, 1].map((p) => [p, String(p)]));
  const path = (epsilon) => {
    const steps = Array.from({ length: 401 }, (_, i) => (deep() ? i / 400 : (i / 400) ** 2 * (3 - i / 200))); // close together at the ends
    const points = steps.map((share) => {
      const nats = arithmetic.surprisal(arithmetic.clipped(from(share), epsilon));
      return [share, nats];
    }).filter(([, nats]) => nats <= top() * 1.06 || own().nats === "log");
    return `M${points.map(([x, nats]) => `${(100 * x).toFixed(2)} ${(100 * (1 - (own().nats === "log" ? up(nats) : nats / top()))).toFixed(2)}`).join("L")}`;
  };
  // The names of the bounds stand one above the other even where the bounds are too close for that.
  const bounds = (group) => {
    const beside = make("svg", { x: "100%" }), height = svg.clientHeight;
    let free = height;
    for (const bound of page.rule.filter((nats) => up(nats) < 1)) {
      const from = height * (1 - up(bound)), to = Math.min(from, free);
      free = to - NAME;
      group.append(lineAt(up(bound), "rule"));
      beside.prepend(make("path", { class: "leader", d: `M2 ${from}L14 ${to}` }), textAt({ class: "bound", x: 17, y: to, dy: 4 }, String(bound)));
    }
    return beside;
  };
  const grid = () => {
    const group = find(".marks", svg);
    group.replaceChildren();
    for (const nats of heights()) group.append(lineAt(up(nats), "grid"), textAt({ class: "end", x: -8, y: percent(1 - up(nats)), dy: 4 }, String(nats)));
    for (const [p, text] of widths()) group.append(textAt({ class: "mid", x: percent(across(p)), y: "100%", dy: 20 }, text));
    group.append(bounds(group));
    for (const p of own().marks) {
      const nats = arithmetic.surprisal(p), inside = nats <= top() && (own().nats !== "log" || nats >= LOW);
      if (inside) group.append(make("circle", { class: "mark", cx: percent(across(p)), cy: percent(1 - up(nats)), r: 3.5 }));
    }
  };
  const move = slider(handle, { get: () => own().at, set: put, min: 0, max: 1, step: 0.01, text: (p) => `${figures.typed(p)}: ${figures.figure(arithmetic.surprisal(p))} ${say("explore.nats")}` });
  // On the log axis the arrow keys go by tenths of a decade.
  handle.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!deep() || !way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const to = (own().at || 10 ** -DECADES) * 10 ** (way * (event.shiftKey ? 10 : 1) / 10);
    put(to < 10 ** -DECADES ? 0 : +Math.min(1, to).toPrecision(3));
  }, true);
  const drag = (event) => {
    const box = svg.getBoundingClientRect();
    put(tidy(from(within((event.clientX - box.left) / box.width, 0, 1))));
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    plot.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    drag(event);
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => { if (plot.hasPointerCapture(event.pointerId)) drag(event); });

  const number = field(find("#curve-p"), { get: () => own().at, set: put, fits: (x) => x >= 0 && x <= 1 });
  const axis = choice("axis", () => own().axis, (value) => { own().axis = value; change(); });
  const nats = choice("nats", () => own().nats, (value) => { own().nats = value; change(); });
  const clip = choice("clip", () => own().clip, (value) => { own().clip = Number(value); change(); });
  const marks = repeat(find("#curve-marks"), () => own().marks.length, (i) => {
    const p = make("span"), cost = make("b"), button = make("button", { type: "button" }, p, cost);
    button.addEventListener("click", () => put(own().marks[i]));
    return { element: make("li", {}, button), update: () => {
      p.textContent = figures.typed(own().marks[i]);
      show(cost, `curve.mark.${i}`, arithmetic.surprisal(own().marks[i]));
      button.setAttribute("aria-pressed", String(own().marks[i] === own().at));
    } };
  });

  const update = () => {
    const p = own().at, cost = arithmetic.surprisal(p), clipped = arithmetic.surprisal(arithmetic.clipped(p, own().clip));
    grid();
    plot.classList.toggle("steep", deep());
    plot.classList.toggle("small", own().nats === "log");
    place(find(".whole", svg), { d: path(0) });
    place(find(".clipped", svg), { d: own().clip ? path(own().clip) : "M0 0" });
    handle.style.left = percent(across(p));
    handle.style.top = percent(1 - up(cost));
    find("#curve-zero").classList.toggle("here", p === 0);
    find("#curve-one").classList.toggle("here", p === 1);
    move(say("explore.curve.slider"));
    number(say("explore.curve.p"));
    axis();
    nats();
    clip();
    marks();
    show(find("#curve-nats"), "curve.nats", cost);
    show(find("#curve-bits"), "curve.bits", arithmetic.bits(cost));
    const chances = 1 / p;
    find("#curve-odds").textContent = p === 0 ? say("explore.curve.odds.never") : say("explore.curve.odds.one", { count: chances < 1e6 ? +chances.toPrecision(4) : figures.figure(chances) });
    find("#curve-clipped").hidden = !own().clip;
    show(find("#curve-clipped b"), "curve.clipped", clipped);
    find("#curve-clipped span").textContent = say("explore.curve.clipped", { epsilon: figures.typed(+own().clip.toPrecision(2)) });
    const at = cost === 0 ? -1 : arithmetic.below(page.rule, cost);
    for (const item of findAll("#curve-rule li")) {
      const here = Number(item.dataset.at) === at;
      item.classList.toggle("here", here);
      if (here) item.setAttribute("aria-current", "true"); else item.removeAttribute("aria-current");
    }
    if (cost === Infinity) return say("explore.curve.reading.zero");
    return cost === 0 ? say("explore.curve.reading.one")
      : say("explore.curve.reading", { p: figures.typed(p), nats: figures.figure(cost), bits: figures.figure(arithmetic.bits(cost)) });
  };
  return { update };
})();
