#!/usr/bin/env bash
# Slurm and munge; where they are missing and the machine lets us, Debian's are installed. Elsewhere the tests say so.
set -u
command -v slurmctld >/dev/null && command -v slurmd >/dev/null && command -v munged >/dev/null && exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0
apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends slurm-wlm munge >/dev/null 2>&1
exit 0
