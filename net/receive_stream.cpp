// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/receive_stream.hpp>
#include <coronet/scheduler.hpp>

#include <cerrno>

namespace coronet::detail {

void receive_ender::cancel() noexcept {
    static_cast<socket_receive&>(*this).request_end();
}

void receive_next::cancel() noexcept {
    if (source_->waiting() != this) return; // it is about to resume
    source_->stop_waiting();
    put(-ECANCELED);
    go_on(waiter_.where());
}

} // namespace coronet::detail
