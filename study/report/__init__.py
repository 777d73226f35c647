"""What is made of the runs' records, beside the paper's printed numbers.

`paper` (what is printed), `statistics`, `scores` (the tables' numbers) and `tables` (their text);
`findings`, `left_out`, `verdicts`, `claims` and `claims_judged` (what records say of the print);
`lost_points`, `drawn_sizes`, `gain`, `own_rival`, `sensitivity`, `amounts` and `resolution` (what
the study asks beside them), of which `headlines` tells, and `in_brief` in short; `field` (what
others published);
`both_lengths` (short runs beside whole ones), `left_undone`, `stated` and `costs` (parts of the
report); `sensitivity_figures` and `fill_curves` (what notebook 05 draws);
`figures`, `figure2`, `comparison_figures` and `what_fails`, `display` (colours; figures in a
notebook); `full_report`, `reproducibility` and `readme`, which writes these pages and the README's
blocks.
"""
