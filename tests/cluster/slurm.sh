#!/usr/bin/env bash
# A real Slurm of one node on loopback, without systemd, cgroups or a database. As root:
#   slurm.sh install               Debian packages
#   slurm.sh up|down FOLDER
set -euo pipefail
root=${2:-}
# The default place: executors drop the SLURM_* variables, SLURM_CONF too, from what they submit.
conf=/etc/slurm/slurm.conf
host=$(hostname -s)

configure() {
    local cpus memory
    cpus=$(nproc)
    ((cpus >= 2)) || cpus=2
    # Jobs ask for more when they are tried again, and nothing here holds them to it (no cgroups).
    memory=64000
    cat > "$conf" <<EOC
# made by $0; slurm.sh down removes it
ClusterName=loopback
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16817
SlurmdPort=16818
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
# a requeued job begins when its old credential is void, by default after two minutes
AuthInfo=socket=$root/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation=$root/state
SlurmdSpoolDir=$root/spool
SlurmctldPidFile=$root/slurmctld.pid
SlurmdPidFile=$root/slurmd.pid
SlurmctldLogFile=$root/slurmctld.log
SlurmdLogFile=$root/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SchedulerType=sched/backfill
# start jobs at once, not at the next pass some seconds later
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# ended jobs stay known to those who ask for their state
MinJobAge=3600
KillWait=5
InactiveLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE DefMemPerCPU=500 State=UP
EOC
}

authenticate() {
    mkdir -p "$root/state" "$root/spool"
    chmod 755 "$root" # munge refuses a folder that others may write to
    head -c 128 /dev/urandom > "$root/munge.key"
    chmod 400 "$root/munge.key"
    munged --force --socket="$root/munge.sock" --key-file="$root/munge.key" \
        --pid-file="$root/munged.pid" --log-file="$root/munged.log" --seed-file="$root/munge.seed"
}

# What a test that was killed left behind: a configuration of ours whose controller is gone.
forget_the_dead() {
    local pid
    grep -qs "made by" "$conf" || return 0
    pid=$(sed -n 's/^SlurmctldPidFile=//p' "$conf")
    grep -qs slurmctld "/proc/$(cat "$pid" 2>/dev/null)/cmdline" || rm -f "$conf"
}

up() {
    forget_the_dead
    if [ -e "$conf" ]; then
        echo "$conf exists: this machine has a Slurm; leaving it alone" >&2
        exit 3
    fi
    authenticate
    configure
    slurmctld -i
    slurmd
    for _ in $(seq 100); do
        timeout 2 sinfo --noheader --format=%T 2>/dev/null | grep -qx idle && return
        sleep 0.1
    done
    tail "$root"/*.log >&2
    down
    exit 1
}

down() {
    timeout 10 scancel --user=root 2>/dev/null || true
    for _ in $(seq 50); do
        [ -n "$(timeout 2 squeue --noheader 2>/dev/null)" ] || break
        sleep 0.2
    done
    for daemon in slurmd slurmctld munged; do
        if [ -s "$root/$daemon.pid" ]; then kill "$(cat "$root/$daemon.pid")" 2>/dev/null || true; fi
    done
    if grep -qs "made by" "$conf"; then rm -f "$conf"; fi
}

case ${1:-} in
    install) apt-get update -q && apt-get install -qy --no-install-recommends slurm-wlm munge ;;
    up) up ;;
    down) down ;;
    *) sed -n '2,4p' "$0" >&2; exit 2 ;;
esac
