#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
#
# Inside a virtual machine with another kernel: the sample programs do their work there, on the driver that this kernel
# leads to (EXPECT). Only busybox is there besides them.
set -u

fail() {
    echo "FAILED: $*"
    cat ./*.log
    exit 1
}

# within_a_minute COMMAND... : until it succeeds.
within_a_minute() {
    for _ in $(seq 120); do
        "$@" && return 0
        sleep 0.5
    done
    fail "not within a minute: $*"
}

ends_at_sigterm() {
    kill -TERM "$1"
    wait "$1" || fail "exit status $? after SIGTERM"
}

echo "kernel $(uname -r), driver $EXPECT expected"
dd if=/dev/urandom of=sent bs=1k count=1000 2>dd.log || fail "dd"

./http_server --listen 127.0.0.1:8080 --threads 2 >http_server.log 2>&1 &
server=$!
within_a_minute wget -q -O page http://127.0.0.1:8080/
for _ in $(seq 100); do wget -q -O page http://127.0.0.1:8080/ || fail "wget"; done
[ -s page ] || fail "an empty page"
ends_at_sigterm $server
grep "driver: $EXPECT" http_server.log || fail "another driver"

./echo_server --listen 127.0.0.1:8081 --threads 2 >echo_server.log 2>&1 &
server=$!
within_a_minute ./echo_client 127.0.0.1:8081 --count 1 >echo_client.log 2>&1
./echo_client 127.0.0.1:8081 --count 1000 >echo_client.log 2>&1 || fail "1000 messages"
./echo_client 127.0.0.1:8081 <sent >echoed 2>echo_client.log || fail "a megabyte"
cmp sent echoed || fail "not what was sent"
ends_at_sigterm $server
grep "driver: $EXPECT" echo_server.log || fail "another driver"

echo "longer than what it is copied to" >copy
./file_copy sent copy 2>file_copy.log || fail "file_copy"
cmp sent copy || fail "not what was copied"
echo "all answers are right"
