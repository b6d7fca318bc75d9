# The whole evaluation. `snakemake` makes it at scale `default`; see README.md.
from snakemake.utils import min_version

min_version("9.27")


# Software comes from the virtual environment that Snakemake runs in (constraints.txt). The image is
# named for `snakemake --lint`, which knows conda and containers only; nothing uses it.
container: "docker://python:3.11-slim"


include: "workflow/rules/common.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/design_space.smk"
include: "workflow/rules/colocation.smk"
include: "workflow/rules/experiments.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    """Everything: tables, figures, claims and report"""
    default_target: True
    input:
        rules.report.output,
        rules.claims.output,
        rules.figures.input,
        expand("<results>/tables/{table}.parquet", table=TABLES),


# What `snakemake --list` says of a rule: what it says when it runs, or the title of its figure.
if IS_MAIN:
    TITLES = {f"fig_{name}": text for name, text in figure_captions().items()}
    for made in workflow.rules:
        title = TITLES.get(made.name, "").partition("\n\n")[0]
        made.docstring = made.docstring or title or made.message
