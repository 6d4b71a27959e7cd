#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The Dockerfile's steps in a bare Debian root file system, for machines without a container engine:
#   sudo bash scripts/bare_root.sh FOLDER [PATH...]
# makes FOLDER with debootstrap, runs every RUN and COPY of the Dockerfile in it with chroot, then its
# CMD. Further PATHs of this machine are copied to the same place, for example a pip.conf and
# certificates that a local package mirror needs.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '3,7p' "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare_root: chroot needs root: sudo bash $0 $*" >&2; exit 2; }
command -v debootstrap >/dev/null || { echo "bare_root: sudo apt-get install debootstrap" >&2; exit 2; }
root=$(realpath -m "$1"); shift
cd "$(dirname "$0")/.."
[ ! -e "$root" ] || { echo "bare_root: $root exists; name a folder that does not" >&2; exit 2; }

release=$(sed -n 's/^FROM debian:\([0-9]*\).*/\1/p' Dockerfile)
case $release in 12) suite=bookworm ;; 13) suite=trixie ;; *) echo "bare_root: no suite for Debian '$release'" >&2; exit 2 ;; esac
echo "== debootstrap $suite"
debootstrap --variant=minbase "$suite" "$root" http://deb.debian.org/debian >/dev/null
cp /etc/resolv.conf "$root/etc/resolv.conf"
for path in "$@"; do
    mkdir -p "$root$(dirname "$path")"
    cp -a "$path" "$root$(dirname "$path")/"
done

workdir=/
inside() {
    # The variables that a container would have, and no others of this shell.
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        chroot "$root" /bin/sh -c "cd $workdir && $1"
}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
trap 'umount -R "$root/dev" "$root/proc"' EXIT
mount --make-rslave "$root/dev"

# A line that ends in a backslash goes on in the next.
sed -e ':a' -e '/\\$/N; s/\\\n//; ta' Dockerfile | while IFS= read -r line; do
    case $line in
    WORKDIR*) workdir=${line#WORKDIR }; mkdir -p "$root$workdir" ;;
    "COPY . .") echo "== COPY"; git archive HEAD | tar -x -C "$root$workdir" ;;
    RUN*) echo "== $line"; inside "${line#RUN }" </dev/null ;;
    CMD*)
        command=$(printf '%s' "${line#CMD }" | tr -d '[]",')
        echo "== $command"
        inside "$command" </dev/null
        ;;
    esac
done
echo "== done"
