"""What the notebooks teach with: nothing here takes part in a training of the tables.

`exploration` counts what 01 and 05 show; `walkthrough` and `walkthrough_figures` take SCN apart for
02, `sharpness` says what 02b's rows show, and `widgets` makes its clickable map; `growth` and
`growth_figures` watch SCN's pseudo-labels for 08;
`strokes`, `drawing` and `learning` let 06 draw scribbles and learn from them; `nifti_folder` writes
07's folder; `exercises` (with `answers`) says whether an answer in 01 to 06 is right.
"""
