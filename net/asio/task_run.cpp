// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/asio/detail/task_run.hpp>

#include <utility>

namespace coronet::asiox::detail {

void run_stop::ask() noexcept {
    if (done_.exchange(true, std::memory_order_acq_rel)) return;
    itself_ = shared_from_this();
    if (!ring_.post_internal(*this)) itself_.reset();
}

void run_stop::run() noexcept {
    const auto until_the_end_of_this = std::move(itself_);
    if (asked_) asked_->cancel();
}

void run_stop::detach() noexcept {
    asked_ = nullptr;
    done_.store(true, std::memory_order_release);
}

const std::shared_ptr<run_stop>& task_run::stop_handle() {
    if (!stop_) stop_ = std::make_shared<run_stop>(home(), *this);
    return stop_;
}

void task_run::ended() noexcept {
    if (stop_) stop_->detach();
    over();
}

} // namespace coronet::asiox::detail
