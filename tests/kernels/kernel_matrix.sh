#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
#
# kernel_matrix.sh: boot Debian kernels in a small virtual machine, run a test
# program inside each, and print the program's exit status.
#
#   kernel_matrix.sh [options] KERNEL[,KERNEL...] TEST [ARG...]
#
# KERNEL   a Debian package (linux-image-cloud-amd64, linux-image-6.1.0-50-cloud-amd64,
#          linux-binary-7.2.12+deb13-cloud-amd64), PACKAGE/SUITE to take it from another
#          suite (linux-image-cloud-amd64/trixie), a .deb file, or a bzImage/vmlinuz file
# TEST     an executable (static, or dynamic: its shared libraries go along), or a
#          directory: its executable file `run` if there is one, else each executable
#          in it in name order. It runs as root with the directory as its cwd.
#
#   -m MIB   guest memory (1024)        -c N    guest CPUs (2)
#   -t SEC   limit per kernel (180)     -a ACC  tcg (default) or kvm
#   -M LIST  kernel modules to load, comma-separated, dependencies included (tls,sch_netem)
#   -f FILE  take FILE (and its shared libraries) along at the same path; repeatable
#   -e K=V   set an environment variable for the test; repeatable
#   -A ARGS  extra kernel command line  -n NR   RLIMIT_NOFILE in the guest (20000)
#   -C DIR   cache of downloads (${XDG_CACHE_HOME:-~/.cache}/kernel-matrix)
#   -l       list the kernel packages on offer in the given -s SUITES and exit
#   -s LIST  suites to look in, besides those the machine's own apt sources name
#   -q       print only the summary lines
#
# One summary line per kernel:
#   KERNEL release=R boot=S total=S warnings=N exit=E
# E is the test's exit status (a directory's: the first non-zero one), 124 for a
# timeout, 125 when the kernel did not get as far as a verdict. `warnings` counts
# oopses, WARNs, lockups and hung tasks on the guest's console. The script exits 0
# only if every kernel's E was 0, else with the last non-zero E.
#
# Needs: qemu-system-x86 busybox-static cpio xz-utils zstd, and apt for packages.
# Nothing is installed and no system configuration is touched: packages are only
# downloaded (into -C) and unpacked, other suites use a private apt state there.
set -u -o pipefail

usage() { sed -n '4,/^set -u/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit "${1:-2}"; }
die() { echo "kernel_matrix: $*" >&2; exit 125; }
say() { [ "$quiet" = 1 ] || echo "$*"; }

mem=1024 cpus=2 limit=180 accel=tcg nofile=20000 quiet=0 list=0
modules="" append="" suites=""
cache=${XDG_CACHE_HOME:-$HOME/.cache}/kernel-matrix
extra=() envs=()
while getopts 'm:c:t:a:M:f:e:A:n:C:s:lqh' o; do
  case $o in
    m) mem=$OPTARG;; c) cpus=$OPTARG;; t) limit=$OPTARG;; a) accel=$OPTARG;;
    M) modules=${OPTARG//,/ };; f) extra+=("$OPTARG");; e) envs+=("$OPTARG");;
    A) append=$OPTARG;; n) nofile=$OPTARG;; C) cache=$OPTARG;; s) suites=$OPTARG;;
    l) list=1;; q) quiet=1;; h) usage 0;; *) usage;;
  esac
