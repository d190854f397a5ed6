// 1: two distributions.
const two = (() => {
  const own = () => state.two, row = (which) => own()[which][own().row];
  const unit = () => say(`explore.${own().unit}`);
  const inUnit = (nats) => (own().unit === "bits" ? arithmetic.bits(nats) : nats);
  const off = (p) => Math.abs(arithmetic.sum(p) - 1) > page.tolerance;
  const proper = (p) => (off(p) ? arithmetic.divided(p) : p);
  const count = () => row("p").length, change = () => changed("two");

  const outcome = (i) => {
    const title = make("b"), element = make("div", { class: "outcome", role: "group" }, title);
    const halves = ["p", "q"].map((which) => {
      const track = make("div", { class: `track ${which}` }, make("div", { class: "fill" })), input = make("input"), cost = make("span", { class: "n" });
      element.append(make("div", { class: "half" }, make("i", { "aria-hidden": "true" }, which.toUpperCase()), track, input, cost));
      const get = () => row(which)[i];
      const moved = slider(track, { get, min: 0, max: 1, step: 0.01, set: (x) => { own()[which][own().row] = arithmetic.spread(row(which), i, x); change(); } });
      const filled = field(input, { get, fits: (x) => x >= 0 && x <= 1, set: (x) => { row(which)[i] = x; change(); } });
      return (name) => {
        const label = say("explore.two.slider", { which: which.toUpperCase(), name });
        moved(label);
        filled(label);
        cost.setAttribute("role", "img");
        cost.setAttribute("aria-label", `${say("explore.two.surprisal")}, ${label}: ${figures.figure(inUnit(arithmetic.surprisal(proper(row(which))[i])))} ${unit()}`);
        show(cost, `two.surprisal.${which}.${i}`, inUnit(arithmetic.surprisal(proper(row(which))[i])));
      };
    });
    return { element, update: () => {
      const name = nameOf(own().names, i, "explore.outcome");
      title.textContent = name;
      element.setAttribute("aria-label", name);
      halves.forEach((half) => half(name));
    } };
  };
  const outcomes = repeat(find("#two-outcomes"), () => count(), outcome);

  const tab = (i) => {
    const element = make("button", { type: "button" });
    element.addEventListener("click", () => { own().row = i; change(); });
    return { element, update: () => {
      element.textContent = say("explore.row", { index: i + 1 });
      element.setAttribute("aria-pressed", String(i === own().row));
    } };
  };
  const tabs = repeat(find("#two-rows"), () => (own().p.length > 1 ? own().p.length : 0), tab);
  const units = choice("unit", () => own().unit, (value) => { own().unit = value; change(); });

  const each = (act) => { for (const which of ["p", "q"]) own()[which] = own()[which].map(act); change(); };
  press("two-more", () => { if (count() < MOST) each((p) => [...p, 0]); });
  press("two-fewer", () => { if (count() > 2) each((p) => { const kept = p.slice(0, -1); return arithmetic.sum(kept) > 0 ? arithmetic.spread(kept, 0, arithmetic.divided(kept)[0]) : [1, ...kept.slice(1)]; }); });
  press("two-swap", () => { [own().p, own().q] = [own().q, own().p]; change(); });
  press("two-equal", () => { own().q[own().row] = [...row("p")]; change(); });
  press("two-row-more", () => {
    if (own().p.length >= MOST_ROWS) return;
    for (const which of ["p", "q"]) own()[which].push([...row(which)]);
    own().row = own().p.length - 1;
    change();
  });
  press("two-row-fewer", () => {
    for (const which of ["p", "q"]) own()[which].splice(own().row, 1);
    own().row = Math.min(own().row, own().p.length - 1);
    change();
  });
  press("two-divide", () => { for (const which of ["p", "q"]) if (off(row(which))) own()[which][own().row] = arithmetic.divided(row(which)); change(); });

  const stack = (side, p, q, most) => {
    const h = inUnit(arithmetic.entropy(p)), kl = inUnit(arithmetic.klDivergence(p, q)), cross = inUnit(arithmetic.crossEntropy(p, q));
    const figure = find(`#two-${side}`), infinite = cross === Infinity;
    show(find(".h b", figure), `two.entropy.${side}`, h);
    show(find(".kl b", figure), `two.kl.${side}`, kl);
    show(find(".cross b", figure), `two.cross.${side}`, cross);
    find(".unit", figure).textContent = infinite ? "" : unit();
    find(".bar .h", figure).hidden = h === 0;
    find(".bar .h", figure).style.width = percent(most > 0 ? h / most : 0);
    find(".bar .kl", figure).style.width = infinite ? "100%" : percent(most > 0 ? kl / most : 0);
    figure.classList.toggle("infinite", infinite);
    const [a, b] = side === "forth" ? ["P", "Q"] : ["Q", "P"], shown = figures.figure;
    find(".bar", figure).setAttribute("aria-label", `H(${a}) ${shown(h)} + KL(${a}‖${b}) ${shown(kl)} = H(${a}, ${b}) ${shown(cross)} ${unit()}`);
    return { h, kl, cross };
  };
  const notes = () => {
    const strange = ["p", "q"].filter((which) => off(row(which)));
    find("#two-off").hidden = !strange.length;
    if (!strange.length) return;
    const given = inUnit(arithmetic.crossEntropy(row("p"), row("q"))), divided = inUnit(arithmetic.crossEntropy(proper(row("p")), proper(row("q"))));
    find("#two-off p").textContent = say("explore.two.off", {
      which: strange.map((which) => which.toUpperCase()).join(", "), unit: unit(),
      sum: strange.map((which) => +arithmetic.sum(row(which)).toFixed(6)).join(", "), given: figures.figure(given), divided: figures.figure(divided) });
  };
  const means = () => {
    const several = own().p.length > 1, pairs = own().p.map((p, i) => [p, own().q[i]]);
    find("#two-mean").hidden = !several;
    find("#two-row-fewer").hidden = !several;
    if (!several) return;
    find("#two-mean dt").textContent = say("explore.two.mean", { count: pairs.length });
    show(find("#two-mean-given"), "two.mean.given", inUnit(arithmetic.mean(pairs.map(([p, q]) => arithmetic.crossEntropy(p, q)))));
    show(find("#two-mean-divided"), "two.mean.divided",
      inUnit(arithmetic.mean(pairs.map(([p, q]) => arithmetic.crossEntropy(arithmetic.divided(p), arithmetic.divided(q))))));
  };
  const reading = (p, q, { h, kl, cross }) => {
    const shown = { entropy: figures.figure(h), kl: figures.figure(kl), cross: figures.figure(cross), unit: unit() };
    const named = (i) => nameOf(own().names, i, "explore.outcome");
    const missing = p.map((x, i) => i).filter((i) => p[i] > 0 && q[i] === 0);
    if (missing.length) return say("explore.two.reading.infinite", { names: listed(missing.map(named)) });
    if (kl === 0) return say("explore.two.reading.same", shown);
    const sure = p.indexOf(1);
    return sure < 0 ? say("explore.two.reading", shown) : say("explore.two.reading.label", { ...shown, name: named(sure) });
  };

  const update = () => {
    outcomes();
    tabs();
    units();
    const p = proper(row("p")), q = proper(row("q"));
    const totals = [[p, q], [q, p]].map((pair) => arithmetic.crossEntropy(...pair));
    const finite = [...totals, arithmetic.entropy(p), arithmetic.entropy(q)].filter(Number.isFinite).map(inUnit);
    const most = Math.max(...finite) * (totals.every(Number.isFinite) ? 1 : 2) || 1;
    const found = stack("forth", p, q, most);
    stack("back", q, p, most);
    notes();
    means();
    find("#two-more").disabled = count() >= MOST;
    find("#two-fewer").disabled = count() <= 2;
    find("#two-row-more").disabled = own().p.length >= MOST_ROWS;
    return reading(p, q, found);
  };
  return { update };
})();
