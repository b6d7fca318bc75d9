#!/bin/sh
# What has become of a Slurm job, in the three words that Snakemake knows. The controller knows
# running and freshly ended jobs; accounting, where there is some, knows all. A controller that does
# not answer says nothing about the job, which therefore counts as running.
if told=$(scontrol --oneliner show job "$1" 2>&1); then
    state=$(echo "$told" | sed -n 's/.* JobState=\([A-Z_]*\).*/\1/p')
elif echo "$told" | grep -q "Invalid job id"; then
    state=$(sacct --noheader --allocations --format=State --jobs="$1" 2>/dev/null | awk '{print $1; exit}')
else
    state=RUNNING
fi
case $state in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | PREEMPTED | RESIZING) echo running ;;
    *) echo failed ;;
esac
