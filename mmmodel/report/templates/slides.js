// A talk: one slide at a time, as large as the window. Without this the slides stand one below the other.
document.addEventListener("DOMContentLoaded", () => {
  const slides = [...document.querySelectorAll(".slide")], keys = {
    ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1, Home: -slides.length, End: slides.length,
  };
  const at = () => Math.min(Math.max((parseInt(location.hash.slice(1)) || 1) - 1, 0), slides.length - 1);
  const show = () => slides.forEach((slide, i) => slide.classList.toggle("now", i === at()));
  const fit = () => document.body.style.setProperty("--fit", Math.min(innerWidth / 1280, innerHeight / 720));
  const wide = (element) => element.scrollWidth > element.clientWidth + 1;

  for (const slide of slides) { // what it shows becomes as large as the slide allows
    const content = slide.querySelector(".content"), parts = [content, ...content.querySelectorAll(".output")];
    for (let size = 1.3; size > 0.3; size -= 0.05) {
      content.style.zoom = size;
      if (content.getBoundingClientRect().height <= 640 && !parts.some(wide)) break;
    }
  }
  document.body.classList.add("talk");
  addEventListener("hashchange", show);
  addEventListener("resize", fit);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, button, summary, a")) return;
    if (event.key === "n") document.querySelectorAll(".notes").forEach((notes) => (notes.open = !notes.open));
    if (event.key in keys) {
      event.preventDefault();
      location.replace(`#${Math.min(Math.max(at() + keys[event.key], 0), slides.length - 1) + 1}`);
    }
  });
  fit();
  show();
});
