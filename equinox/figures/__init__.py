"""Figures of the report: one module a figure, found by its file name.

A figure's docstring is its caption, `TABLES` names the tables it reads and `PUBLISHED` the ids in
config/published.yaml that it marks; both are literals, read without importing. Its `plot` takes
the published values by id, each in its own unit, and then the tables. To add a figure, add a file.
"""
