// SPDX-License-Identifier: BSL-1.0
//
// A task that runs on a scheduler for somebody outside of it, who may ask it to end. It knows no
// Asio.
//
//   made    by any thread
//   begun   in a turn of the scheduler
//   over    the last thing that happens there
#pragma once

#include <coronet/coro/run.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <memory>

namespace coronet::asiox::detail {

class task_run;

/// Asks a task to end, from any thread, also when it is over. The request is carried out in a turn
/// of the scheduler; one that comes too late for that is dropped there.
class run_stop final : public work, public std::enable_shared_from_this<run_stop> {
public:
    run_stop(scheduler& ring, task_run& asked) noexcept : ring_(ring), asked_(&asked) {}

    void ask() noexcept;

private:
    friend class task_run;
    void run() noexcept override;
    /// Owner. The task is over.
    void detach() noexcept;

    scheduler& ring_;
    std::atomic<bool> done_{false};    // it was asked, or is over
    std::shared_ptr<run_stop> itself_; // until the request has arrived
    task_run* asked_;                  // the owner's
};

class task_run : public coronet::detail::root {
public:
    /// What stops it. Before it is begun; throws std::bad_alloc.
    [[nodiscard]] const std::shared_ptr<run_stop>& stop_handle();

protected:
    explicit task_run(scheduler& ring) noexcept { open_root(ring); }
    ~task_run() = default;

    /// This may be gone afterwards.
    virtual void over() noexcept = 0;

private:
    void ended() noexcept final;

    std::shared_ptr<run_stop> stop_;
};

} // namespace coronet::asiox::detail
