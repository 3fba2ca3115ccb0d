// SPDX-License-Identifier: BSL-1.0
#include "ring.hpp"

#include <coronet/sq_group.hpp>

namespace coronet {

namespace {

std::shared_ptr<ring> make_anchor(const sq_group_options& wanted) {
    scheduler_options options;
    options.queue_depth = 2;
    sqpoll_options& own_thread = options.sqpoll.emplace();
    own_thread.idle = wanted.idle;
    own_thread.cpu = wanted.cpu;
    return std::make_shared<ring>(options, nullptr); // never enabled: it executes nothing
}

} // namespace

sq_group::sq_group(const sq_group_options& options)
    : options_(options), anchor_(make_anchor(options)) {}

sq_group::~sq_group() = default;

std::shared_ptr<ring> sq_group::anchor() const {
    const std::scoped_lock lock{mutex_};
    return anchor_;
}

std::shared_ptr<ring> sq_group::anchor_instead_of(const std::shared_ptr<ring>& dead) {
    const std::scoped_lock lock{mutex_};
    if (anchor_ == dead) anchor_ = make_anchor(options_);
    return anchor_;
}

} // namespace coronet
