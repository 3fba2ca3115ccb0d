// SPDX-License-Identifier: BSL-1.0
#include <coronet/coro/scope.hpp>

#include <new>

namespace coronet::detail {

/// A child in memory of its own, kept by the frame cache as frames are.
struct scope_children::spawned {
    spawned(scope_children& starter, task<void>&& given) noexcept
        : line(starter), job(std::move(given)) {}

    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* memory) noexcept { free_frame(memory); }

    static spawned& of(branch& line) noexcept {
        return *reinterpret_cast<spawned*>(&line); // its first member
    }

    branch line;
    task<void> job;
    outcome<void> result;
};

void scope_children::spawn(task<void>&& job) {
    require_home();
    auto* started = new spawned(*this, std::move(job));
    ++count_;
    const auto frame = started->job.begin(started->result);
    started->line.start(frame.promise(), frame);
}

void scope_children::on_ended(branch& ended) noexcept {
    spawned* gone = &spawned::of(ended);
    const auto thrown = gone->result.exception();
    delete gone;
    if (!failure_ && fails_with(thrown)) {
        failure_ = thrown;
        owner_.children_failed();
    }
    if (--count_ > 0) return;
    while (scope_join* each = joining_.pop_front())
        home().ready(*each);
}

void scope_children::wait(scope_join& joining) noexcept {
    require_home();
    joining_.push_back(joining);
}

void scope_join::cancel() noexcept {
    if (!linked()) return; // it is about to resume
    unlink();
    cancelled_ = true;
    children_.home().ready(*this);
}

void scope_base::open_scope(promise_base& waiting, std::coroutine_handle<> frame) noexcept {
    children_.open_at(waiting.in_branch().where());
    open(waiting, frame); // which cancels all if a stop came before
    hold();               // until the body has been started
    hold();               // the children
}

scope scope_base::handle() noexcept {
    return scope{children_};
}

void scope_base::on_ended(branch&) noexcept {
    if (body_failed()) cancel();
    children_.body_ended();
}

} // namespace coronet::detail
