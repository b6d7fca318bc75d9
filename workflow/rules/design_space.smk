DESIGN_SPACE = as_json(CONFIG.design_space)
TECHNOLOGY, *TECHNOLOGY_BASES = technology_inputs(CONFIG.design_space)
DESIGN_WORKLOAD = product_file(f"config/workloads/{CONFIG.design_space.workload}.yaml")
SCALE = scale_of(CONFIG)
SCALE_TECHNOLOGY, *SCALE_TECHNOLOGY_BASES = technology_inputs(SCALE.design_space)


rule sweep:
    input:
        code=code("equinox.design_space.__main__"),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/design_space.parquet",
    log:
        "<results>/logs/design_space/sweep.log",
    benchmark:
        "<results>/benchmarks/design_space/sweep.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(3000),
        runtime=growing(10),
    params:
        config=DESIGN_SPACE,
    message:
        "Search the design space"
    shell:
        "python -m equinox.design_space sweep --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule pareto:
    input:
        code=code("equinox.design_space.__main__"),
        design_space=rules.sweep.output,
    output:
        "<results>/tables/pareto.parquet",
    log:
        "<results>/logs/design_space/pareto.log",
    benchmark:
        "<results>/benchmarks/design_space/pareto.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(2000),
        runtime=growing(5),
    message:
        "Find the Pareto fronts"
    shell:
        "python -m equinox.design_space pareto --design-space {input.design_space:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule designs:
    input:
        code=code("equinox.design_space.__main__"),
        design_space=rules.sweep.output,
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/designs.parquet",
    log:
        "<results>/logs/design_space/designs.log",
    benchmark:
        "<results>/benchmarks/design_space/designs.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(2000),
        runtime=growing(5),
    params:
        config=DESIGN_SPACE,
    message:
        "Choose the named designs"
    shell:
        "python -m equinox.design_space designs --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --design-space {input.design_space:q} --output {output:q} 2>&1 | tee {log:q}"


rule breakdown:
    input:
        code=code("equinox.design_space.__main__"),
        designs=rules.designs.output,
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/breakdown.parquet",
    log:
        "<results>/logs/design_space/breakdown.log",
    benchmark:
        "<results>/benchmarks/design_space/breakdown.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        config=DESIGN_SPACE,
    message:
        "Break the named designs down"
    shell:
        "python -m equinox.design_space breakdown --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --designs {input.designs:q} --output {output:q} 2>&1 | tee {log:q}"


rule roofline:
    input:
        code=code("equinox.design_space.__main__"),
        designs=rules.designs.output,
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/roofline.parquet",
    log:
        "<results>/logs/design_space/roofline.log",
    benchmark:
        "<results>/benchmarks/design_space/roofline.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        config=DESIGN_SPACE,
    message:
        "Put the named designs under their rooflines"
    shell:
        "python -m equinox.design_space roofline --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --designs {input.designs:q} --output {output:q} 2>&1 | tee {log:q}"


rule sensitivity:
    input:
        code=code("equinox.design_space.__main__"),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/sensitivity.parquet",
    log:
        "<results>/logs/design_space/sensitivity.log",
    benchmark:
        "<results>/benchmarks/design_space/sensitivity.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=DESIGN_SPACE,
    message:
        "Vary every constant of the hardware model"
    shell:
        "python -m equinox.design_space sensitivity --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule sobol:
    input:
        code=code("equinox.design_space.__main__"),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
        workload=DESIGN_WORKLOAD,
    output:
        "<results>/tables/sobol.parquet",
    log:
        "<results>/logs/design_space/sobol.log",
    benchmark:
        "<results>/benchmarks/design_space/sobol.tsv"
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        config=DESIGN_SPACE,
    message:
        "Find which constants decide which claims"
    shell:
        "python -m equinox.design_space sobol --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule density:
    input:
        code=code("equinox.design_space.__main__"),
        technology=TECHNOLOGY,
        technology_bases=TECHNOLOGY_BASES,
    output:
        "<results>/tables/density.parquet",
    log:
        "<results>/logs/design_space/density.log",
    benchmark:
        "<results>/benchmarks/design_space/density.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        config=DESIGN_SPACE,
    message:
        "Compare the cost of arithmetic by encoding"
    shell:
        "python -m equinox.design_space density --config {params.config:q}"
        " --technology {input.technology:q} --output {output:q} 2>&1 | tee {log:q}"


rule compare:
    input:
        beside_scale("compare", ["comparison"]),
        code=code("equinox.design_space.__main__"),
        designs=rules.designs.output,
        technology=SCALE_TECHNOLOGY,
        technology_bases=SCALE_TECHNOLOGY_BASES,
        workload=product_file(f"config/workloads/{SCALE.design_space.workload}.yaml"),
    output:
        "<results>/tables/comparison.parquet",
    log:
        "<results>/logs/design_space/compare.log",
    benchmark:
        "<results>/benchmarks/design_space/compare.tsv"
    group:
        "design_space"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        config=as_json(SCALE.design_space),
        name=CONFIG.name,
        scale=SCALE.name,
    message:
        "Compare the named designs with those of the scale"
    shell:
        "python -m equinox.design_space compare --config {params.config:q}"
        " --technology {input.technology:q} --workload {input.workload:q} --designs {input.designs:q}"
        " --name {params.name:q} --scale {params.scale:q} --output {output:q} 2>&1 | tee {log:q}"


rule design_space:
    """All tables of the design space"""
    input:
        rules.sweep.output,
        rules.pareto.output,
        rules.designs.output,
        rules.breakdown.output,
        rules.roofline.output,
        rules.sensitivity.output,
        rules.sobol.output,
        rules.density.output,
        rules.compare.output if COMPARISONS else [],
