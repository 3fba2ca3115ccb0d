// SPDX-License-Identifier: BSL-1.0
#include <coronet/error.hpp>
#include <coronet/operation.hpp>

#include <string>

namespace coronet {

namespace {

// An error of ours that keeps an errno value has it above its own number.
constexpr int reason_shift = 8;
constexpr int own_number(int value) noexcept {
    return value & ((1 << reason_shift) - 1);
}

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coronet"; }

    [[nodiscard]] std::string message(int value) const override {
        const int reason = value >> reason_shift;
        if (reason != 0)
            return message(own_number(value)) + ": " + std::generic_category().message(reason);
        switch (static_cast<errc>(value)) {
        case errc::end_of_stream:
            return "the peer finished sending too early";
        case errc::stopped:
            return "the scheduler has been stopped";
        case errc::worker_unavailable:
            return "no worker thread could be created";
        case errc::would_deadlock:
            return "waiting here would never end";
        case errc::already_started:
            return "the scheduler has been started before";
        case errc::closed:
            return "the channel has been closed";
        case errc::sq_thread_dead:
            return "the submission thread has died";
        case errc::wrong_thread:
            return "this may be called on the scheduler's own thread only";
        case errc::kernel_workers_disabled:
            return "the kernel may not create worker threads (RLIMIT_NPROC is 0)";
        }
        return "unknown coronet error " + std::to_string(value);
    }
};

} // namespace

const std::error_category& coronet_category() noexcept {
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc error) noexcept {
    return {static_cast<int>(error), coronet_category()};
}

std::error_code error_of_result(int negative_result) noexcept {
    if (negative_result == operation::no_worker) return errc::worker_unavailable;
    if (negative_result == operation::no_submission_thread) return errc::sq_thread_dead;
    if (negative_result == operation::no_workers_allowed) return errc::kernel_workers_disabled;
    if (negative_result == operation::left_to_parent) return errc::stopped;
    return {-negative_result, std::generic_category()};
}

std::error_code worker_unavailable_for(int creation_errno) noexcept {
    const int number = static_cast<int>(errc::worker_unavailable);
    return {number | creation_errno << reason_shift, coronet_category()};
}

int creation_errno(const std::error_code& error) noexcept {
    return error == errc::worker_unavailable ? error.value() >> reason_shift : 0;
}

bool operator==(const std::error_code& error, errc wanted) noexcept {
    return error.category() == coronet_category() &&
           own_number(error.value()) == static_cast<int>(wanted);
}

} // namespace coronet
