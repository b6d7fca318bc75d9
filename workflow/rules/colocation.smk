COLOCATION = as_json(CONFIG.colocation)
TRACES = {
    key: local(files) for key, files in trace_files(CONFIG.colocation).items() if files
}
POINT = "<results>/simulations/{workload}/{design}"


rule simulate:
    input:
        code=code("equinox.colocation.__main__"),
        designs=rules.designs.output,
        workload=lambda wildcards: workload_file(wildcards.workload),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        training=lambda wildcards: training_file(wildcards.workload),
        traces=TRACES.get("arrivals", []),
    output:
        colocation=f"{POINT}/colocation.parquet",
        saturation=f"{POINT}/saturation.parquet",
        sites=f"{POINT}/sites.parquet",
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
        " --design {wildcards.design:q} --designs {input.designs:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --training-workload {input.training:q} --outputs {output:q} 2>&1 | tee {log:q}"


for table in ("colocation", "saturation", "sites"):

    rule:
        name:
            table
        input:
            code=code("equinox.colocation.__main__"),
            designs=rules.designs.output,
            parts=expand(
                f"{POINT}/{table}.parquet",
                workload=CONFIG.colocation.workloads,
                design=CONFIG.colocation.designs,
            ),
        output:
            f"<results>/tables/{table}.parquet",
        log:
            f"<results>/logs/{table}.log",
        benchmark:
            f"<results>/benchmarks/{table}.tsv"
        group:
            "colocation"
        resources:
            mem_mb=growing(500),
            runtime=growing(5),
        params:
            config=COLOCATION,
            table=table,
            parts=in_file(lambda input: input.parts),
        message:
            f"Collect the simulations: {table}"
        shell:
            "python -m equinox.colocation collect --config {params.config:q}"
            " --designs {input.designs:q} --table {params.table:q} --parts {params.parts:q}"
            " --output {output:q} 2>&1 | tee {log:q}"


rule operating_points:
    input:
        code=code("equinox.colocation.__main__"),
        colocation="<results>/tables/colocation.parquet",
    output:
        "<results>/tables/operating_points.parquet",
    log:
        "<results>/logs/operating_points.log",
    benchmark:
        "<results>/benchmarks/operating_points.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    message:
        "Average over seeds"
    shell:
        "python -m equinox.colocation points --colocation {input.colocation:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule colocation_sensitivity:
    input:
        code=code("equinox.colocation.__main__"),
        designs=rules.designs.output,
        workload=workload_file(CONFIG.colocation.sensitivity.workload),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        training=training_file(CONFIG.colocation.sensitivity.workload),
        traces=[TRACES.get(key, []) for key in ("arrivals", "sensitivity.arrivals")],
    output:
        "<results>/tables/colocation_sensitivity.parquet",
    log:
        "<results>/logs/colocation_sensitivity.log",
    benchmark:
        "<results>/benchmarks/colocation_sensitivity.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        config=COLOCATION,
    message:
        "Vary what training beside inference hangs on"
    shell:
        "python -m equinox.colocation study --config {params.config:q}"
        " --designs {input.designs:q} --technology {input.technology:q}"
        " --workload {input.workload:q} --training-workload {input.training:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule sharing:
    input:
        code=code("equinox.colocation.__main__"),
        designs=rules.designs.output,
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workloads=sharing_files(),
        traces=TRACES.get("arrivals", []),
    output:
        "<results>/tables/sharing.parquet",
    log:
        "<results>/logs/sharing.log",
    benchmark:
        "<results>/benchmarks/sharing.tsv"
    group:
        "colocation"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        config=COLOCATION,
    message:
        "Let several services share an accelerator"
    shell:
        "python -m equinox.colocation share --config {params.config:q}"
        " --designs {input.designs:q} --technology {input.technology:q}"
        " --workloads {input.workloads:q} --output {output:q} 2>&1 | tee {log:q}"


rule fleet:
    input:
        code=code("equinox.colocation.__main__"),
        points=rules.operating_points.output,
        sites="<results>/tables/sites.parquet",
        saturation="<results>/tables/saturation.parquet",
        designs=rules.designs.output,
        traces=TRACES.get("fleet.profile", []),
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
        " --operating-points {input.points:q} --sites {input.sites:q}"
        " --saturation {input.saturation:q} --designs {input.designs:q}"
        " --output {output:q} 2>&1 | tee {log:q}"
