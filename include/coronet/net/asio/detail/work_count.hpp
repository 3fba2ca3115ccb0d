// SPDX-License-Identifier: BSL-1.0
//
// What a context counts as its work, counted by hand.
#pragma once

#include <coronet/net/asio/config.hpp>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#else
#include <asio/detail/scheduler.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#endif

namespace coronet::asiox::detail {

#if !defined(ASIO_NO_TS_EXECUTORS) && !defined(BOOST_ASIO_NO_TS_EXECUTORS)
using work_count = net::io_context::executor_type;
#else
/// Asio says no more in public what its executors have told.
class work_count {
public:
    explicit work_count(const net::io_context::executor_type& of)
        : loop_(net::use_service<net::detail::scheduler>(net::query(of, net::execution::context))) {
    }
    void on_work_started() const noexcept { loop_.work_started(); }
    void on_work_finished() const noexcept { loop_.work_finished(); }

private:
    net::detail::scheduler& loop_;
};
#endif

} // namespace coronet::asiox::detail
