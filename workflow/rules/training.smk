RUNS = [
    f"results/{training_folder(CONFIG, task, encoding)}/runs/{task}/{encoding}.parquet"
    for task, runs in CONFIG.training.runs.items()
    for encoding in runs
]


rule train:
    input:
        code=code("equinox.training.__main__"),
        data=training_data,
    output:
        "results/{trained_in}/runs/{task}/{encoding}.parquet",
    log:
        "results/{trained_in}/logs/train/{task}/{encoding}.log",
    benchmark:
        "results/{trained_in}/benchmarks/train/{task}/{encoding}.tsv"
    wildcard_constraints:
        trained_in="[^/]+",
    resources:
        mem_mb=1500,
        runtime=60,
    params:
        job=training_job,
    message:
        "Train {wildcards.task} in {wildcards.encoding}"
    shell:
        "python -m equinox.training --job {params.job:q} --output {output} > {log} 2>&1"


rule accuracy:
    input:
        code=code("equinox.tables"),
        runs=RUNS,
    output:
        "<results>/tables/accuracy.parquet",
    log:
        "<results>/logs/accuracy.log",
    benchmark:
        "<results>/benchmarks/accuracy.tsv"
    resources:
        mem_mb=500,
        runtime=5,
    message:
        "Collect the accuracy of all runs"
    shell:
        "python -m equinox.tables accuracy {input.runs} --output {output} > {log} 2>&1"
