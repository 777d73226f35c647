"""The fault campaign: files are damaged at random, and what the study makes of it is counted."""
