CLAIM_TABLES = [
    "accuracy",
    "equivalence",
    "density",
    "sensitivity",
    "sobol",
    "colocation",
]


rule claims:
    input:
        code=code("equinox.report.__main__"),
        published=PUBLISHED,
        tables=expand("<results>/tables/{table}.parquet", table=CLAIM_TABLES),
    output:
        table="<results>/tables/claims.parquet",
        text="<results>/claims.md",
    log:
        "<results>/logs/claims.log",
    benchmark:
        "<results>/benchmarks/claims.tsv"
    group:
        "report"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        scale=CONFIG.name,
    message:
        "Judge every published number"
    shell:
        "python -m equinox.report claims --tables {input.tables} --published {input.published}"
        " --scale {params.scale} --output {output.table} --markdown {output.text} 2>&1 | tee {log}"


rule report:
    input:
        code=code("equinox.report.__main__"),
        template=product_file("equinox/report/report.html"),
        figures=expand("<results>/figures/{name}.svg", name=FIGURES),
        captions=[product_file(f"equinox/figures/{name}.py") for name in FIGURES],
        tables=expand("<results>/tables/{table}.parquet", table=TABLES),
    output:
        "<results>/report.html",
    log:
        "<results>/logs/report.log",
    benchmark:
        "<results>/benchmarks/report.tsv"
    group:
        "report"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        scale=CONFIG.name,
    message:
        "Write the report"
    shell:
        "python -m equinox.report page --tables {input.tables} --figures {input.figures}"
        " --scale {params.scale} --output {output} 2>&1 | tee {log}"
