PUBLISHED = product_file("config/published.yaml")

for name, tables in FIGURES.items():

    rule:
        name:
            f"fig_{name}"
        input:
            code=code("equinox.figures.__main__", f"equinox.figures.{name}"),
            style=product_file("equinox/figures/style.mplstyle"),
            published=PUBLISHED,
            tables=expand("<results>/tables/{table}.parquet", table=tables),
        output:
            multiext(f"<results>/figures/{name}", ".pdf", ".svg", ".png"),
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
            "python -m equinox.figures {params.name} --tables {input.tables}"
            " --published {input.published} --output {output} 2>&1 | tee {log}"


rule figures:
    input:
        expand(
            "<results>/figures/{name}.{kind}", name=FIGURES, kind=["pdf", "svg", "png"]
        ),
