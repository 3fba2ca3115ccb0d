// SPDX-License-Identifier: BSL-1.0
//
// A file that is read and written from its beginning to its end, on the ring: the members of
// asio::basic_stream_file, without Asio's own io_uring (no ASIO_HAS_IO_URING is needed). Fits
// asio::async_read, async_write and what is made of them.
//
//     coronet::asiox::stream_file file{context, "log", coronet::asiox::stream_file::read_only};
//
// Its reads and writes are at the file's position and move it: one at a time.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/basic_file.hpp>
#include <coronet/net/asio/executor.hpp>

#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

namespace coronet::asiox {

template <class Executor>
class basic_stream_file : public detail::basic_file<Executor, POSIX_FADV_SEQUENTIAL> {
    using base = detail::basic_file<Executor, POSIX_FADV_SEQUENTIAL>;

public:
    template <class Other>
    struct rebind_executor {
        using other = basic_stream_file<Other>;
    };

    using base::base;

    using base::async_read_some;
    using base::async_write_some;
    using base::read_some;
    using base::write_some;

    std::uint64_t seek(std::int64_t offset, file_base::seek_basis from) {
        error_code error;
        const std::uint64_t position = seek(offset, from, error);
        net::detail::throw_error(error, "seek");
        return position;
    }
    std::uint64_t seek(std::int64_t offset, file_base::seek_basis from, error_code& error) {
        const off_t position = ::lseek(this->descriptor(), offset, static_cast<int>(from));
        this->tell(position, error);
        return error ? 0 : static_cast<std::uint64_t>(position);
    }
};

using stream_file = basic_stream_file<executor>;

} // namespace coronet::asiox
