rule train:
    input:
        code=code("equinox.training.__main__"),
        data=training_data,
    output:
        "results/{folder}/runs/{task}/{encoding}.parquet",
    log:
        text="results/{folder}/logs/train/{task}/{encoding}.log",
        curve="results/{folder}/logs/train/{task}/{encoding}.csv",
    benchmark:
        "results/{folder}/benchmarks/train/{task}/{encoding}.tsv"
    wildcard_constraints:
        folder="|".join(map(re.escape, (CONFIG.name, CONFIG.scale))),
    group:
        "train"
    threads: training_processes
    resources:
        mem_mb=growing(CONFIG.training.memory_mb),
        runtime=growing(CONFIG.training.runtime_min),
    params:
        job=training_job,
        checkpoints="results/{folder}/checkpoints/{task}/{encoding}",
    message:
        "Train {wildcards.task} in {wildcards.encoding}: {threads} process(es)"
    shell:
        "python -m equinox.training --job {params.job:q} --output {output:q}"
        " --checkpoints {params.checkpoints:q} --curve {log.curve:q} 2>&1 | tee {log.text:q}"


# With download=true, public data that are not in data_dir are fetched; else they are just inputs.
for DATASET in fetched_datasets():

    rule:
        name:
            f"fetch_{DATASET}"
        output:
            LAYOUTS[DATASET].paths(CONFIG.data_dir),
        log:
            f"<results>/logs/fetch_{DATASET}.log",
        resources:
            mem_mb=1000,
            runtime=600,
        params:
            dataset=DATASET,
            data_dir=CONFIG.data_dir,
        message:
            "Fetch {params.dataset} into {params.data_dir}"
        shell:
            "python -m equinox.training.fetch --dataset {params.dataset:q}"
            " --data-dir {params.data_dir:q} 2>&1 | tee {log:q}"


rule collect_accuracy:
    input:
        code=code("equinox.tables"),
        runs=[
            f"results/{folder}/runs/{task}/{encoding}.parquet"
            for (task, encoding), folder in training_folders(CONFIG).items()
        ],
    output:
        "<results>/tables/accuracy.parquet",
    log:
        "<results>/logs/accuracy.log",
    benchmark:
        "<results>/benchmarks/accuracy.tsv"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        runs=in_file(lambda input: input.runs),
    message:
        "Collect the accuracy of all runs"
    shell:
        "python -m equinox.tables accuracy {params.runs:q} --output {output:q} 2>&1 | tee {log:q}"


rule equivalence:
    input:
        code=code("equinox.accuracy.__main__"),
        accuracy="<results>/tables/accuracy.parquet",
    output:
        "<results>/tables/equivalence.parquet",
    log:
        "<results>/logs/equivalence.log",
    benchmark:
        "<results>/benchmarks/equivalence.tsv"
    resources:
        mem_mb=growing(500),
        runtime=growing(5),
    params:
        margins=as_json(CONFIG.training.margins),
    message:
        "Test every encoding for equivalence with FP32"
    shell:
        "python -m equinox.accuracy --accuracy {input.accuracy:q} --margins {params.margins:q}"
        " --output {output:q} 2>&1 | tee {log:q}"


rule accuracy:
    """All tables of the accuracy study"""
    input:
        rules.collect_accuracy.output,
        rules.equivalence.output,
