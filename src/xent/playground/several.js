// 4: sigmoid, and several labels at once.
const several = (() => {
  const REACH = 8, ARROW = 0.4;
  const own = () => state.several, change = () => changed("several");
  const svg = find("#several-plot svg"), across = (z) => within((z + REACH) / (2 * REACH), 0, 1);
  const costs = () => own().given.map((given, i) => arithmetic.yesOrNo(own().y[i], given));
  let found = [];

  const line = (i) => {
    const box = make("input", { type: "checkbox" }), title = make("b"), answer = make("span", { class: "answer" });
    const arrow = make("div", { class: "arrow" }), track = make("div", { class: "track centred" }, make("div", { class: "fill" }), arrow, make("div", { class: "knob" }));
    const z = make("input"), q = make("input"), cost = make("span", { class: "n" }), slope = make("span", { class: "n" });
    const heads = ["q", "cost", "gradient"].map(() => make("span", { class: "what" }));
    const [qCell, costCell, slopeCell] = [q, cost, slope].map((value, k) => make("div", { class: "cell" }, heads[k], value));
    const element = make("div", { class: "line several", role: "group" }, make("label", { class: "name" }, box, title, answer), track, z, qCell, costCell, slopeCell);
    const put = (given) => { own().given[i] = given; change(); };
    const moved = slider(track, { get: () => found[i].z, set: (x) => put({ z: x }), min: -REACH, max: REACH, step: 0.1 });
    const zField = field(z, { get: () => rounded(found[i].z), set: (x) => put({ z: x }), fits: (x) => !Number.isNaN(x) });
    const qField = field(q, { get: () => rounded(found[i].q), set: (x) => put({ q: x }), fits: (x) => x >= 0 && x <= 1 });
    const rounded = (x) => (Number.isFinite(x) ? +x.toPrecision(4) : x);
    box.addEventListener("change", () => { own().y[i] = Number(box.checked); change(); });
    return { element, update: () => {
      const name = nameOf(own().labels, i, "explore.label"), yes = own().y[i] === 1, one = found[i];
      title.textContent = name;
      answer.textContent = say(yes ? "explore.several.yes" : "explore.several.no");
      element.setAttribute("aria-label", name);
      element.classList.toggle("chosen", yes);
      box.checked = yes;
      box.setAttribute("aria-label", say("explore.several.is_true", { name }));
      moved(say("explore.several.slider", { name }));
      zField(say("explore.several.slider", { name }));
      qField(`q, ${name}`);
      ["q", "cost", "gradient"].forEach((what, k) => { heads[k].textContent = say(`explore.several.${what}`); });
      q.dataset.key = `several.q.${i}`;
      q.dataset.value = one.q;
      show(cost, `several.cost.${i}`, one.loss);
      show(slope, `several.gradient.${i}`, one.slope, figures.signed(one.slope));
      const from = across(one.z), to = within(from - ARROW * one.slope, 0, 1);
      arrow.style.left = percent(Math.min(from, to));
      arrow.style.width = percent(Math.abs(to - from));
      arrow.className = `arrow ${one.slope > 0 ? "down" : "up"}${Math.abs(to - from) < 0.004 ? " none" : ""}`;
    } };
  };
  const lines = repeat(find("#several-lines"), () => own().y.length, line);

  press("several-more", () => { if (own().y.length < MOST) { own().y.push(0); own().given.push({ z: 0 }); } change(); });
  press("several-fewer", () => { if (own().y.length > 1) { own().y.pop(); own().given.pop(); } change(); });

  const points = Array.from({ length: 161 }, (_, i) => -REACH + i * REACH / 80);
  place(find(".curve", svg), { d: `M${points.map((z) => `${(100 * across(z)).toFixed(2)} ${(100 * (1 - arithmetic.sigmoid(z))).toFixed(2)}`).join("L")}` });
  const draw = () => {
    const group = find(".marks", svg), shown = find(".points", svg);
    group.replaceChildren();
    shown.replaceChildren();
    for (const q of [0, 0.5, 1]) group.append(make("line", { class: "grid", x1: 0, x2: "100%", y1: percent(1 - q), y2: percent(1 - q) }), make("text", { class: "end", x: -8, y: percent(1 - q), dy: 4 }, String(q)));
    for (const z of [-8, -4, 0, 4, 8]) group.append(make("text", { class: "mid", x: percent(across(z)), y: "100%", dy: 20 }, figures.typed(z)));
    found.forEach(({ z, q }, i) => {
      const x = percent(across(z)), yes = own().y[i];
      shown.append(make("line", { class: "missing", x1: x, x2: x, y1: percent(1 - q), y2: percent(1 - yes) }),
        make("circle", { class: yes ? "dot" : "ring", cx: x, cy: percent(1 - q), r: 6 }),
        make("text", { class: "ink halo", x, y: percent(1 - q), dx: across(z) > 0.85 ? -11 : 11, dy: 4, "text-anchor": across(z) > 0.85 ? "end" : "start" }, nameOf(own().labels, i, "explore.label")));
    });
    if (found.length > 6) for (const text of findAll("text", shown)) text.remove();
  };

  const update = () => {
    found = costs();
    lines();
    draw();
    const losses = found.map(({ loss }) => loss), sum = arithmetic.sum(losses), mean = arithmetic.mean(losses);
    const rows = /^row \d+$/.test(own().labels[0] ?? ""); // rows of a data set, of which the mean is the loss
    find("#several-sum-tile").classList.toggle("main", !rows);
    find("#several-mean-tile").classList.toggle("main", rows);
    show(find("#several-sum"), "several.sum", sum);
    show(find("#several-mean"), "several.mean", mean);
    show(find("#several-typical"), "several.typical", Math.exp(-mean));
    show(find("#several-bits"), "several.bits", arithmetic.bits(sum));
    find("#several-more").disabled = own().y.length >= MOST;
    find("#several-fewer").disabled = own().y.length <= 1;
    const missed = losses.map((x, i) => i).filter((i) => losses[i] === Infinity).map((i) => nameOf(own().labels, i, "explore.label"));
    if (missed.length) return say("explore.several.reading.infinite", { names: listed(missed) });
    return say("explore.several.reading", { total: figures.figure(arithmetic.sum(found.map(({ q }) => q))), sum: figures.figure(sum) });
  };
  return { update };
})();
