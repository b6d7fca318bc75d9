PUBLISHED = product_file("config/published.yaml")

for name, tables in figure_tables().items():

    rule:
        name:
            f"fig_{name}"
        input:
            beside_scale(f"fig_{name}", tables),
            code=code("equinox.figures.__main__", f"equinox.figures.{name}"),
            style=product_file("equinox/figures/style.mplstyle"),
            published=PUBLISHED,
            tables=expand("<results>/tables/{table}.parquet", table=tables),
        output:
            multiext(f"<results>/figures/{name}", ".pdf", ".svg", ".png", ".csv"),
        log:
            f"<results>/logs/figures/{name}.log",
        benchmark:
            f"<results>/benchmarks/figures/{name}.tsv"
        group:
            "figures"
        resources:
            mem_mb=growing(1000),
            runtime=growing(5),
        params:
            name=name,
        message:
            f"Draw the figure {name}"
        shell:
            "python -m equinox.figures {params.name:q} --tables {input.tables:q}"
            " --published {input.published:q} --output {output:q} 2>&1 | tee {log:q}"


rule figures:
    """All figures, each as PDF, SVG, PNG and what it draws as CSV"""
    input:
        expand(
            "<results>/figures/{name}.{kind}",
            name=FIGURES,
            kind=["pdf", "svg", "png", "csv"],
        ),
