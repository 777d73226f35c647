"""The README and the executed notebooks as a site that works offline: python -m study.site."""
