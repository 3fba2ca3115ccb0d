// SPDX-License-Identifier: BSL-1.0
//
// TCP echo on libuv, one thread: each connection has one buffer; a write is tried at once, and
// queued with a copy of its own only when the socket is full. Usage: echo_libuv PORT [BUFFER]
#include "program.h"

#include <uv.h>

static size_t buffer_size = 2048;

struct conn {
    uv_tcp_t tcp;
    char buffer[];
};

struct late_write {
    uv_write_t request;
    char bytes[];
};

static void on_closed(uv_handle_t* handle) {
    free(handle->data);
}

static void hang_up(uv_stream_t* stream) {
    if (!uv_is_closing((uv_handle_t*)stream)) uv_close((uv_handle_t*)stream, on_closed);
}

static void on_alloc(uv_handle_t* handle, size_t wanted, uv_buf_t* into) {
    (void)wanted;
    *into = uv_buf_init(((struct conn*)handle->data)->buffer, (unsigned)buffer_size);
}

static void on_late_write(uv_write_t* request, int status) {
    if (status < 0) hang_up(request->handle);
    free(request->data);
}

static void write_late(uv_stream_t* stream, const char* bytes, size_t n) {
    struct late_write* late = malloc(sizeof(*late) + n);
    uv_buf_t out;

    memcpy(late->bytes, bytes, n);
    late->request.data = late;
    out = uv_buf_init(late->bytes, (unsigned)n);
    uv_write(&late->request, stream, &out, 1, on_late_write);
}

static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* in) {
    if (n < 0) hang_up(stream);
    if (n <= 0) return;
    const uv_buf_t out = uv_buf_init(in->base, (unsigned)n);
    int sent = uv_try_write(stream, &out, 1);
    if (sent == n) return;
    if (sent < 0 && sent != UV_EAGAIN) {
        hang_up(stream);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    write_late(stream, in->base + sent, (size_t)(n - sent));
}

static void on_connection(uv_stream_t* server, int status) {
    if (status < 0) return;
    struct conn* c = malloc(sizeof(*c) + buffer_size);
    uv_tcp_init(server->loop, &c->tcp);
    c->tcp.data = c;
    if (uv_accept(server, (uv_stream_t*)&c->tcp) != 0) {
        hang_up((uv_stream_t*)&c->tcp);
        return;
    }
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t*)&c->tcp, on_alloc, on_read);
}

int main(int argc, char** argv) {
    uv_loop_t* loop = uv_default_loop();
    struct sockaddr_in at;
    uv_tcp_t server;
    int r;

    signal(SIGPIPE, SIG_IGN);
    raise_nofile();
    if (argc > 2) buffer_size = (size_t)atoi(argv[2]);
    uv_tcp_init(loop, &server);
    uv_ip4_addr("127.0.0.1", argc > 1 ? atoi(argv[1]) : 9000, &at);
    uv_tcp_bind(&server, (struct sockaddr*)&at, 0);
    if ((r = uv_listen((uv_stream_t*)&server, 4096, on_connection)) < 0) {
        fprintf(stderr, "listen: %s\n", uv_strerror(r));
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
