// Numbers as the library writes them (report/figures.py): four decimals, or four digits and a power of ten.
const figures = (() => {
  "use strict";
  const raised = (power) => [...String(power)].map((digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)]).join("");
  const figure = (value) => {
    if (Number.isNaN(value)) return "NaN";
    const sign = value < 0 ? "−" : "", size = Math.abs(value);
    if (size === Infinity) return `${sign}∞`;
    if (size === 0) return "0";
    if (size >= 1e-3 && size < 1e6) return sign + size.toFixed(4).replace(/\B(?=(\d{3})+\.)/g, ",");
    const [mantissa, power] = size.toExponential(3).split("e");
    return `${sign}${mantissa}×10${raised(Number(power))}`;
  };
  const signed = (value) => (value > 0 ? `+${figure(value)}` : figure(value));
  // A number as it is typed, and what was typed as a number: also ∞, 1/3, a decimal comma; NaN for anything else.
  const typed = (value) => String(value).replace("-", "−").replace("Infinity", "∞");
  const parse = (text) => {
    const plain = text.normalize("NFKC").trim().replace("−", "-").replace(",", ".");
    const [, sign, infinite] = /^([+-]?)(∞|inf|infinity)$/i.exec(plain) ?? [];
    if (infinite) return sign === "-" ? -Infinity : Infinity;
    const number = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
    const found = new RegExp(`^(${number})(?:/(${number}))?$`, "i").exec(plain);
    return found ? Number(found[1]) / Number(found[2] ?? 1) : NaN;
  };
  return { figure, parse, raised, signed, typed };
})();
