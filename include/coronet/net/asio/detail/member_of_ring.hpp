// SPDX-License-Identifier: BSL-1.0
//
// What lives on a ring and is told what becomes of that. Owner thread.
#pragma once

#include <coronet/detail/intrusive_list.hpp>

namespace coronet::asiox::detail {

/// What has operations that wait for something else than the ring.
class member_of_ring : public coronet::detail::list_hook<member_of_ring> {
public:
    /// They are told that they were cancelled. More than once.
    virtual void ring_ends() noexcept = 0;
    /// In a forked child, which has a ring of its own now: they go on there.
    virtual void ring_is_parents() noexcept {}

protected:
    member_of_ring() noexcept = default;
    ~member_of_ring() = default;
};

} // namespace coronet::asiox::detail
