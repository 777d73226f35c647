"""Where `python -m scnlib.check` has gone."""

raise SystemExit("error: the check of own data has moved: python -m study.owndata DIR/NAME")
