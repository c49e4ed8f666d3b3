/* How Sphinx's search weighs what it finds (html_search_scorer): its own weights, and chapters before what the build
   writes itself. The reference comes last, where each name of a function would otherwise outdo the chapter about it. */
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: {0: 15, 1: 5, 2: -5},
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  score: ([page, , , , score]) => {
    if (page.startsWith("reference/")) return score - 400;
    if (page.startsWith("runs/")) return score - 200;
    return score;
  },
};
