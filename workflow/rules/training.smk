RUNS = [
    (task, encoding) for task, runs in CONFIG.training.runs.items() for encoding in runs
]


rule train:
    input:
        code=code("equinox.training.__main__"),
        data=training_data,
    output:
        "<training>/runs/{task}/{encoding}.parquet",
    log:
        "<training>/logs/train/{task}/{encoding}.log",
    benchmark:
        "<training>/benchmarks/train/{task}/{encoding}.tsv"
    group:
        "train"
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        job=training_job,
    message:
        "Train {wildcards.task} in {wildcards.encoding}"
    shell:
        "python -m equinox.training --job {params.job:q} --output {output} 2>&1 | tee {log}"


rule accuracy:
    input:
        code=code("equinox.tables"),
        runs=[f"<training>/runs/{task}/{encoding}.parquet" for task, encoding in RUNS],
    output:
        "<results>/tables/accuracy.parquet",
    log:
        "<results>/logs/accuracy.log",
    benchmark:
        "<results>/benchmarks/accuracy.tsv"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    message:
        "Collect the accuracy of all runs"
    shell:
        "python -m equinox.tables accuracy {input.runs} --output {output} 2>&1 | tee {log}"
