// SPDX-License-Identifier: BSL-1.0
//
// Forces an interleaving: while a script lives, threads that reach the engine's hooks do what it
// says. One script at a time. Only where hooks are compiled in.
//
//     script play;
//     auto& held = play.hold(point::before_sleep, &loop);
//     ... start the thread ...
//     held.wait();     // it is there now
//     loop.post(item); // what must not be lost
//     held.release();
#pragma once

#ifdef CORONET_HOOKS

#include <coronet/detail/assert.hpp>
#include <coronet/detail/hooks.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace coronet::test {

using point = detail::hook_point;

class script {
public:
    script() {
        CORONET_ASSERT(active_ == nullptr);
        active_ = this;
        detail::hook.store(&reached, std::memory_order_release);
    }
    /// Lets everybody go on. No thread reaches a hook any more, or only those that were released.
    ~script() {
        detail::hook.store(nullptr, std::memory_order_release);
        for (auto& each : steps_)
            each.release();
        std::unique_lock lock{mutex_};
        nobody_inside_.wait(lock, [this] { return inside_ == 0; });
        active_ = nullptr;
    }
    script(const script&) = delete;
    script& operator=(const script&) = delete;

    /// One thing that happens at one point.
    class step {
    public:
        /// Returns when a thread has reached the point. Aborts after 10 s.
        void wait() {
            std::unique_lock lock{mutex_};
            if (!changed_.wait_for(lock, std::chrono::seconds{10}, [this] { return reached_; }))
                detail::die("script: nobody came to the point within 10 s");
        }
        [[nodiscard]] bool reached() {
            const std::scoped_lock lock{mutex_};
            return reached_;
        }
        void release() {
            const std::scoped_lock lock{mutex_};
            released_ = true;
            changed_.notify_all();
        }

    private:
        friend class script;
        void play() {
            std::unique_lock lock{mutex_};
            reached_ = true;
            changed_.notify_all();
            if (act_) {
                lock.unlock();
                act_();
            } else {
                changed_.wait(lock, [this] { return released_; });
            }
        }

        point at_{};
        const void* subject_ = nullptr;
        bool taken_ = false; // guarded by the script's mutex
        std::function<void()> act_;
        std::mutex mutex_;
        std::condition_variable changed_;
        bool reached_ = false;
        bool released_ = false;
    };

    /// The next thread that reaches `at` (for `subject`, if given) waits there until release().
    step& hold(point at, const void* subject = nullptr) { return add(at, subject, {}); }
    /// The next one does `act` there. Steps of one point happen in the order in which they were
    /// added.
    step& once(point at, std::function<void()> act, const void* subject = nullptr) {
        return add(at, subject, std::move(act));
    }

private:
    step& add(point at, const void* subject, std::function<void()> act) {
        const std::scoped_lock lock{mutex_};
        step& added = steps_.emplace_back();
        added.at_ = at;
        added.subject_ = subject;
        added.act_ = std::move(act);
        return added;
    }
    static void reached(point at, const void* subject) { active_->play(at, subject); }
    void play(point at, const void* subject) {
        step* next = nullptr;
        {
            const std::scoped_lock lock{mutex_};
            for (auto& each : steps_) {
                if (each.taken_ || each.at_ != at) continue;
                if (each.subject_ && each.subject_ != subject) continue;
                each.taken_ = true;
                next = &each;
                break;
            }
            if (!next) return;
            ++inside_;
        }
        struct leave {
            script& left;
            ~leave() {
                const std::scoped_lock lock{left.mutex_};
                --left.inside_;
                left.nobody_inside_.notify_all();
            }
        } const at_the_end{*this};
        next->play();
    }

    static inline script* active_ = nullptr;
    std::mutex mutex_;
    std::condition_variable nobody_inside_;
    std::deque<step> steps_;
    int inside_ = 0;
};

} // namespace coronet::test

#endif
