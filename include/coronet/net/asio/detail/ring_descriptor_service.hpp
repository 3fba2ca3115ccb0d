// SPDX-License-Identifier: BSL-1.0
//
// What is below Asio's descriptors of Coronet's executor, and below files. What completes at once
// is Asio's own; what is asynchronous is an operation of the ring, at the file's own position or at
// one that is given. No descriptor is in Asio's epoll set, and none is made non-blocking. Closing
// is as with sockets (ring_socket_service.hpp).
#pragma once

#include <coronet/detail/closed_descriptors.hpp>
#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/file_requests.hpp>
#include <coronet/net/asio/detail/on_ring.hpp>
#include <coronet/net/asio/detail/open_descriptor.hpp>
#include <coronet/net/asio/detail/ring_op.hpp>
#include <coronet/net/asio/detail/ring_reactor.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

#include <poll.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/descriptor_ops.hpp>
#include <boost/asio/posix/descriptor_base.hpp>
#else
#include <asio/detail/descriptor_ops.hpp>
#include <asio/posix/descriptor_base.hpp>
#endif

namespace coronet::asiox::detail {

class ring_descriptor_service final
    : private on_ring,
      public asio_detail::execution_context_service_base<ring_descriptor_service> {
    using wait_type = net::posix::descriptor_base::wait_type;

public:
    using native_handle_type = int;

    struct implementation_type {
        int descriptor = -1;
        asio_detail::descriptor_ops::state_type state = 0;
        open_descriptor::reference open;
    };

    explicit ring_descriptor_service(net::execution_context& context)
        : on_ring(context),
          asio_detail::execution_context_service_base<ring_descriptor_service>(context) {
        ring().init_task();
    }

    void shutdown() override {}

    // ---- the life of a descriptor ----

    void construct(implementation_type& file) noexcept {
        file.descriptor = -1;
        file.state = 0;
        file.open = {};
    }
    void move_construct(implementation_type& to, implementation_type& from) noexcept {
        to.descriptor = std::exchange(from.descriptor, -1);
        to.state = std::exchange(from.state, asio_detail::descriptor_ops::state_type{});
        to.open = std::move(from.open);
    }
    void move_assign(
        implementation_type& to, ring_descriptor_service& /*other*/, implementation_type& from
    ) {
        destroy(to);
        move_construct(to, from);
    }
    void converting_move_construct(
        implementation_type& to, ring_descriptor_service& /*other*/, implementation_type& from
    ) noexcept {
        move_construct(to, from);
    }
    void destroy(implementation_type& file) {
        error_code ignored;
        close(file, ignored);
    }

    error_code assign(implementation_type& file, int native, error_code& error) {
        if (is_open(file)) return error = net::error::already_open;
        file.open = open_descriptor::reference::make();
        file.descriptor = native;
        return error = error_code();
    }
    [[nodiscard]] bool is_open(const implementation_type& file) const noexcept {
        return file.descriptor != -1;
    }
    [[nodiscard]] int native_handle(const implementation_type& file) const noexcept {
        return file.descriptor;
    }
    error_code close(implementation_type& file, error_code& error) {
        error = error_code();
        if (!is_open(file)) return error;
        leave(file.open, [native = file.descriptor, state = file.state, &error](bool is_now) {
            auto before = state;
            error_code ignored;
            asio_detail::descriptor_ops::close(native, before, is_now ? error : ignored);
            coronet::detail::closed_descriptors::note(native);
        });
        construct(file); // whatever close(2) said
        return error;
    }
    int release(implementation_type& file) {
        const int released = file.descriptor;
        if (is_open(file)) leave_to_others(file.open, file.descriptor);
        construct(file);
        return released;
    }
    int release(implementation_type& file, error_code& error) {
        error = error_code();
        return release(file);
    }
    error_code cancel(implementation_type& file, error_code& error) {
        if (!is_open(file)) return error = net::error::bad_descriptor;
        cancel_all(file.open);
        return error = error_code();
    }

    // ---- as Asio does it ----

    template <class Command>
    error_code io_control(implementation_type& file, Command& command, error_code& error) {
        asio_detail::descriptor_ops::ioctl(
            file.descriptor, file.state, command.name(),
            static_cast<asio_detail::ioctl_arg_type*>(command.data()), error
        );
        return error;
    }
    [[nodiscard]] bool non_blocking(const implementation_type& file) const noexcept {
        return (file.state & asio_detail::descriptor_ops::user_set_non_blocking) != 0;
    }
    error_code non_blocking(implementation_type& file, bool mode, error_code& error) {
        asio_detail::descriptor_ops::set_user_non_blocking(
            file.descriptor, file.state, mode, error
        );
        return error;
    }
    [[nodiscard]] bool native_non_blocking(const implementation_type& file) const noexcept {
        return (file.state & asio_detail::descriptor_ops::internal_non_blocking) != 0;
    }
    error_code native_non_blocking(implementation_type& file, bool mode, error_code& error) {
        asio_detail::descriptor_ops::set_internal_non_blocking(
            file.descriptor, file.state, mode, error
        );
        return error;
    }
    error_code wait(implementation_type& file, wait_type what, error_code& error) {
        namespace descriptor_ops = asio_detail::descriptor_ops;
        error = net::error::invalid_argument;
        if (what == wait_type::wait_read)
            descriptor_ops::poll_read(file.descriptor, file.state, error);
        if (what == wait_type::wait_write)
            descriptor_ops::poll_write(file.descriptor, file.state, error);
        if (what == wait_type::wait_error)
            descriptor_ops::poll_error(file.descriptor, file.state, error);
        return error;
    }
    template <class Buffers>
    std::size_t write_some(implementation_type& file, const Buffers& buffers, error_code& error) {
        asio_detail::buffer_sequence_adapter<net::const_buffer, Buffers> all(buffers);
        return asio_detail::descriptor_ops::sync_write(
            file.descriptor, file.state, all.buffers(), all.count(), all.all_empty(), error
        );
    }
    std::size_t write_some(implementation_type& file, const net::null_buffers&, error_code& error) {
        asio_detail::descriptor_ops::poll_write(file.descriptor, file.state, error);
        return 0;
    }
    template <class Buffers>
    std::size_t read_some(implementation_type& file, const Buffers& buffers, error_code& error) {
        asio_detail::buffer_sequence_adapter<net::mutable_buffer, Buffers> all(buffers);
        return asio_detail::descriptor_ops::sync_read(
            file.descriptor, file.state, all.buffers(), all.count(), all.all_empty(), error
        );
    }
    std::size_t read_some(implementation_type& file, const net::null_buffers&, error_code& error) {
        asio_detail::descriptor_ops::poll_read(file.descriptor, file.state, error);
        return 0;
    }

    // ---- asynchronous operations ----

    template <class Handler, class IoExecutor>
    void async_wait(
        implementation_type& file, wait_type what, Handler& handler, const IoExecutor& executor
    ) {
        unsigned events = 0;
        if (what == wait_type::wait_read) events = POLLIN;
        if (what == wait_type::wait_write) events = POLLOUT;
        if (what == wait_type::wait_error) events = urgent;
        begin(
            file, wait_request(file.descriptor, events), handler, executor, events == 0,
            net::error::invalid_argument
        );
    }
    template <class Buffers, class Handler, class IoExecutor>
    void async_write_some(
        implementation_type& file, const Buffers& buffers, Handler& handler,
        const IoExecutor& executor
    ) {
        async_write_some_at(file, own_position, buffers, handler, executor);
    }
    template <class Handler, class IoExecutor>
    void async_write_some(
        implementation_type& file, const net::null_buffers&, Handler& handler,
        const IoExecutor& executor
    ) {
        begin(file, ready_request(file.descriptor, POLLOUT), handler, executor);
    }
    template <class Buffers, class Handler, class IoExecutor>
    void async_write_some_at(
        implementation_type& file, std::uint64_t at, const Buffers& buffers, Handler& handler,
        const IoExecutor& executor
    ) {
        using adapter = asio_detail::buffer_sequence_adapter<net::const_buffer, Buffers>;
        begin(
            file, write_request<Buffers>(file.descriptor, at, buffers), handler, executor,
            adapter::all_empty(buffers)
        );
    }
    template <class Buffers, class Handler, class IoExecutor>
    void async_read_some(
        implementation_type& file, const Buffers& buffers, Handler& handler,
        const IoExecutor& executor
    ) {
        async_read_some_at(file, own_position, buffers, handler, executor);
    }
    template <class Handler, class IoExecutor>
    void async_read_some(
        implementation_type& file, const net::null_buffers&, Handler& handler,
        const IoExecutor& executor
    ) {
        begin(file, ready_request(file.descriptor, POLLIN), handler, executor);
    }
    template <class Buffers, class Handler, class IoExecutor>
    void async_read_some_at(
        implementation_type& file, std::uint64_t at, const Buffers& buffers, Handler& handler,
        const IoExecutor& executor
    ) {
        using adapter = asio_detail::buffer_sequence_adapter<net::mutable_buffer, Buffers>;
        begin(
            file, read_request<Buffers>(file.descriptor, at, buffers), handler, executor,
            adapter::all_empty(buffers)
        );
    }

private:
    /// Begins, or tells at once `refusal` or that nothing was to be done.
    template <class Request, class Handler, class IoExecutor>
    void begin(
        implementation_type& file, Request&& request, Handler& handler, const IoExecutor& executor,
        bool at_once = false, error_code refusal = {}
    ) {
        if (!is_open(file)) refusal = net::error::bad_descriptor;
        initiate(
            ring(), file.open, std::move(request), handler, executor, at_once || !is_open(file),
            refusal
        );
    }
};

} // namespace coronet::asiox::detail
