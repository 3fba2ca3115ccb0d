// SPDX-License-Identifier: BSL-1.0
//
// Who is behind whom, among items that must run one after the other: a ring for each key, in the
// order of submission, which begins with the one that may run. Rings are found by exact key; the
// table of their first ones has buckets, which nobody notices but the search. Nothing is allocated.
// Every use under one lock, the account's.
#pragma once

#include <coronet/pool_item.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace coronet::detail {

class serial_order {
public:
    /// `added` comes last among those of `key`. True if it is the only one, and so may run.
    [[nodiscard]] bool enter(serial_link& added, std::uint64_t key) noexcept;
    /// `left` has run, or will not. Result: who may run now that could not before, or null.
    [[nodiscard]] serial_link* leave(serial_link& left) noexcept;

private:
    static constexpr std::size_t bucket_count = 64;

    /// Where the first of `key` is linked, or would be.
    [[nodiscard]] serial_link** place_of(std::uint64_t key) noexcept;

    std::array<serial_link*, bucket_count> buckets_{};
};

} // namespace coronet::detail
