#!/bin/bash
# SPDX-License-Identifier: BSL-1.0
#
# asio_matrix.sh: build the tests of coronet::asio with another Asio than the machine's, and run them.
#
#   asio_matrix.sh [options] VARIANT...
#
# VARIANT  1.30            standalone, from Debian 13
#          1.30-separate   the same, compiled separately, without what is deprecated in it
#          1.22-separate   that of Debian 12, compiled separately, without TS executors
#          boost-1.81      Boost's, from Debian 12
#          boost-1.74      the same, too old for more than a guest
#
#   -B DIR   builds go here, a folder each (build/asio_versions beside the sources)
#   -C DIR   cache of downloads (${XDG_CACHE_HOME:-~/.cache}/asio-matrix)
#   -D K=V   another option for CMake; repeatable
#
# One summary line per variant:
#   VARIANT asio=VERSION tests=N exit=E
# The script exits 0 only if every E was 0; 77 if the packages cannot be downloaded.
#
# Needs: what building Coronet needs, and apt. Nothing is installed and no system configuration is touched: packages
# are only downloaded and unpacked, with a private apt state.
set -u -o pipefail

usage() { sed -n '4,/^set -u/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit "${1:-2}"; }
die() { echo "asio_matrix: $*" >&2; exit 1; }
skip() { echo "asio_matrix: skipped: $*" >&2; exit 77; }

source_dir=$(cd "$(dirname "$0")/../.." && pwd)
builds=$source_dir/build/asio_versions
cache=${XDG_CACHE_HOME:-$HOME/.cache}/asio-matrix
options=()
while getopts 'B:C:D:h' o; do
  case $o in
    B) builds=$OPTARG;; C) cache=$OPTARG;; D) options+=("-D$OPTARG");; h) usage 0;; *) usage;;
  esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
command -v apt-get >/dev/null || skip "there is no apt here"
mkdir -p "$cache/deb" "$cache/tree" "$builds" || die "cannot write $cache or $builds"
cache=$(cd "$cache" && pwd)

# ---------------------------------------------------------------- packages
# Archive address and key come from the machine's own configuration, only the suites differ.
view=(-o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$cache/apt/sources.d"
  -o Dir::State::Lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" -o APT::Default-Release=
  -o APT::Sandbox::User=root) # it could not write there
view_suites() {
  local base suite
  [ -z "$(find "$cache/apt/stamp" -mmin -720 2>/dev/null)" ] || return 0
  base=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' | head -1)
  # Before the first `apt-get update` nothing is known of a source but its address.
  [ -n "$base" ] || base=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  [ -n "$base" ] || skip "no apt source of Debian is configured"
  mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial" "$cache/apt/sources.d"
  for suite in bookworm trixie; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $base $suite main" \
      >"$cache/apt/sources.d/$suite.list"
  done
  apt-get "${view[@]}" -qq -o Acquire::Retries=1 -o APT::Update::Error-Mode=any update >&2 ||
    skip "Debian's archive cannot be reached"
  touch "$cache/apt/stamp"
}

unpacked() { # PACKAGE SUITE -> the folder that it is unpacked in
  local version tree
  version=$(apt-cache "${view[@]}" madison "$1" | awk -F'|' -v s="$2" '
    { split($3, a, " "); sub("/.*", "", a[2]); gsub(/ /, "", $2); if (a[2] == s) { print $2; exit } }')
  [ -n "$version" ] || die "$2 has no $1"
  tree=$cache/tree/$1-$version
  if [ ! -e "$tree/.done" ]; then
    (cd "$cache/deb" && apt-get "${view[@]}" -qq download "$1=$version" >&2) || skip "$1 cannot be downloaded"
    mkdir -p "$tree"
    dpkg-deb -x "$cache/deb/$1_${version//:/%3a}"_*.deb "$tree" && touch "$tree/.done" || die "cannot unpack $1"
  fi
  echo "$tree"
}

# ---------------------------------------------------------------- builds
describe() { # VARIANT -> package, suite, boost, flags
  boost=OFF flags=
  case $1 in
    1.30) package=libasio-dev suite=trixie;;
    1.30-separate) package=libasio-dev suite=trixie flags="-DASIO_SEPARATE_COMPILATION -DASIO_NO_DEPRECATED";;
    1.22-separate) package=libasio-dev suite=bookworm flags="-DASIO_SEPARATE_COMPILATION -DASIO_NO_TS_EXECUTORS";;
    boost-1.81) package=libboost1.81-dev suite=bookworm boost=ON;;
    boost-1.74) package=libboost1.74-dev suite=bookworm boost=ON;;
    *) die "there is no variant $1";;
  esac
}

# The tests refuse to be compiled with another Asio than the one that was unpacked.
build() { # INCLUDE_DIR BUILD_DIR
  local expected
  expected=-DCORONET_EXPECTED_ASIO=$(version_of "$1")
  (cd "$source_dir" && cmake --preset dev -B "$2" -DCORONET_UNITY=ON -DCORONET_TESTS_IN_UNITS=ON \
    -DCORONET_TEST_PACKAGE=OFF -DCORONET_BUILD_SAMPLES=OFF -DCORONET_BUILD_BENCH=OFF \
    -DCORONET_ASIO_USE_BOOST="$boost" -DCORONET_ASIO_INCLUDE_DIR="$1" -DCMAKE_CXX_FLAGS="$flags $expected" \
    ${options[@]+"${options[@]}"}) >"$2/configured" 2>&1 || { cat "$2/configured" >&2; return 1; }
  cmake --build "$2" --target asio_tests >"$2/built" 2>&1 || { cat "$2/built" >&2; return 1; }
}

# What this Asio cannot have, or that it is too old, is refused with the cause.
refuse() { # INCLUDE_DIR
  local which=()
  [ "$boost" = OFF ] || which=(--boost)
  python3 "$source_dir/tests/checks/asio_refusals.py" "${CXX:-g++}" "$1" ${which[@]+"${which[@]}"} >&2
}

run() { # BUILD_DIR
  CORONET_DRIVER=io_uring "$1/tests/unit/asio_tests" >"$1/ran" 2>&1 || { cat "$1/ran" >&2; return 1; }
}

version_of() { # INCLUDE_DIR -> as Asio has it: 103002
  cat "$1/asio/version.hpp" "$1/boost/asio/version.hpp" 2>/dev/null |
    sed -n 's/^#define \(BOOST_\)\{0,1\}ASIO_VERSION \([0-9]*\).*/\2/p'
}

view_suites
final=0
for variant in "$@"; do
  describe "$variant"
  tree=$(unpacked "$package" "$suite") || exit $?
  mkdir -p "$builds/$variant"
  : >"$builds/$variant/ran"
  status=0
  refuse "$tree/usr/include" && build "$tree/usr/include" "$builds/$variant" && run "$builds/$variant" || status=1
  count=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$builds/$variant/ran")
  echo "$variant asio=$(version_of "$tree/usr/include") tests=${count:-0} exit=$status"
  [ "$status" = 0 ] || final=1
done
exit "$final"
