// SPDX-License-Identifier: BSL-1.0
//
// The driver that lets the kernel execute operations. Wake-ups reach it as completions: a message
// from another ring (MSG_RING), from a thread without one (REGISTER_SEND_MSG_RING), or, where the
// kernel knows neither, through an eventfd whose read is always armed.
#include "../dispatcher.hpp"
#include "../driver.hpp"
#include "missing_opcodes.hpp"
#include "port.hpp"

#include <coronet/detail/assert.hpp>
#include <coronet/options.hpp>
#include <coronet/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace coronet {

namespace {

// user_data of the driver's own entries; 0 is the answer to a cancel request.
enum own_id : std::uint64_t {
    answer_id = 0,
    wake_id = 1,         // the armed read of the eventfd
    message_id = 2,      // a message that another ring or thread sent here
    sent_message_id = 3, // the answer to one that we sent; its number is in the bits above
    replaced_id = 4      // an entry that somebody else has executed
};
constexpr unsigned sent_number_shift = 48;
constexpr std::size_t usual_target_count = 64;

class uring_driver final : public driver {
public:
    uring_driver(const scheduler_options& options, attached_port made)
        : options_(options),
          port_(std::move(made.own)),
          shares_thread_(made.shares_thread),
          missing_(own()) {
        entries_ = own().entries();
        mask_ = own().entry_count() - 1;
        reserve_ = std::max(1U, own().entry_count() / 16);
        tail_ = own().consumed();
        end_ = tail_ + own().entry_count() - reserve_;
        owed_to_.reserve(usual_target_count);
    }

    void enable() override {
        own().enable(options_);
        if (!options_.movable_owner) owner_.take();
        enabled_ = true;
        arm_wake();
    }

    void submit_and_wait(time_point deadline) noexcept override {
        if (dead_) {
            port_->wait_for_signal(deadline);
            return;
        }
        if (!wake_armed_) arm_wake(); // before each sleep: the last wake-up has used it up
        take_over_missing();
        enter(missing_.has_completions() ? time_point::min() : deadline);
    }
    [[nodiscard]] bool wants_enter() const noexcept override {
        return !dead_ &&
               (tail_ != own().consumed() || own().wants_enter() || missing_.has_completions());
    }

    [[nodiscard]] bool submit_all() noexcept override {
        if (dead_) return true; // nothing of it will ever be executed
        take_over_missing();
        owed_to_.clear();
        // A submission thread takes it by itself, in a moment; another kernel may be busy.
        for (int tries = 0; tries < 10'000 && !is_deaf() && own().consumed() != tail_; ++tries) {
            if (tries > 0) std::this_thread::yield();
            if (own().submit(tail_) == ring::outcome::thread_dead) become_deaf();
        }
        update_end();
        return is_deaf() || own().consumed() == tail_;
    }

    void reap(dispatcher& sink) noexcept override {
        if (dead_) return;
        own().for_each_completion([&](const io_uring_cqe& cqe) {
            if ((cqe.user_data & dispatcher::address_mask) < dispatcher::first_operation_id)
                handle_own(cqe, sink);
            else
                sink.deliver(cqe.user_data, cqe.res, cqe.flags);
        });
        if (missing_.has_completions()) missing_.deliver(sink);
        dead_ = is_deaf(); // a dying thread answers all it has
    }
    [[nodiscard]] bool dead() const noexcept override { return dead_; }

