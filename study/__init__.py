"""This study of ScribbleCorrNet, made with `scnlib`, which never imports it.

`study.experiments`  the runs: profiles, recipes, variants
`study.collected`    the runs that ended, under a folder of results
`study.places`       what stands where, and so how no data set may be called
`study.migrate`      records, weights, growth.json made today's: python -m study.migrate results
`study.run`          run_all.sh: what is left to do, and running the notebooks that do it
`study.report`       printed numbers and ours: statistics, tables, claims, figures, README's numbers
`study.lessons`      what the notebooks teach with: exercises, drawing, the walk through SCN
`study.owndata`      everything that is wrong with an own data set: python -m study.owndata DIR/NAME
`study.speed`        what a step costs, and what a borrowed GPU is for: python -m study.speed.on_gpu
`study.croissant`    the data sets' metadata for machines (Croissant 1.0)
`study.site`         the README and the executed notebooks as a site: python -m study.site
"""
