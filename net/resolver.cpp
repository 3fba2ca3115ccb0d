// SPDX-License-Identifier: BSL-1.0
#include "lookup.hpp"

#include <coronet/coro/worker_pool.hpp>
#include <coronet/net/resolver.hpp>
#include <coronet/scheduler.hpp>

#include <algorithm>
#include <utility>

#include <netdb.h>

namespace coronet {

resolver::resolver(const resolver_options& options)
    : limit_(std::make_shared<detail::lookup_limit>(std::max<std::size_t>(options.at_once_max, 1))
      ) {}

resolver::~resolver() = default;

std::size_t resolver::left_behind_count() const noexcept {
    return limit_->left_behind.load();
}

task<result<std::vector<endpoint>>>
resolver::resolve(std::string host, std::uint16_t port, address_family family) {
    detail::question asked{std::move(host), port, family};
    auto numeric = detail::look_up(asked, AI_NUMERICHOST);
    if (numeric) co_return numeric;

    const auto limit = limit_;
    auto what = std::make_shared<detail::lookup>(limit, std::move(asked));
    const auto place = co_await limit->places.acquire();
    if (!place) co_return place.error();
    what->give_place();
    worker_pool& pool = scheduler::current()->pool();
    co_return co_await pool.run(detail::lookup::await, std::move(what));
}

} // namespace coronet
