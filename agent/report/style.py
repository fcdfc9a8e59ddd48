"""The style of the report: for screens, light or dark, wide or narrow, and for A4 paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #16181d; --soft: #575d68; --paper: #fff; --panel: #f4f5f2; --rule: #c9ccd2;
  --strong: #1d3f66; --trouble: #8f2d0c }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e7e9ec; --soft: #a4abb6; --paper: #15171b; --panel: #1f2228; --rule: #3c414b; --strong: #9cc3ee;
    --trouble: #ffb08f }
  figure svg { filter: invert(0.91) hue-rotate(180deg) }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 66rem; padding: 1.5rem 1.2rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, "DejaVu Sans", Verdana, sans-serif }
header p { margin: 0.2rem 0 } header .what { font-size: 1.15rem; font-weight: 600 }
h1 { margin: 0 0 0.3rem; font-size: 1.75rem; line-height: 1.2 }
h2 { margin: 2.2rem 0 0.7rem; padding-bottom: 0.25rem; border-bottom: 2px solid var(--ink); font-size: 1.25rem }
.quiet, figcaption, .note { color: var(--soft) } .note, figcaption { font-size: 0.875rem }
.summary { margin: 1.4rem 0; padding: 0.4rem 1.2rem 1rem; border: 1px solid var(--rule);
  border-left: 6px solid var(--strong); background: var(--panel) }
.summary h2 { border: 0; margin: 0.6rem 0 0.2rem }
.summary.unserved { border-left-color: var(--trouble) }
.summary .lead { margin: 0 0 0.9rem; font-size: 1.5rem; font-weight: 700; line-height: 1.25 }
.summary .lead small { display: block; font-size: 0.9rem; font-weight: 400; color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.35rem 1.2rem; margin: 0 }
dt { font-weight: 600 } dd { margin: 0 } dd p, dd ul { margin: 0 } dd ul { padding-left: 1.1rem }
.table { overflow-x: auto }
table { width: 100%; border-collapse: collapse; font-size: 0.92rem }
thead { display: table-header-group } tr { break-inside: avoid }
th, td { padding: 0.3rem 0.7rem 0.3rem 0; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top }
thead th { border-bottom: 2px solid var(--ink); font-size: 0.82rem; color: var(--soft) }
tbody th { font-weight: 600 }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-right: 1rem }
tbody th.number { font-weight: 400 }
.bar { min-width: 8rem; width: 34%; padding-right: 0.9rem }
.bar svg { display: block; width: 100%; height: 1.1rem; margin-top: 0.2rem; background: none }
.bar rect { fill: var(--strong) } .bar line { stroke: var(--rule); stroke-width: 1 }
.chain .event td, .chain .event th, .chain .result td, .chain .result th { border-top: 2px solid var(--rule) }
.chain td, .chain th { border-bottom: 0; padding-top: 0.12rem; padding-bottom: 0.12rem }
.chain .event .text, .chain .result .text { font-weight: 600 }
.chain .observed .text, .chain .decision .text { padding-left: 1.2rem } .chain .command .text { padding-left: 2.4rem }
.chain .stays { color: var(--soft) }
.chain .kind { white-space: nowrap; color: var(--soft); font-size: 0.85rem }
.cite { font-size: 0.85rem } .changed td { font-weight: 600 } .changed td:nth-child(2) { font-weight: 400 }
figure { margin: 0; overflow-x: auto } figure svg { display: block; max-width: none; height: auto }
figure.timeline svg { width: 100%; min-width: 46rem }
figure.sequence svg { max-width: 100% } figure + figure { margin-top: 1.2rem }
details summary { cursor: pointer; font-weight: 600 } pre { overflow-x: auto; font-size: 0.8rem; line-height: 1.4 }
footer { margin-top: 2.5rem; padding-top: 0.6rem; border-top: 1px solid var(--rule); color: var(--soft) }
footer p { margin: 0.2rem 0; font-size: 0.85rem }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0.1rem } dd { margin-bottom: 0.6rem } body { padding: 1rem 0.8rem 2rem }
  h1 { font-size: 1.4rem } th.bar, td.bar { display: none }
  figure.sequence svg { max-width: none }
}
@page { size: A4; margin: 14mm 13mm }
@page wide { size: A4 landscape; margin: 12mm }
@media print {
  html { font-size: 9.5pt } body { max-width: none; padding: 0 } h2, h2 + .note { break-after: avoid }
  .summary, .whole, figure { break-inside: avoid }
  .wide { page: wide } figure svg { max-width: 100%; max-height: 160mm }
  figure, .table, pre { overflow: visible } figure.timeline svg { min-width: 0 } pre { white-space: pre-wrap }
  details::details-content { content-visibility: visible; display: block; height: auto }
}
"""
