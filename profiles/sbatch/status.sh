#!/bin/sh
# What has become of a Slurm job, in the three words that Snakemake knows. The controller knows
# running and freshly ended jobs; accounting, where there is some, knows all.
state=$(scontrol --oneliner show job "$1" 2>/dev/null | sed -n 's/.* JobState=\([A-Z_]*\).*/\1/p')
[ -n "$state" ] || state=$(sacct --noheader --allocations --format=State --jobs="$1" 2>/dev/null | awk '{print $1; exit}')
case $state in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | PREEMPTED | RESIZING) echo running ;;
    *) echo failed ;;
esac
