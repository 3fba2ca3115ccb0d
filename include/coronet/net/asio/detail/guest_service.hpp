// SPDX-License-Identifier: BSL-1.0
//
// The guests of a context.
#pragma once

#include <coronet/net/asio/config.hpp>

#include <algorithm>
#include <mutex>
#include <vector>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/execution_context.hpp>
#else
#include <asio/execution_context.hpp>
#endif

namespace coronet::asiox::detail {

class guest_loop;

/// Ends the guests of a context before anything that they use there.
class guest_service final : public net::execution_context::service {
public:
    using key_type = guest_service;
    static inline net::execution_context::id id;

    explicit guest_service(net::execution_context& owner)
        : net::execution_context::service(owner) {}
    void add(guest_loop& guest) {
        const std::scoped_lock lock{mutex_};
        guests_.push_back(&guest);
    }
    void remove(guest_loop& guest) noexcept {
        const std::scoped_lock lock{mutex_};
        guests_.erase(std::remove(guests_.begin(), guests_.end(), &guest), guests_.end());
    }

private:
    void shutdown() override;
    void notify_fork(net::execution_context::fork_event event) override;

    std::mutex mutex_;
    std::vector<guest_loop*> guests_;
};

} // namespace coronet::asiox::detail
