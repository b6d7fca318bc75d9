PAGE = sorted(
    path.relative_to(ROOT)
    for path in (ROOT / "equinox/report").iterdir()
    if path.suffix in (".html", ".css", ".js", ".yaml")
)
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
        "claims"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        scale=CONFIG.name,
    message:
        "Judge every published number"
    shell:
        "python -m equinox.report claims --tables {input.tables:q} --published {input.published:q}"
        " --scale {params.scale:q} --output {output.table:q} --markdown {output.text:q}"
        " 2>&1 | tee {log:q}"


rule report:
    input:
        code=code("equinox.report.__main__"),
        page=[product_file(path) for path in PAGE],
        figures=expand("<results>/figures/{name}.svg", name=FIGURES),
        drawn=expand("<results>/figures/{name}.csv", name=FIGURES),
        captions=[product_file(f"equinox/figures/{name}.py") for name in FIGURES],
        tables=expand("<results>/tables/{table}.parquet", table=TABLES),
    output:
        page="<results>/report.html",
        runtime="<results>/runtime.html",
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
        config=in_file(lambda input: [as_json(CONFIG)]),
        code=code_version(),
        benchmarks=lambda wildcards, output: [
            str(Path(output.page).parents[1] / folder / "benchmarks")
            for folder in dict.fromkeys((CONFIG.name, CONFIG.scale))
        ],
    message:
        "Write the report"
    shell:
        "python -m equinox.report page --tables {input.tables:q} --figures {input.figures:q}"
        " --scale {params.scale:q} --config {params.config:q} --benchmarks {params.benchmarks:q}"
        " --output {output.page:q} --runtime {output.runtime:q} 2>&1 | tee {log:q}"


rule describe:
    """Figures, tables, experiments and scales, and what they cost by the last runs"""
    log:
        "<results>/logs/describe.log",
    shell:
        "python -m equinox.report describe --results results 2>&1 | tee {log:q}"
