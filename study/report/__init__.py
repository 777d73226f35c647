"""What is made of the runs' records, beside the paper's printed numbers.

`paper` (what is printed), `statistics`, `scores` (the tables' numbers) and `tables` (their text),
`findings`, `left_out` and `claims` (what the records say of the paper's claims), `figures`,
`figure2`, `comparison_figures` and `failures`, `display` (colours; figures in a notebook),
and `readme`, which writes all of it into the README.
"""
