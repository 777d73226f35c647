"""How the study is run: `environment` (which Python), `command` (the command line), `planning`
(what is left to do), `running` (doing it), `graph` (a call of Snakemake on the Snakefile),
`notebook` (one notebook), `watching` (what is seen of it) and `notebook_times` (what one costs);
`parallel` (one training over several processes) and `licences` (those of the environment)."""
