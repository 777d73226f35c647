"""The check of a stranger's folder: python -m study.owndata DIR/NAME."""
