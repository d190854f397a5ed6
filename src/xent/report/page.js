(() => {
  "use strict";
  const tip = document.getElementById("tip");
  let mark = null;
  const hide = () => {
    if (mark) mark.classList.remove("on");
    mark = null;
    tip.classList.remove("on");
  };
  const place = () => {
    if (!mark) return;
    const box = mark.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.min(box.left + box.width / 2 - own.width / 2, innerWidth - own.width - 8);
    const above = box.top - own.height - 8, below = Math.min(box.bottom + 8, innerHeight - own.height - 8);
    tip.style.transform = `translate(${Math.max(8, left)}px, ${above > 8 ? above : below}px)`;
  };
  const show = (next) => {
    if (next === mark) return;
    hide();
    mark = next;
    mark.classList.add("on");
    tip.textContent = mark.dataset.tip;
    tip.classList.add("on");
    place();
  };
  for (const plot of document.querySelectorAll(".plot[tabindex]")) {
    const marks = [...plot.querySelectorAll("[data-tip]")];
    let at = 0;
    plot.addEventListener("focus", () => { if (plot.matches(":focus-visible") && marks.length) show(marks[at]); });
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: marks.length - 1 }[event.key];
      if (to === undefined || !marks.length) return;
      event.preventDefault();
      at = Math.min(Math.max(0, to), marks.length - 1);
      show(marks[at]);
    });
    plot.addEventListener("pointerover", (event) => {
      const over = event.target.closest("[data-tip]");
      if (over) show(over); else hide();
    });
    plot.addEventListener("pointerleave", hide);
  }
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  for (const event of ["scroll", "resize"]) addEventListener(event, place, { passive: true });
  // The style shows the language that the address asks for (#en, #zh); the title and the document's language follow.
  const follow = () => {
    hide();
    const said = [...document.querySelectorAll(".said")].find((one) => one.getClientRects().length);
    document.title = said.dataset.title;
    document.documentElement.lang = said.lang;
  };
  addEventListener("hashchange", follow);
  follow();
})();
