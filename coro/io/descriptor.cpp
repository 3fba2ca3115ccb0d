// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/detail/waiter.hpp>
#include <coronet/coro/io/descriptor.hpp>
#include <coronet/scheduler.hpp>

namespace coronet {

namespace detail {

/// Somebody who closes a descriptor, in the queue of those who do: the first waits until nothing is
/// in flight on it, the others until the first has closed it. A stop shortens neither: what they
/// wait for has been cancelled.
class closer final : public pending_work {
public:
    explicit closer(descriptor& closed) noexcept : closed_(closed) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <coronet_promise P>
    void await_suspend(std::coroutine_handle<P> frame) noexcept {
        waiter_.suspend_regardless(frame, *this);
        closer** last = &closed_.closers_;
        while (*last)
            last = &(*last)->next_;
        *last = this;
    }
    void await_resume() const noexcept {}

    /// Takes it off the front of the queue, to go on.
    void go_on() noexcept {
        closed_.closers_ = next_;
        waiter_.where().ready(*this);
    }
    void cancel() noexcept override {}
    [[nodiscard]] std::string_view name() const noexcept override { return "close"; }
    [[nodiscard]] std::source_location place() const noexcept override { return waiter_.place(); }

private:
    void run() noexcept override { waiter_.resume(); }

    descriptor& closed_;
    waiter waiter_;
    closer* next_ = nullptr;
};

// ---- what outlives its descriptor ----

void may_outlive_descriptor::leave(on_descriptor& first, unique_fd fd) noexcept {
    for (on_descriptor* each = &first; each; each = each->next_) {
        CORONET_ASSERT(!each->started_); // co_await close() before
        each->whose_ = nullptr;
    }
    static_cast<may_outlive_descriptor&>(first).inherit(std::move(fd)); // only these are let go
}

void may_outlive_descriptor::inherit(unique_fd fd) noexcept {
    link_ = nullptr;
    inherited_ = std::move(fd);
}

void may_outlive_descriptor::ended() noexcept {
    if (whose_) {
        on_descriptor::ended();
        return;
    }
    if (link_) {
        *link_ = next_;
        if (next_) next_->link_ = link_;
    } else if (next_) {
        static_cast<may_outlive_descriptor*>(next_)->inherit(std::move(inherited_));
    }
}

} // namespace detail

descriptor::descriptor(descriptor&& other) noexcept : fd_(std::move(other.fd_)) {
    CORONET_ASSERT(!other.in_flight_); // moved under an operation
    CORONET_ASSERT(!other.being_closed_);
    ++other.generation_;
}

descriptor& descriptor::operator=(descriptor&& other) noexcept {
    CORONET_ASSERT(!in_flight_ && !other.in_flight_);
    CORONET_ASSERT(!being_closed_ && !other.being_closed_); // close() has not ended
    fd_ = std::move(other.fd_);
    ++generation_;
    ++other.generation_;
    return *this;
}

descriptor::~descriptor() {
    CORONET_ASSERT(!being_closed_);
    if (in_flight_) detail::may_outlive_descriptor::leave(*in_flight_, std::move(fd_));
}

unique_fd descriptor::release() noexcept {
    CORONET_ASSERT(!in_flight_);
    ++generation_;
    return std::move(fd_);
}

void descriptor::cancel() noexcept {
    for (detail::on_descriptor* each = in_flight_; each; each = each->next_on_descriptor())
        each->cancel_on_descriptor(); // nothing ends inside
}

task<result<void>> descriptor::close() {
    detail::closer turn{*this};
    if (being_closed_) {
        co_await turn;
        co_return result<void>{};
    }
    if (!is_open()) co_return result<void>{};
    being_closed_ = true;
    cancel();
    unique_fd fd = std::move(fd_); // nothing more begins on it
    ++generation_;
    if (in_flight_) co_await turn;
    async::close closing{std::move(fd)};
    const auto closed = co_await std::move(closing);
    being_closed_ = false;
    while (closers_)
        closers_->go_on();
    co_return closed;
}

void descriptor::all_ended() noexcept {
    closers_->go_on();
}

} // namespace coronet
