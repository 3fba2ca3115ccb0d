// SPDX-License-Identifier: BSL-1.0
//
// How an operation of Asio's ends.
#pragma once

#include <coronet/net/asio/config.hpp>

#include <memory>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/detail/fenced_block.hpp>
#else
#include <asio/detail/fenced_block.hpp>
#endif

namespace coronet::asiox::detail {

namespace asio_detail = net::detail;

/// Gives the memory of `op` back, then calls its handler; or just drops that. `bind()` gives the
/// handler with its arguments, which from there on are nowhere else.
template <class Operation, class Handler, class Work, class Bind>
void call_handler(Operation* op, Handler& handler, Work& kept, bool is_called, const Bind& bind) {
    typename Operation::ptr memory = {std::addressof(handler), op, op};
    Work work(std::move(kept));
    auto bound = bind();
    memory.h = std::addressof(bound.handler_);
    memory.reset();
    if (!is_called) return;
    const asio_detail::fenced_block fence(asio_detail::fenced_block::half);
    work.complete(bound, bound.handler_);
}

} // namespace coronet::asiox::detail