    /// Not the ring's own: that is not readable while completions wait for their task to enter the
    /// kernel (DEFER_TASKRUN).
    int wait_descriptor() noexcept override {
        if (outside_) return outside_.get();
        unique_fd made{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        if (!made) return -errno;
        if (const int refused = own().signal_completions(made.get()); refused < 0) return refused;
        outside_ = std::move(made);
        return outside_.get();
    }
    time_point wait_outside(time_point deadline) noexcept override {
        if (!wake_armed_ && !is_deaf()) arm_wake();
        take_over_missing();
        if (tail_ != own().consumed()) enter(time_point::min());
        std::uint64_t count = 0; // looked at afterwards: what comes now is told anew
        [[maybe_unused]] const auto taken = ::read(outside_.get(), &count, sizeof count);
        if (own().has_completions() || own().wants_enter() || missing_.has_completions())
            return time_point::min();
        return has_left() ? deadline : std::min(deadline, now() + std::chrono::milliseconds{1});
    }

    bool wake(driver* from) noexcept override {
        auto* sender = static_cast<uring_driver*>(from); // no other kind carries wake-ups
        const bool listens = !is_deaf();
        if (listens && sender && sender->owes_message(*port_)) return false;
        if (listens && sender && sender->send_message(port_)) return true;
        if (!listens || !own().post_from_anywhere(message_id)) port_->signal();
        return true;
    }

    /// Not at its end: then it closes descriptors, and who waits for that is woken.
    [[nodiscard]] bool carries_wakes() const noexcept override {
        return port_ && own().can_message();
    }

    void send_wakes() noexcept override {
        if (!owes_wakes_) return;
        enter(time_point::min());
        // The kernel would not take it now. Whom an earlier message has woken is woken once more.
        if (owes_wakes_) sent_.for_each_unanswered([](const port& to) { to.signal(); });
        owes_wakes_ = false;
    }

    void close() noexcept override {
        closing_ = true;
        while (!is_deaf() && (wake_armed_ || !sent_.all_answered())) {
            io_uring_sqe* sqe = cancel_slot();
            if (sqe && wake_armed_) {
                io_uring_prep_cancel64(sqe, wake_id, 0);
                sqe->user_data = answer_id;
            } else if (sqe) {
                io_uring_prep_nop(sqe);
                sqe->user_data = answer_id;
            }
            enter(time_point::max());
            own().for_each_completion([this](const io_uring_cqe& cqe) { handle_closing(cqe); });
        }
        sent_.take_all_unanswered([](const port& to) { to.signal(); });
        own().disown();
        outside_.reset();
        port_.reset();
    }

    [[nodiscard]] time_point coarse_now() const noexcept override {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
        return time_point{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
    }
    [[nodiscard]] int socket_flags() const noexcept override { return SOCK_CLOEXEC; }
    [[nodiscard]] std::string description() const override {
        return "io_uring, a " + own().description();
    }
    [[nodiscard]] std::string losses() const override { return own().losses(); }
    [[nodiscard]] bool shares_submission_thread() const noexcept override { return shares_thread_; }

    int offer_buffers(io_uring_buf_ring& from, unsigned entries, unsigned flags) noexcept override {
        return own().register_buffers(from, entries, flags);
    }
    void take_buffers_back() noexcept override { own().unregister_buffers(); }

    result<kernel_worker_limits> kernel_workers(kernel_worker_limits wanted) noexcept override {
        return own().kernel_workers(wanted);
    }
    result<void> kernel_worker_affinity(const cpu_set_t* cpus) noexcept override {
        return own().kernel_worker_affinity(cpus);
    }
    [[nodiscard]] bool lacks_kernel_workers() const noexcept override {
        return own().lacks_kernel_workers();
    }
    [[nodiscard]] std::uint64_t enters() const noexcept override {
        return port_ ? own().enters() : 0;
    }

private:
    /// Messages whose answer has not come, by number.
    class sent_messages {
    public:
        sent_messages() { ports_.reserve(usual_count); }
        /// Whether one more can be added: there is memory for it.
        [[nodiscard]] bool has_room() noexcept {
            if (ports_.size() < ports_.capacity()) return true;
            try {
                ports_.reserve(2 * ports_.size());
                return true;
            } catch (const std::bad_alloc&) {
                return false;
            }
        }
        std::size_t add(std::shared_ptr<port> to) noexcept {
            const auto free = std::ranges::find(ports_, nullptr);
            const auto number = static_cast<std::size_t>(free - ports_.begin());
            if (free == ports_.end()) ports_.emplace_back();
            ports_[number] = std::move(to);
            return number;
        }
        std::shared_ptr<port> take(std::size_t number) noexcept {
            return std::exchange(ports_[number], nullptr);
        }
        template <class Visitor>
        void for_each_unanswered(Visitor visit) const noexcept {
            for (const auto& each : ports_)
                if (each) visit(*each);
        }
        template <class Visitor>
        void take_all_unanswered(Visitor visit) noexcept {
            for_each_unanswered(visit);
            std::ranges::fill(ports_, nullptr);
        }
        [[nodiscard]] bool all_answered() const noexcept {
            return std::ranges::all_of(ports_, [](const auto& p) { return p == nullptr; });
        }

    private:
        static constexpr std::size_t usual_count = 64;
        std::vector<std::shared_ptr<port>> ports_;
    };

    [[nodiscard]] ring& own() const noexcept { return port_->target; }

    void take_over_missing() noexcept {
        if (missing_.any()) [[unlikely]]
            missing_.take_over(own(), tail_, replaced_id, *loop_);
    }

    void enter(time_point deadline) noexcept {
        owed_to_.clear();
        if (!is_deaf()) {
            if (own().enter(tail_, deadline) == ring::outcome::thread_dead) become_deaf();
            update_end();
        }
        owes_wakes_ = owes_wakes_ && !has_left();
    }
    /// What was filled: a submission thread takes it by itself, another kernel may be busy.
    [[nodiscard]] bool has_left() const noexcept {
        return is_deaf() || own().has_submission_thread() || own().consumed() == tail_;
    }
    [[nodiscard]] bool is_deaf() const noexcept {
        return port_->deaf.load(std::memory_order_relaxed);
    }
    /// The kernel takes nothing from this ring any more: neither entries nor a wait. From here on
    /// wake-ups come by the eventfd alone. Whoever sets `notified` and then finds us asleep has
    /// seen this store: both are ordered by the control word.
    void become_deaf() noexcept {
        port_->deaf.store(true, std::memory_order_relaxed);
        sent_.take_all_unanswered([](const port& to) { to.signal(); });
    }
    void update_end() noexcept { end_ = own().consumed() + own().entry_count() - reserve_; }

    void make_room() noexcept override {
        if (!enabled_) return; // the first turn submits
        update_end();          // a submission thread has taken some by itself, perhaps
        if (static_cast<int>(end_ - tail_) > 0) return;
        owed_to_.clear(); // they leave now
        take_over_missing();
        // Busy: the loop reaps, then tries again.
        if (!is_deaf() && own().submit(tail_) == ring::outcome::thread_dead) become_deaf();
        update_end();
    }

    void arm_wake() noexcept {
        io_uring_sqe* sqe = cancel_slot();
        wake_armed_ = sqe != nullptr;
        if (!sqe) return;
        io_uring_prep_read(
            sqe, port_->event.get(), &port_->event_count, sizeof port_->event_count, 0
        );
        sqe->user_data = wake_id;
    }

    void handle_own(const io_uring_cqe& cqe, dispatcher& sink) noexcept {
        switch (cqe.user_data & dispatcher::address_mask) {
        case answer_id:
            sink.cancel_answered(cqe.res);
            break;
        case wake_id:
            wake_armed_ = false;
            break;
        case sent_message_id:
            answered(cqe);
            break;
        default:
            break; // a message: that it came is all it says
        }
    }

    void handle_closing(const io_uring_cqe& cqe) noexcept {
        if (cqe.user_data == wake_id) wake_armed_ = false;
        if ((cqe.user_data & dispatcher::address_mask) == sent_message_id) answered(cqe);
    }

    /// One wake-up a turn and target.
    [[nodiscard]] bool owes_message(const port& to) const noexcept {
        return std::ranges::find(owed_to_, &to) != owed_to_.end();
    }
    bool send_message(const std::shared_ptr<port>& to) noexcept {
        if (closing_) return false;
        if (!sent_.has_room()) return false; // the eventfd needs none
        io_uring_sqe* sqe = slot();
        if (!sqe || is_deaf()) return false; // a dead ring would keep it
        owes_wakes_ = true;
        if (owed_to_.size() < owed_to_.capacity()) owed_to_.push_back(to.get());
        const std::size_t number = sent_.add(to);
        io_uring_prep_msg_ring(sqe, to->target.fd(), 0, message_id, 0);
        sqe->user_data = std::uint64_t{number} << sent_number_shift | sent_message_id;
        return true;
    }
    void answered(const io_uring_cqe& cqe) noexcept {
        const auto to = sent_.take(cqe.user_data >> sent_number_shift);
        if (to && cqe.res < 0) to->signal();
    }

    const scheduler_options options_;
    std::shared_ptr<port> port_;
    const bool shares_thread_;
    missing_opcodes missing_;
    unique_fd outside_; // an eventfd: somebody else waits
    sent_messages sent_;
    bool enabled_ = false;
    bool wake_armed_ = false;
    bool owes_wakes_ = false;
    std::vector<const port*> owed_to_; // a message that has not left; of the first of them only
    bool closing_ = false;
    bool dead_ = false; // deaf, and reaped for the last time
};

} // namespace

std::unique_ptr<driver> make_uring_driver(const scheduler_options& options) {
    return std::make_unique<uring_driver>(options, make_port(options));
}

} // namespace coronet
