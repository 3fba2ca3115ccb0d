// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/net/basic_socket.hpp>
#include <coronet/scheduler.hpp>

namespace coronet {

namespace detail {

/// Waits until nothing is in flight on a socket. A stop does not shorten it: what it waits for has
/// been cancelled.
class quiescence final : public pending_work {
public:
    explicit quiescence(basic_socket& on) noexcept : socket_(on) {}

    [[nodiscard]] bool await_ready() const noexcept { return socket_.in_flight_count_ == 0; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        waiter_.suspend_regardless(frame, *this);
        CORONET_ASSERT(socket_.closing_ == nullptr); // closed twice at once
        socket_.closing_ = this;
    }
    void await_resume() const noexcept {}

    void reached() noexcept { waiter_.where().ready(*this); }
    void cancel() noexcept override {}
    [[nodiscard]] std::string_view name() const noexcept override { return "close"; }

private:
    void run() noexcept override { waiter_.resume(); }

    basic_socket& socket_;
    waiter waiter_;
};

} // namespace detail

basic_socket::basic_socket(basic_socket&& other) noexcept : fd_(std::move(other.fd_)) {
    CORONET_ASSERT(other.in_flight_count_ == 0); // moved under an operation
}

basic_socket& basic_socket::operator=(basic_socket&& other) noexcept {
    CORONET_ASSERT(in_flight_count_ == 0 && other.in_flight_count_ == 0);
    fd_ = std::move(other.fd_);
    return *this;
}

basic_socket::~basic_socket() {
    CORONET_ASSERT(in_flight_count_ == 0);
} // co_await close() before

unique_fd basic_socket::release() noexcept {
    CORONET_ASSERT(in_flight_count_ == 0);
    return std::move(fd_);
}

void basic_socket::cancel() noexcept {
    if (in_flight_count_ > 0) owner_->cancel_operations_on(native_handle());
}

task<result<void>> basic_socket::close() {
    if (!is_open()) co_return result<void>{};
    cancel();
    detail::quiescence all_ended{*this};
    co_await all_ended;
    async::close closing{std::move(fd_)};
    co_return co_await closing;
}

void basic_socket::tell_closing() noexcept {
    std::exchange(closing_, nullptr)->reached();
}

} // namespace coronet
