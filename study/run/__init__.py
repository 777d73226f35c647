"""How the study is run: environment (which Python), planning (what is left to do), command (its
command line), notebook (one notebook), and the Snakefile that holds their graph."""
