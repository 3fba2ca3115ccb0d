// SPDX-License-Identifier: BSL-1.0
//
// A file that is read and written where one says, on the ring: the members of
// asio::basic_random_access_file, without Asio's own io_uring. Fits asio::async_read_at and
// async_write_at. As many operations at once as one likes.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/basic_file.hpp>
#include <coronet/net/asio/detail/prepare.hpp>
#include <coronet/net/asio/executor.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <sys/uio.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/async_result.hpp>
#include <boost/asio/detail/buffer_sequence_adapter.hpp>
#else
#include <asio/async_result.hpp>
#include <asio/detail/buffer_sequence_adapter.hpp>
#endif

namespace coronet::asiox {

template <class Executor>
class basic_random_access_file : public detail::basic_file<Executor, POSIX_FADV_RANDOM> {
    using base = detail::basic_file<Executor, POSIX_FADV_RANDOM>;
    using default_token = typename net::default_completion_token<Executor>::type;
    using signature = void(error_code, std::size_t);

public:
    template <class Other>
    struct rebind_executor {
        using other = basic_random_access_file<Other>;
    };

    using base::base;

    // ---- blocking ----

    template <class Buffers>
    std::size_t read_some_at(std::uint64_t at, const Buffers& buffers) {
        error_code error;
        const std::size_t count = read_some_at(at, buffers, error);
        net::detail::throw_error(error, "read_some_at");
        return count;
    }
    template <class Buffers>
    std::size_t read_some_at(std::uint64_t at, const Buffers& buffers, error_code& error) {
        const std::size_t count = transfer<net::mutable_buffer>(::preadv, at, buffers, error);
        using adapter = net::detail::buffer_sequence_adapter<net::mutable_buffer, Buffers>;
        if (count == 0 && !error && !adapter::all_empty(buffers)) error = net::error::eof;
        return count;
    }
    template <class Buffers>
    std::size_t write_some_at(std::uint64_t at, const Buffers& buffers) {
        error_code error;
        const std::size_t count = write_some_at(at, buffers, error);
        net::detail::throw_error(error, "write_some_at");
        return count;
    }
    template <class Buffers>
    std::size_t write_some_at(std::uint64_t at, const Buffers& buffers, error_code& error) {
        return transfer<net::const_buffer>(::pwritev, at, buffers, error);
    }

    // ---- asynchronous: void(error_code, std::size_t) ----

    template <class Buffers, class Token = default_token>
    auto
    async_read_some_at(std::uint64_t at, const Buffers& buffers, Token&& token = default_token()) {
        return net::async_initiate<Token, signature>(initiate_read{this}, token, at, buffers);
    }
    template <class Buffers, class Token = default_token>
    auto
    async_write_some_at(std::uint64_t at, const Buffers& buffers, Token&& token = default_token()) {
        return net::async_initiate<Token, signature>(initiate_write{this}, token, at, buffers);
    }

private:
    class initiation {
    public:
        using executor_type = Executor;
        explicit initiation(basic_random_access_file* file) noexcept : file_(file) {}
        [[nodiscard]] executor_type get_executor() const noexcept { return file_->get_executor(); }

    protected:
        /// None that a file has is told as such; never the one that means the file's own.
        [[nodiscard]] static std::uint64_t position(std::uint64_t at) noexcept {
            return std::min(at, detail::own_position - 1);
        }
        basic_random_access_file* file_;
    };
    struct initiate_read : initiation {
        using initiation::initiation;
        template <class Handler, class Buffers>
        void operator()(Handler&& handler, std::uint64_t at, const Buffers& buffers) const {
            std::decay_t<Handler> kept(std::forward<Handler>(handler));
            auto& object = this->file_->impl_;
            object.get_service().async_read_some_at(
                object.get_implementation(), this->position(at), buffers, kept,
                object.get_executor()
            );
        }
    };
    struct initiate_write : initiation {
        using initiation::initiation;
        template <class Handler, class Buffers>
        void operator()(Handler&& handler, std::uint64_t at, const Buffers& buffers) const {
            std::decay_t<Handler> kept(std::forward<Handler>(handler));
            auto& object = this->file_->impl_;
            object.get_service().async_write_some_at(
                object.get_implementation(), this->position(at), buffers, kept,
                object.get_executor()
            );
        }
    };

    template <class Buffer, class Call, class Buffers>
    std::size_t transfer(Call call, std::uint64_t at, const Buffers& buffers, error_code& error) {
        net::detail::buffer_sequence_adapter<Buffer, Buffers> all(buffers);
        ssize_t count = 0;
        do {
            count = call(
                this->descriptor(), all.buffers(), static_cast<int>(all.count()),
                static_cast<off_t>(at)
            );
        } while (count < 0 && errno == EINTR);
        this->tell(count, error);
        return error ? 0 : static_cast<std::size_t>(count);
    }
};

using random_access_file = basic_random_access_file<executor>;

} // namespace coronet::asiox
