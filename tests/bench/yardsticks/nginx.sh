#!/bin/sh
# SPDX-License-Identifier: BSL-1.0
#
# nginx as an HTTP peer: one worker, no access log, a 13-byte body. Usage: nginx.sh PORT
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat > "$dir/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $dir/pid;
error_log $dir/error.log crit;
worker_rlimit_nofile 20000;
events { worker_connections 12000; multi_accept on; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 300s;
    tcp_nodelay on;
    default_type text/plain;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    server { listen 127.0.0.1:$1 backlog=4096; location / { return 200 "Hello, World!"; } }
}
CONF
nginx -c "$dir/nginx.conf" -p "$dir" &
child=$!
trap 'kill $child 2>/dev/null; wait $child; rm -rf "$dir"; exit 0' TERM INT
wait $child
