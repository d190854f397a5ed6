// The arithmetic of the playground: numbers in, numbers out, in nats, with no page around it.
// The formulas are those of xent/formulas: no difference of two nearly equal numbers, no hidden epsilon.
const arithmetic = (() => {
  "use strict";
  const NEAR = 0.2, TERMS = 12; // as in formulas/distributions.py
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const mean = (values) => sum(values) / values.length;

  // Probabilities ------------------------------------------------------------------------------------------------
  const surprisal = (p) => 0 - Math.log(p);
  const entropy = (p) => sum(p.map((x) => (x > 0 ? x * surprisal(x) : 0)));
  const crossEntropy = (p, q) => sum(p.map((x, i) => (x > 0 ? x * surprisal(q[i]) : 0)));
  const divided = (p) => { const total = sum(p); return p.map((x) => x / total); };

  // p·log(p/q) − p + q ≥ 0; near p = q by the series of artanh, where the plain form cancels.
  const divergence = (p, q) => {
    if (!(p > 0)) return q;
    const step = q - p, total = p + q;
    if (Math.abs(step) > NEAR * total) return p * (-2 * Math.log(Math.sqrt(q) / Math.sqrt(p))) + step;
    const s = step / total;
    let series = 0;
    for (let k = TERMS - 1; k >= 0; k -= 1) series = series * s * s + 1 / (2 * k + 3);
    return s * step * (1 - s * (1 - s) * series);
  };
  const klDivergence = (p, q) => sum(p.map((x, i) => divergence(x, q[i])));

  // Keeps thousandths that sum to one: entry `index` becomes `value`, the others share the rest as they did before.
  const spread = (p, index, value) => {
    const own = Math.round(1000 * Math.min(1, Math.max(0, value))), rest = 1000 - own;
    const others = p.map((x, i) => (i === index ? 0 : x)), total = sum(others);
    const wanted = others.map((x, i) => (i === index ? 0 : rest * (total > 0 ? x / total : 1 / (p.length - 1))));
    const whole = wanted.map(Math.floor);
    const order = wanted.map((x, i) => i).filter((i) => i !== index).sort((a, b) => wanted[b] - whole[b] - wanted[a] + whole[a]);
    for (let left = rest - sum(whole), k = 0; left > 0; left -= 1, k += 1) whole[order[k % order.length]] += 1;
    whole[index] = own;
    return whole.map((x) => x / 1000);
  };

  // Logits -------------------------------------------------------------------------------------------------------
  // −log softmax of every class: with peak = max z and rest = Σ exp(z − peak) without the peak's own 1,
  // it is log1p(rest) + (peak − z), so it stays exact however far one logit leads.
  const surprisals = (z) => {
    const peak = Math.max(...z), at = z.indexOf(peak);
    const rest = sum(z.map((x, i) => (i === at ? 0 : Math.exp(x - peak))));
    return z.map((x) => Math.log1p(rest) + (peak - x));
  };
  const softmax = (z) => surprisals(z).map((nats) => Math.exp(-nats));
  const plainShares = (z) => { const total = sum(z); return z.map((x) => x / total); };
  const targets = (classes, label, smoothing) =>
    Array.from({ length: classes }, (_, j) => (j === label ? 1 - smoothing : 0) + smoothing / classes);

  // Softmax cross-entropy of z/temperature, and its slope by each z.
  const softmaxLoss = (z, label, temperature = 1, smoothing = 0) => {
    const nats = surprisals(z.map((x) => x / temperature)), t = targets(z.length, label, smoothing);
    const loss = sum(nats.map((x, j) => (t[j] > 0 ? t[j] * x : 0)));
    const slope = nats.map((x, j) =>
      (j === label ? Math.expm1(-x) + smoothing * (1 - 1 / z.length) : Math.exp(-x) - t[j]) / temperature);
    return { loss, slope, nats, probabilities: nats.map((x) => Math.exp(-x)), targets: t };
  };

  // Yes or no ----------------------------------------------------------------------------------------------------
  const softplus = (x) => (x > 0 ? x + Math.log1p(Math.exp(-x)) : Math.log1p(Math.exp(x)));
  const sigmoid = (z) => (z < 0 ? Math.exp(z) / (1 + Math.exp(z)) : 1 / (1 + Math.exp(-z)));
  const logit = (q) => Math.log(q) - Math.log1p(-q);
  // What a label costs, given as a logit {z} or as a probability of yes {q}; its slope is by the logit.
  const yesOrNo = (yes, given) => {
    if ("z" in given) {
      const z = given.z, q = sigmoid(z);
      return { z, q, loss: softplus(yes ? -z : z), slope: yes ? -sigmoid(-z) : q };
    }
    const q = given.q;
    return { z: logit(q), q, loss: yes ? surprisal(q) : 0 - Math.log1p(-q), slope: yes ? q - 1 : q };
  };

  // The curve ----------------------------------------------------------------------------------------------------
  const clipped = (p, epsilon) => Math.min(1 - epsilon, Math.max(epsilon, p)); // as libraries do; 0 clips nothing
  const below = (bounds, nats) => {
    const at = bounds.findIndex((bound) => nats < bound);
    return at < 0 ? bounds.length : at;
  };

  // Float32 ------------------------------------------------------------------------------------------------------
  const f = Math.fround;
  // As NumPy adds up an array: in eight partial sums, of no more than 128 numbers, and pairwise beyond.
  const total32 = (values, from = 0, to = values.length) => {
    const add = (total, value) => f(total + value), whole = to - (to - from) % 8;
    if (to - from < 8) return values.slice(from, to).reduce(add, 0);
    if (to - from > 128) {
      const half = Math.floor((to - from) / 2), middle = from + half - half % 8;
      return f(total32(values, from, middle) + total32(values, middle, to));
    }
    const parts = values.slice(from, from + 8);
    for (let i = from + 8; i < whole; i += 1) parts[(i - from) % 8] = f(parts[(i - from) % 8] + values[i]);
    const [a, b, c, d] = [0, 2, 4, 6].map((k) => f(parts[k] + parts[k + 1]));
    return values.slice(whole, to).reduce(add, f(f(a + b) + f(c + d)));
  };
  const exp32 = (x) => f(Math.exp(x));
  const log32 = (x) => f(Math.log(x));
  // The label's logit is `lead`, all others are 0; every operation rounded to float32.
  const leading = (lead, classes) => [f(lead), ...Array(classes - 1).fill(0)];
  const textbook32 = (lead, classes) => {
    const weights = leading(lead, classes).map(exp32), p = f(weights[0] / total32(weights));
    return { loss: f(0 - log32(p)), slope: f(p - 1) };
  };
  const shifted32 = (lead, classes) => {
    const z = leading(lead, classes), peak = Math.max(...z), shifted = z.map((x) => f(x - peak));
    const weights = shifted.map(exp32), total = total32(weights);
    return { loss: f(log32(total) - shifted[0]), slope: f(f(weights[0] / total) - 1) };
  };
  const exact = (lead, classes) => {
    const loss = surprisals(leading(lead, classes))[0];
    return { loss, slope: Math.expm1(-loss) };
  };

  const bits = (nats) => nats / Math.LN2;
  return {
    below, bits, clipped, crossEntropy, divergence, divided, entropy, exact, klDivergence, logit, mean, plainShares,
    shifted32, sigmoid, softmax, softmaxLoss, softplus, spread, sum, surprisal, surprisals, targets, textbook32, total32, yesOrNo,
  };
})();
