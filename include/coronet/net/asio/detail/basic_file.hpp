// SPDX-License-Identifier: BSL-1.0
//
// What stream_file and random_access_file have in common: the members of asio::basic_file. Asio has
// that class only where its own io_uring is compiled in, which this library does without; below it
// is Coronet's service of descriptors.
#pragma once

#include <coronet/net/asio/config.hpp>
#include <coronet/net/asio/detail/native_descriptors.hpp>
#include <coronet/net/asio/executor.hpp>
#include <coronet/unique_fd.hpp>

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/descriptor_ops.hpp>
#include <boost/asio/detail/throw_error.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#else
#include <asio/detail/descriptor_ops.hpp>
#include <asio/detail/throw_error.hpp>
#include <asio/execution_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#endif

#if defined(ASIO_HAS_FILE)
#include <asio/file_base.hpp>
#elif defined(BOOST_ASIO_HAS_FILE)
#include <boost/asio/file_base.hpp>
#endif

namespace coronet::asiox {

#if defined(ASIO_HAS_FILE) || defined(BOOST_ASIO_HAS_FILE)
using file_base = net::file_base;
#else
/// As asio::file_base.
class file_base {
public:
    enum flags {
        read_only = O_RDONLY,
        write_only = O_WRONLY,
        read_write = O_RDWR,
        append = O_APPEND,
        create = O_CREAT,
        exclusive = O_EXCL,
        truncate = O_TRUNC,
        sync_all_on_write = O_SYNC
    };
    enum seek_basis { seek_set = SEEK_SET, seek_cur = SEEK_CUR, seek_end = SEEK_END };

    friend flags operator&(flags a, flags b) noexcept { return of(bits(a) & bits(b)); }
    friend flags operator|(flags a, flags b) noexcept { return of(bits(a) | bits(b)); }
    friend flags operator^(flags a, flags b) noexcept { return of(bits(a) ^ bits(b)); }
    friend flags operator~(flags a) noexcept { return of(~bits(a)); }
    friend flags& operator&=(flags& a, flags b) noexcept { return a = a & b; }
    friend flags& operator|=(flags& a, flags b) noexcept { return a = a | b; }
    friend flags& operator^=(flags& a, flags b) noexcept { return a = a ^ b; }

protected:
    ~file_base() = default;

private:
    [[nodiscard]] static unsigned bits(flags a) noexcept { return static_cast<unsigned>(a); }
    [[nodiscard]] static flags of(unsigned bits) noexcept { return static_cast<flags>(bits); }
};
#endif

namespace detail {

/// `Advice` is posix_fadvise(2)'s.
template <class Executor, int Advice>
class basic_file : public file_base, protected net::posix::basic_stream_descriptor<Executor> {
    using base = net::posix::basic_stream_descriptor<Executor>;

public:
    using typename base::executor_type;
    using typename base::native_handle_type;

    explicit basic_file(const Executor& executor) : base(executor) {}
    basic_file(const Executor& executor, const std::string& path, file_base::flags how)
        : base(executor) {
        open(path, how);
    }
    basic_file(const Executor& executor, int native) : base(executor, native) {}
    /// Of a context in place of its executor.
    template <class Context, class... Arguments>
    requires std::convertible_to<Context&, net::execution_context&>
    explicit basic_file(Context& context, const Arguments&... arguments)
        : basic_file(Executor(context.get_executor()), arguments...) {}

    using base::assign;
    using base::cancel;
    using base::close;
    using base::get_executor;
    using base::is_open;
    using base::native_handle;
    using base::release;

    int release(error_code& error) {
        return this->impl_.get_service().release(this->impl_.get_implementation(), error);
    }

    void open(const std::string& path, file_base::flags how) {
        error_code error;
        open(path, how, error);
        asio_detail::throw_error(error, "open");
    }
    void open(const std::string& path, file_base::flags how, error_code& error) {
        error = net::error::already_open;
        if (is_open()) return;
        const int wanted = static_cast<int>(how) | O_CLOEXEC;
        unique_fd made{asio_detail::descriptor_ops::open(path.c_str(), wanted, 0777, error)};
        if (!made) return;
        assign(made.get(), error); // what is not open takes it
        static_cast<void>(::posix_fadvise(made.release(), 0, 0, Advice));
    }

    std::uint64_t size() const {
        error_code error;
        const std::uint64_t told = size(error);
        asio_detail::throw_error(error, "size");
        return told;
    }
    std::uint64_t size(error_code& error) const {
        struct stat facts {};
        tell(::fstat(descriptor(), &facts), error);
        return error ? 0 : static_cast<std::uint64_t>(facts.st_size);
    }
    void resize(std::uint64_t size) {
        error_code error;
        resize(size, error);
        asio_detail::throw_error(error, "resize");
    }
    void resize(std::uint64_t size, error_code& error) {
        tell(::ftruncate(descriptor(), static_cast<off_t>(size)), error);
    }
    void sync_all() {
        error_code error;
        sync_all(error);
        asio_detail::throw_error(error, "sync_all");
    }
    void sync_all(error_code& error) { tell(::fsync(descriptor()), error); }
    void sync_data() {
        error_code error;
        sync_data(error);
        asio_detail::throw_error(error, "sync_data");
    }
    void sync_data(error_code& error) { tell(::fdatasync(descriptor()), error); }

protected:
    ~basic_file() = default;
    basic_file(basic_file&&) = default;
    basic_file& operator=(basic_file&&) = default;

    [[nodiscard]] int descriptor() const noexcept {
        return this->impl_.get_service().native_handle(this->impl_.get_implementation());
    }
    /// Of a call that tells -1 and errno.
    template <class Result>
    static void tell(Result result, error_code& error) noexcept {
        error = result < 0 ? error_code(errno, net::error::get_system_category()) : error_code();
    }
};

} // namespace detail
} // namespace coronet::asiox
