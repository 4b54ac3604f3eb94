"use strict";
const data = document.getElementById("points");
if (data) {
  const points = JSON.parse(data.textContent);
  const layers = [...document.querySelectorAll(".map .layer")];
  const marks = layers.flatMap((layer) => [...layer.children]);
  const place = new Map(marks.map((mark, index) => [mark, index]));
  const say = (id, text) => { document.getElementById(id).textContent = text; };
  let kept = null;
  const read = (mark) => {
    for (const one of document.querySelectorAll(".map path.read")) one.classList.remove("read");
    mark.classList.add("read");
    const [source, input, output] = points[place.get(mark)];
    say("read-source", source);
    say("read-input", input);
    say("read-output", output);
  };
  const keep = (mark) => {
    kept = mark;
    if (mark) read(mark);
  };
  const drawing = document.querySelector(".map > svg");
  drawing.addEventListener("pointerover", (event) => { if (!kept && place.has(event.target)) read(event.target); });
  drawing.addEventListener("click", (event) => {
    const mark = place.has(event.target) && event.target !== kept ? event.target : null;
    keep(mark);
    history.replaceState(null, "", mark ? `#point-${place.get(mark) + 1}` : "#map");
  });
  const named = /^#point-(\d+)$/.exec(location.hash);
  if (named && marks[Number(named[1]) - 1]) {
    keep(marks[Number(named[1]) - 1]);
    drawing.scrollIntoView();
  }
  for (const box of document.querySelectorAll("input[data-layer]")) {
    box.addEventListener("change", () => layers[Number(box.dataset.layer)].classList.toggle("hidden", !box.checked));
  }
  document.getElementById("wanted").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    drawing.classList.toggle("searching", wanted !== "");
    let found = 0;
    marks.forEach((mark, index) => {
      const has = wanted !== "" && points[index].slice(1).some((text) => text.toLowerCase().includes(wanted));
      mark.classList.toggle("wanted", has);
      found += has ? 1 : 0;
    });
    say("marked", wanted === "" ? "" : `${found} of ${marks.length}`);
  });
}
