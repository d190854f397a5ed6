// 2: from logits to the loss.
const logits = (() => {
  const REACH = 10, ARROW = 0.4; // the ends of the sliders; an arrow's length on the track for a gradient of 1
  const own = () => state.logits, change = () => changed("logits");
  let found = arithmetic.softmaxLoss([0, 0], 0);

  const cell = (kind) => {
    const value = make("span", { class: "n" }), what = make("span", { class: "what" });
    return { value, what, element: make("div", { class: `cell ${kind}` }, what, value) };
  };
  const barred = (kind) => {
    const made = cell(kind), bar = make("div", { class: "share", "aria-hidden": "true" }, make("div", { class: "fill" }));
    made.element.append(bar);
    return { ...made, bar };
  };
  const shares = () => arithmetic.plainShares(own().z);

  const line = (i) => {
    const radio = make("input", { type: "radio", name: "label" }), title = make("b");
    const arrow = make("div", { class: "arrow" }), track = make("div", { class: "track centred" }, make("div", { class: "fill" }), arrow, make("div", { class: "knob" }));
    const input = make("input"), exp = cell("exp"), soft = barred("softmax"), plain = barred("plain"), slope = cell("slope");
    const element = make("div", { class: "line", role: "group" }, make("label", { class: "name" }, radio, title), track, input, exp.element, soft.element, plain.element, slope.element);
    const get = () => own().z[i], set = (x) => { own().z[i] = x; change(); };
    const moved = slider(track, { get, set, min: -REACH, max: REACH, step: 0.1 }), filled = field(input, { get, set, fits: Number.isFinite });
    radio.addEventListener("change", () => { own().label = i; change(); });
    return { element, update: () => {
      const name = nameOf(own().classes, i, "explore.class"), tempered = own().temperature !== 1;
      title.textContent = name;
      element.setAttribute("aria-label", name);
      element.classList.toggle("chosen", i === own().label);
      radio.checked = i === own().label;
      radio.setAttribute("aria-label", say("explore.logits.is_label", { name }));
      moved(say("explore.logits.slider", { name }));
      filled(say("explore.logits.slider", { name }));
      const p = found.probabilities[i], share = shares()[i], pull = -found.slope[i];
      show(exp.value, `logits.exp.${i}`, Math.exp(get() / own().temperature));
      show(soft.value, `logits.softmax.${i}`, p);
      show(plain.value, `logits.plain.${i}`, share, Number.isFinite(share) ? figures.figure(share) : "–");
      show(slope.value, `logits.gradient.${i}`, found.slope[i], figures.signed(found.slope[i]));
      exp.what.textContent = say(tempered ? "explore.logits.exp.tempered" : "explore.logits.exp");
      soft.what.textContent = say("explore.logits.softmax");
      plain.what.textContent = say("explore.logits.plain");
      slope.what.textContent = say("explore.logits.gradient");
      soft.bar.style.setProperty("--at", percent(p));
      plain.bar.style.setProperty("--at", percent(Number.isFinite(share) ? within(Math.abs(share), 0, 1) : 0));
      plain.bar.classList.toggle("wrong", !(share >= 0 && share <= 1));
      const from = within((get() + REACH) / (2 * REACH), 0, 1), to = within(from + ARROW * within(pull, -1, 1), 0, 1);
      arrow.style.left = percent(Math.min(from, to));
      arrow.style.width = percent(Math.abs(to - from));
      arrow.className = `arrow ${pull < 0 ? "down" : "up"}${Math.abs(to - from) < 0.004 ? " none" : ""}`;
    } };
  };
  const lines = repeat(find("#logits-lines"), () => own().z.length, line);

  const warmth = { get: () => own().temperature, set: (x) => { own().temperature = x; change(); } };
  const scale = { at: (x) => (Math.log10(x) + 1) / 2, from: (share) => 10 ** (2 * share - 1) };
  const warm = slider(find("#logits-temperature"), { ...warmth, ...scale, min: 0.1, max: 10, step: 0.1 });
  const warmField = field(find("#logits-temperature-number"), { ...warmth, fits: (x) => x >= 0.01 && x <= 1000 });
  const softness = { get: () => own().smoothing, set: (x) => { own().smoothing = x; change(); } };
  const smooth = slider(find("#logits-smoothing"), { ...softness, min: 0, max: 0.5, step: 0.01 });
  const smoothField = field(find("#logits-smoothing-number"), { ...softness, fits: (x) => x >= 0 && x <= 1 });

  press("logits-add", () => { own().z = own().z.map((x) => +(x + 1).toFixed(9)); change(); });
  press("logits-more", () => { if (own().z.length < MOST) own().z.push(0); change(); });
  press("logits-fewer", () => {
    if (own().z.length > 2) own().z.pop();
    own().label = Math.min(own().label, own().z.length - 1);
    change();
  });

  const reading = () => {
    const { z, label, temperature, smoothing } = own(), parts = [], total = arithmetic.sum(z);
    const name = (i) => nameOf(own().classes, i, "explore.class"), negative = shares().findIndex((x) => x < 0);
    if (total === 0) parts.push(say("explore.logits.plain.zero"));
    else if (negative >= 0) parts.push(say("explore.logits.plain.negative", { name: name(negative), value: figures.figure(shares()[negative]) }));
    else {
      const after = arithmetic.plainShares(z.map((x) => x + 1))[label];
      parts.push(say("explore.logits.plain.shift", { name: name(label), before: figures.figure(shares()[label]), after: figures.figure(after) }));
    }
    if (temperature !== 1) parts.push(say("explore.logits.temperature.text"));
    if (smoothing > 0) parts.push(say("explore.logits.smoothing.text"));
    return parts.join(say("explore.space"));
  };
  const update = () => {
    const { z, label, temperature, smoothing } = own();
    found = arithmetic.softmaxLoss(z, label, temperature, smoothing);
    lines();
    warm(say("explore.logits.temperature"));
    warmField(say("explore.logits.temperature"));
    smooth(say("explore.logits.smoothing"));
    smoothField(say("explore.logits.smoothing"));
    show(find("#logits-loss"), "logits.loss", found.loss);
    show(find("#logits-bits"), "logits.bits", arithmetic.bits(found.loss));
    show(find("#logits-given"), "logits.given", found.probabilities[label]);
    show(find("#logits-uniform"), "logits.uniform", Math.log(z.length));
    find("#logits-head-exp").textContent = say(temperature === 1 ? "explore.logits.exp" : "explore.logits.exp.tempered");
    find("#logits-more").disabled = z.length >= MOST;
    find("#logits-fewer").disabled = z.length <= 2;
    return reading();
  };
  return { update };
})();
