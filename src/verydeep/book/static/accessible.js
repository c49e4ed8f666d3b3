// What the theme leaves out for those who read with a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  // The arrows of the table of contents have no name of their own.
  for (const summary of document.querySelectorAll("summary:not([aria-label])")) {
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "Show or hide the pages below");
  }
  // What scrolls sideways can be reached and scrolled with the keyboard.
  const scrolls = (part) => part.scrollWidth > part.clientWidth + 1;
  const parts = [...document.querySelectorAll(".bd-article table, .bd-article .highlight pre, .bd-article .math-block")];
  const mark = () => parts.forEach((part) => (scrolls(part) ? (part.tabIndex = 0) : part.removeAttribute("tabindex")));
  mark();
  window.addEventListener("resize", mark);
});
