COLOCATION = as_json(CONFIG.colocation)


rule simulate:
    input:
        code=code("equinox.colocation.__main__"),
        designs=rules.designs.output,
        workload=lambda wildcards: workload_file(wildcards.workload),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        training=lambda wildcards: workload_file(
            CONFIG.colocation.training_workload or wildcards.workload
        ),
    output:
        "<results>/simulations/{workload}/{design}.parquet",
    log:
        "<results>/logs/simulate/{workload}/{design}.log",
    benchmark:
        "<results>/benchmarks/simulate/{workload}/{design}.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        config=COLOCATION,
    message:
        "Simulate {wildcards.workload} beside training on the {wildcards.design} design"
    shell:
        "python -m equinox.colocation simulate --config {params.config:q}"
        " --design {wildcards.design} --designs {input.designs}"
        " --technology {input.technology} --workload {input.workload}"
        " --training-workload {input.training} --output {output} 2>&1 | tee {log}"


rule colocation:
    input:
        code=code("equinox.tables"),
        parts=expand(
            "<results>/simulations/{workload}/{design}.parquet",
            workload=CONFIG.colocation.workloads,
            design=CONFIG.colocation.designs,
        ),
    output:
        "<results>/tables/colocation.parquet",
    log:
        "<results>/logs/colocation.log",
    benchmark:
        "<results>/benchmarks/colocation.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    message:
        "Collect the simulations"
    shell:
        "python -m equinox.tables colocation {input.parts} --output {output} 2>&1 | tee {log}"


rule fleet:
    input:
        code=code("equinox.colocation.__main__"),
        colocation=rules.colocation.output,
        designs=rules.designs.output,
    output:
        "<results>/tables/fleet.parquet",
    log:
        "<results>/logs/fleet.log",
    benchmark:
        "<results>/benchmarks/fleet.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=COLOCATION,
    message:
        "Spread a day over a fleet"
    shell:
        "python -m equinox.colocation fleet --config {params.config:q}"
        " --colocation {input.colocation} --designs {input.designs}"
        " --output {output} 2>&1 | tee {log}"