done
shift $((OPTIND - 1))
[ "$list" = 1 ] || [ $# -ge 2 ] || usage
mkdir -p "$cache/deb" "$cache/tree" || die "cannot write $cache"
cache=$(cd "$cache" && pwd)
work=$(mktemp -d) || die mktemp
qpid=
trap '[ -n "$qpid" ] && kill "$qpid" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 125' INT TERM

# ---------------------------------------------------------------- packages
# A private apt view of the suites: archive address and key come from the
# machine's own configuration, only the suite differs.
aptopts=() viewopts=()
apt_view() { # SUITE...
  local root=$cache/apt base s fresh
  [ $# -gt 0 ] || return 0
  base=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  [ -n "$base" ] || die "no apt source is configured"
  mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/sources.d"
  for s in "$@"; do
    [ -e "$root/sources.d/$s.list" ] && continue
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $base $s main" \
      >"$root/sources.d/$s.list"
    rm -f "$root/stamp"
  done
  viewopts=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$root/sources.d"
    -o Dir::State::Lists="$root/lists" -o Dir::Cache="$root/cache"
    -o APT::Default-Release=)
  fresh=$(find "$root/stamp" -mmin -720 2>/dev/null)
  if [ -z "$fresh" ]; then
    apt-get "${viewopts[@]}" -qq update >&2 || die "apt-get update failed"
    touch "$root/stamp"
  fi
}

candidate() { # PACKAGE SUITE -> version
  apt-cache ${aptopts[@]+"${aptopts[@]}"} madison "$1" | awk -F'|' -v s="$2" '
    $3 ~ / Packages/ { split($3, a, " "); sub("/.*", "", a[2]); gsub(/ /, "", $2)
      if (s == "" || a[2] == s) { print $2; exit } }'
}

fetch_deb() { # PACKAGE VERSION -> path of the .deb in the cache
  local f
  (cd "$cache/deb" && apt-get ${aptopts[@]+"${aptopts[@]}"} -qq download "$1=$2" >&2 2>/dev/null) || return 1
  for f in "$cache/deb/$1"_*.deb; do
    [ -s "$f" ] && [ "$(dpkg-deb -f "$f" Version)" = "$2" ] && { echo "$f"; return 0; }
  done
  return 1
}

unpack() { # DEB DIR
  [ -e "$2/.done-$(basename "$1")" ] && return 0
  mkdir -p "$2" && dpkg-deb -x "$1" "$2" && touch "$2/.done-$(basename "$1")"
}

# Where to look for a package: a named suite in the private view, else the
# machine's own sources, else whatever suites the private view has.
choose_source() { # PACKAGE SUITE
  aptopts=()
  if [ -n "$2" ] || { [ ${#viewopts[@]} -gt 0 ] && [ -z "$(candidate "$1" "")" ]; }; then
    aptopts=("${viewopts[@]}")
  fi
}

# Follows a metapackage down to the packages that hold the kernel and its modules.
resolve_package() { # PACKAGE SUITE DIR -> fills DIR
  local pkg=$1 suite=$2 dir=$3 ver deb dep
  ver=$(candidate "$pkg" "$suite")
  [ -n "$ver" ] || return 1
  deb=$(fetch_deb "$pkg" "$ver") || return 1
  unpack "$deb" "$dir" || return 1
  for dep in $(dpkg-deb -f "$deb" Depends | tr ',|' '\n\n' | awk '{print $1}' |
      grep -E '^linux-(image|binary|modules)-[0-9]'); do
    resolve_package "$dep" "$suite" "$dir" || return 1
  done
}

find_vmlinuz() { # DIR
  find "$1" -type f \( -name 'vmlinuz' -o -name 'vmlinuz-*' \) | sort | head -1
}

if [ "$list" = 1 ]; then
  # shellcheck disable=SC2086
  apt_view ${suites//,/ }
  apt-cache ${viewopts[@]+"${viewopts[@]}"} search --names-only '^linux-(image|binary)-[0-9].*cloud-amd64$' |
    awk '{print $1}' | sort -V
  exit 0
fi

kernels=${1//,/ }; shift
test_path=$1; shift
[ -e "$test_path" ] || die "no such test: $test_path"
for t in qemu-system-x86_64 cpio xz; do command -v "$t" >/dev/null || die "$t is missing"; done
busybox=
for b in /bin/busybox /usr/bin/busybox; do [ -x "$b" ] && busybox=$b && break; done
[ -n "$busybox" ] || die "busybox (busybox-static) is missing"

want=$(for k in $kernels; do case $k in */*) [ -e "$k" ] || echo "${k##*/}";; esac; done)
# shellcheck disable=SC2086
apt_view $(printf '%s\n' ${suites//,/ } $want | sort -u)

# ---------------------------------------------------------------- initramfs
copy_libs() { # ELF ROOT: shared libraries of ELF, at the same paths
  local so
  ldd "$1" 2>/dev/null | grep -oE '/[^ ]+\.so[^ ]*' | while read -r so; do
    [ -e "$2$so" ] || { mkdir -p "$2$(dirname "$so")"; cp -L "$so" "$2$so"; }
  done
}

module_order() { # TREE NAME...: prints module files, dependencies first, each once
  local tree=$1 name file deps d; shift
  for name in "$@"; do
    case " $seen " in *" ${name//-/_} "*) continue;; esac
    seen="$seen ${name//-/_}"
    file=$(find "$tree" -type f -path '*/kernel/*' -regextype posix-extended \
      -regex ".*/${name//[-_]/[-_]}\.ko(\.(xz|gz|zst))?" | head -1)
    [ -n "$file" ] || continue   # built in, or not there: the test will tell
    deps=$(plain "$file" | tr '\0' '\n' | sed -n 's/^depends=//p' | tr ',' ' ')
    # shellcheck disable=SC2086
    for d in $deps; do module_order "$tree" "$d"; done
    echo "$file"
  done
}
plain() { case $1 in *.xz) xz -dc "$1";; *.gz) gzip -dc "$1";; *.zst) zstd -qdc "$1";; *) cat "$1";; esac; }

build_initramfs() { # TREE NONCE ARGS...
  local tree=$1 nonce=$2 r=$work/root f n=0 a; shift 2
  rm -rf "$r"
  mkdir -p "$r"/{bin,sbin,etc,proc,sys,dev,tmp,root,run,var,mod,test,usr/bin,usr/sbin}
  cp "$busybox" "$r/bin/busybox"
  for a in sh mount mkdir cat echo ls ps kill sleep ip ulimit test seq grep sed awk dmesg \
      sysctl insmod lsmod stty env head tail cut tr wc id uname free mktemp rm cp mv dd \
      chmod true false timeout nproc hostname cmp wget; do ln -sf busybox "$r/bin/$a"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$r/etc/passwd"
  echo 'root:x:0:' >"$r/etc/group"
  echo '127.0.0.1 localhost' >"$r/etc/hosts"
  echo 'hosts: files' >"$r/etc/nsswitch.conf"
  if [ -d "$test_path" ]; then cp -a "$test_path/." "$r/test/"; else
    cp -L "$test_path" "$r/test/run"; chmod +x "$r/test/run"; fi
  for f in "$r"/test/*; do [ -f "$f" ] && [ -x "$f" ] && copy_libs "$f" "$r"; done
  for f in ${extra[@]+"${extra[@]}"}; do
    mkdir -p "$r$(dirname "$f")"; cp -aL "$f" "$r$f" || die "cannot take $f along"
    [ -f "$f" ] && copy_libs "$f" "$r"
  done
  seen=
  : >"$r/mod/order"
  # shellcheck disable=SC2086
  [ -n "$tree" ] && module_order "$tree" $modules | while read -r f; do
    n=$((n + 1)); a=$(printf '%03d-%s' $n "$(basename "${f%%.ko*}").ko")
    plain "$f" >"$r/mod/$a"; echo "$a" >>"$r/mod/order"
  done
  { for a in ${envs[@]+"${envs[@]}"}; do printf 'export %q\n' "$a"; done
    printf 'set --'; for a in "$@"; do printf ' %q' "$a"; done; echo; } >"$r/args"
  cat >"$r/init" <<EOF
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm; mount -t tmpfs tmp /tmp
mount -t tmpfs run /run
mount -t cgroup2 cg /sys/fs/cgroup 2>/dev/null &&
  for c in pids memory cpu io; do echo +\$c >/sys/fs/cgroup/cgroup.subtree_control; done 2>/dev/null
ip link set lo up; hostname guest
ulimit -n $nofile; ulimit -l unlimited
stty -F /dev/ttyS1 raw 2>/dev/null
exec >/dev/ttyS1 2>&1 </dev/null
while read -r m; do insmod /mod/\$m || echo "insmod \$m failed"; done </mod/order
read -r up idle </proc/uptime
echo "KM-$nonce-BOOT \$(uname -r) \$up"
. /args
cd /test
rc=0
if [ -x run ]; then ./run "\$@"; rc=\$?
else for t in *; do [ -f "\$t" ] && [ -x "\$t" ] || continue
  echo "--- \$t"; ./"\$t" "\$@"; s=\$?; echo "--- \$t: exit \$s"; [ \$rc = 0 ] && rc=\$s; done; fi
echo "KM-$nonce-EXIT \$rc"
sleep 0.2
busybox poweroff -f
EOF
  chmod +x "$r/init"
  (cd "$r" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs"
}

# ---------------------------------------------------------------- run
if [ "$accel" = kvm ]; then machine=(-accel kvm -cpu host)
# without cx16: QEMU 7.2's translator corrupts flags in cmpxchg16b, which kernels
# from 6.2 on use in the slab allocator
else machine=(-accel tcg,thread=multi -cpu max,-cx16); fi

final=0
for k in $kernels; do
  suite=
  case $k in
    */*) if [ ! -e "$k" ]; then suite=${k##*/}; fi;;
  esac
  name=${k%/"$suite"}
  tree=
  if [ -f "$k" ] && [ "${k%.deb}" != "$k" ]; then
    tree=$cache/tree/$(basename "$k" .deb); unpack "$k" "$tree" || die "cannot unpack $k"
    image=$(find_vmlinuz "$tree")
  elif [ -f "$k" ]; then
    image=$k
  else
    choose_source "$name" "$suite"
    tree=$cache/tree/$name-$(candidate "$name" "$suite")
    resolve_package "$name" "$suite" "$tree" || { echo "$k exit=125 (package not to be had)"; final=125; continue; }
    image=$(find_vmlinuz "$tree")
  fi
  [ -n "$image" ] || { echo "$k exit=125 (no vmlinuz found)"; final=125; continue; }
  nonce=$RANDOM$RANDOM
  build_initramfs "$tree" "$nonce" "$@"
  : >"$work/console"; : >"$work/out"
  start=$(date +%s.%N)
  timeout -k 5 "$limit" qemu-system-x86_64 "${machine[@]}" -m "$mem" -smp "$cpus" \
    -nodefaults -no-user-config -no-reboot -display none \
    -serial "file:$work/console" -serial "file:$work/out" \
    -kernel "$image" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet loglevel=5 panic=-1 random.trust_cpu=1 $append" \
    </dev/null >"$work/qemu" 2>&1 &
  qpid=$!
  wait "$qpid"; qrc=$?; qpid=
  total=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }')
  release=$(sed -n "s/^KM-$nonce-BOOT \([^ ]*\) .*/\1/p" "$work/out")
  boot=$(sed -n "s/^KM-$nonce-BOOT [^ ]* \(.*\)/\1/p" "$work/out")
  rc=$(sed -n "s/.*KM-$nonce-EXIT \([0-9]*\).*/\1/p" "$work/out" | tail -1)
  [ "$quiet" = 1 ] || sed "/^KM-$nonce-/d" "$work/out"
  warnings=$(grep -a -c -E 'BUG:|WARNING:|Oops|Call Trace:|soft lockup|blocked for more than|Kernel panic' "$work/console")
  if [ -z "$rc" ]; then
    rc=125; { [ "$qrc" = 124 ] || [ "$qrc" = 137 ]; } && rc=124
    echo "--- last console lines of $k" >&2; tr -d '\r' <"$work/console" | tail -15 >&2; cat "$work/qemu" >&2
  elif [ "$warnings" != 0 ]; then
    say "--- kernel messages of $k"; say "$(tr -d '\r' <"$work/console" | tail -40)"
  fi
  echo "$k release=${release:-none} boot=${boot:-none} total=$total warnings=$warnings exit=$rc"
  [ "$rc" = 0 ] || final=$rc
done
exit "$final"
