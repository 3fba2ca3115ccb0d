// SPDX-License-Identifier: BSL-1.0
#include "port.hpp"

#include "../log.hpp"
#include "../submission_thread.hpp"

#include <coronet/sq_group.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

namespace coronet {

namespace {

timespec time_until(time_point deadline) noexcept {
    using namespace std::chrono;
    deadline = std::max(deadline, time_point{}); // what is left until then can be told
    const auto left = std::max(deadline - clock::now(), duration::zero());
    const auto whole = duration_cast<seconds>(left);
    return {whole.count(), duration_cast<nanoseconds>(left - whole).count()};
}

/// That the kernel took the request says nothing: it is the same thread, or it is not.
attached_port compared(std::shared_ptr<port> member, const ring& anchor) {
    const bool same = share_submission_thread(member->target.fd(), anchor.fd());
    if (!same) log::warn("sqpoll: the kernel does not share the submission thread of the group");
    return {std::move(member), same};
}

attached_port attach(const scheduler_options& options, sq_group& group) {
    auto anchor = group.anchor();
    try {
        return compared(std::make_shared<port>(options, anchor.get()), *anchor);
    } catch (const std::system_error& refused) {
        if (refused.code() != std::errc::no_such_device_or_address) throw;
    }
    anchor = group.anchor_instead_of(anchor); // its thread has died
    return compared(std::make_shared<port>(options, anchor.get()), *anchor);
}

} // namespace

port::port(const scheduler_options& options, const ring* share_thread_with)
    : target(options, share_thread_with), event(::eventfd(0, EFD_CLOEXEC)) {
    if (!event) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void port::signal() const noexcept {
    const int before = errno; // a signal handler must leave it alone
    const std::uint64_t one = 1;
    // It fails only when the counter is full: then the wake-up is already there.
    [[maybe_unused]] const auto written = ::write(event.get(), &one, sizeof one);
    errno = before;
}

void port::wait_for_signal(time_point deadline) const noexcept {
    pollfd source{event.get(), POLLIN, 0};
    timespec left{};
    if (deadline != time_point::max()) left = time_until(deadline);
    if (::ppoll(&source, 1, deadline != time_point::max() ? &left : nullptr, nullptr) <= 0) return;
    std::uint64_t count = 0;
    const iovec here{&count, sizeof count};
    // Does not wait: a read that is still armed in the ring may have been quicker.
    static_cast<void>(::preadv2(event.get(), &here, 1, -1, RWF_NOWAIT));
}

attached_port make_port(const scheduler_options& options) {
    if (options.sqpoll && options.sqpoll->group) return attach(options, *options.sqpoll->group);
    return {std::make_shared<port>(options, nullptr)};
}

} // namespace coronet
