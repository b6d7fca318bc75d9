# An experiment beside its scale, in what both have; rule compare has the designs. The rules are there
# without an experiment, or results of its scale, too: asked for then, they say what is missing.
for table in SOURCES:

    rule:
        name:
            f"{table}"
        input:
            beside_scale(table, [table]),
            code=code("equinox.report.compare"),
            tables=[
                f"results/{CONFIG.scale}/tables/{SOURCES[table]}.parquet",
                f"<results>/tables/{SOURCES[table]}.parquet",
            ],
        output:
            f"<results>/tables/{table}.parquet",
        log:
            f"<results>/logs/{table}.log",
        benchmark:
            f"<results>/benchmarks/{table}.tsv"
        group:
            "figures"
        resources:
            mem_mb=growing(1000),
            runtime=growing(5),
        params:
            table=table,
            names=[CONFIG.scale, CONFIG.name],
        message:
            f"Set {SOURCES[table]} of the experiment beside those of the scale"
        shell:
            "python -m equinox.report.compare {params.table:q} --tables {input.tables:q}"
            " --names {params.names:q} --output {output:q} 2>&1 | tee {log:q}"
