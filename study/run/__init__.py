"""How the study is run: `environment` (which Python), `command` (the command line), `planning`
(what is left to do), `unchanged` (whether anything is), `running` (doing it), `lock` (one at a
time), `graph` (a call of Snakemake on the Snakefile), `notebook` (one notebook), `parameters` (what
it is given), `executed` (the copy that it leaves), `watching` (what is seen of it) and
`notebook_times` (what one costs); `parallel` (one training over several processes) and `licences`
(those of the environment)."""
