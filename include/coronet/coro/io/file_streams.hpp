// SPDX-License-Identifier: BSL-1.0
//
// A file read from front to back, or written at its end: for what takes a stream. One await at a
// time on each. Owner thread.
#pragma once

#include <coronet/coro/io/file.hpp>
#include <coronet/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace coronet {

namespace detail {

inline std::size_t bytes_of(const result<std::size_t>& read) noexcept {
    return read ? *read : 0;
}
inline std::size_t bytes_of(const transfer& read) noexcept {
    return read.bytes;
}

/// A read that moves its reader on by what it read.
template <class Reading>
class [[nodiscard]] sequential : public descriptor_operation<Reading> {
public:
    sequential(file& from, std::span<std::byte> buffer, std::uint64_t& position) noexcept
        : descriptor_operation<Reading>(from, buffer, position), position_(position) {}
    auto await_resume() const noexcept {
        const auto done = descriptor_operation<Reading>::await_resume();
        position_ += bytes_of(done);
        return done;
    }

private:
    std::uint64_t& position_;
};

} // namespace detail

/// Reads a file from front to back. Its position is its own: a file has as many readers as you
/// like.
///
/// Lifetime: the file outlives it; it stays where it is while an await is in flight.
class file_reader {
public:
    explicit file_reader(file& from, std::uint64_t position = 0) noexcept
        : from_(&from), position_(position) {}

    /// As file::read_at(), at the position, which moves on.
    [[nodiscard]] auto read_some(std::span<std::byte> buffer) noexcept {
        return detail::sequential<async::read>{*from_, buffer, position_};
    }
    /// As file::read_exactly_at(). After an error the position is behind what was read.
    [[nodiscard]] auto read_exactly(std::span<std::byte> buffer) noexcept {
        return detail::sequential<detail::read_whole>{*from_, buffer, position_};
    }

    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    void seek(std::uint64_t position) noexcept { position_ = position; }

private:
    file* from_;
    std::uint64_t position_;
};

/// Writes at the end of a file, wherever others have moved it to.
///
/// Lifetime: the file outlives it.
class file_appender {
public:
    explicit file_appender(file& to) noexcept : to_(&to) {}

    /// As file::append().
    [[nodiscard]] auto write_some(std::span<const std::byte> buffer) noexcept {
        return to_->append(buffer);
    }
    /// As file::append_all().
    [[nodiscard]] auto write_all(std::span<const std::byte> buffer) noexcept {
        return to_->append_all(buffer);
    }

private:
    file* to_;
};

} // namespace coronet
