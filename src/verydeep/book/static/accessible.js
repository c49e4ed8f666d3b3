// What the theme leaves out for those who read with a keyboard or a screen reader.
document.addEventListener("DOMContentLoaded", () => {
  // The arrows of the table of contents have no name of their own.
  for (const summary of document.querySelectorAll("summary:not([aria-label])")) {
    if (!summary.textContent.trim()) summary.setAttribute("aria-label", "Show or hide the pages below");
  }
  // The list of references calls itself a list, and its entries call themselves otherwise.
  for (const list of document.querySelectorAll(".citation-list[role='list']")) list.removeAttribute("role");
  // What scrolls by itself can be reached and scrolled with the keyboard.
  const scrolls = (part) => part.scrollWidth > part.clientWidth + 1 || part.scrollHeight > part.clientHeight + 1;
  const kinds = [".highlight pre", ".math-block", ".tag_scroll-output .cell_output"];
  const parts = [...document.querySelectorAll(kinds.map((kind) => `.bd-article ${kind}`).join(", "))];
  const mark = () => parts.forEach((part) => (scrolls(part) ? (part.tabIndex = 0) : part.removeAttribute("tabindex")));
  mark();
  window.addEventListener("resize", mark);
});
