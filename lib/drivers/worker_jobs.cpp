// SPDX-License-Identifier: BSL-1.0
#include "worker_jobs.hpp"

#include <coronet/interruptible.hpp>
#include <coronet/operation.hpp>
#include <coronet/pool_item.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/worker_pool.hpp>

#include <cerrno>
#include <exception>
#include <new>
#include <utility>

namespace coronet {

namespace {

/// What ends by itself needs fewer threads than what may wait for somebody else.
pool_account account_for(const io_uring_sqe& entry) noexcept {
    switch (entry.opcode) {
    case IORING_OP_READ:
    case IORING_OP_WRITE:
    case IORING_OP_READV:
    case IORING_OP_WRITEV:
        return plain_call::is_file(entry.fd) ? pool_account::bounded : pool_account::unbounded;
    case IORING_OP_OPENAT:  // of a FIFO
    case IORING_OP_CONNECT: // to a full port
    case IORING_OP_SPLICE:
    case IORING_OP_TEE:
    case IORING_OP_CLOSE:
        return pool_account::unbounded;
    default:
        return pool_account::bounded;
    }
}

} // namespace

class worker_jobs::job final : public pool_item {
public:
    explicit job(worker_jobs& owner) noexcept : owner_(owner) {}

    void begin(worker_pool& pool, scheduler& home, request& what) noexcept {
        what_ = &what;
        pool.submit(*this, home, account_for(*what.entry));
    }
    void execute() noexcept override {
        const io_uring_sqe& entry = *what_->entry;
        if (entry.opcode == IORING_OP_CLOSE) // has closed, also when it was interrupted
            res_ = plain_call::perform(entry, what_->so_far);
        else
            interruptible([&] { perform_until_done(entry); });
    }
    void complete() noexcept override { owner_.ended(*this, result()); }

    request* what_ = nullptr;
    job* next_free_ = nullptr;

private:
    void perform_until_done(const io_uring_sqe& entry) noexcept {
        do
            res_ = plain_call::perform(entry, what_->so_far);
        while (res_ == -EINTR && !stop_token().stop_requested());
    }
    [[nodiscard]] std::int32_t result() const noexcept {
        switch (ended()) {
        case outcome::executed:
            return res_;
        case outcome::unavailable:
        case outcome::stopped:
            return operation::no_worker;
        default:
            return plain_call::given_up(what_->so_far, -ECANCELED);
        }
    }

    worker_jobs& owner_;
    std::int32_t res_ = 0;
};

worker_jobs::worker_jobs(std::vector<completion>& ended) noexcept : ended_(ended) {}
worker_jobs::~worker_jobs() = default;

void worker_jobs::begin(
    scheduler& home, const io_uring_sqe& entry, const progress& so_far
) noexcept {
    std::int32_t refusal = -ENOMEM;
    job* const taken = take();
    request* const kept = taken ? requests_.add(entry, so_far) : nullptr;
    if (kept) {
        kept->job = taken;
        try {
            return taken->begin(home.pool(), home, *kept);
        } catch (const std::exception&) { // there can be no pool here
            refusal = operation::no_worker;
        }
        requests_.remove(*kept);
    }
    if (taken) taken->next_free_ = std::exchange(free_, taken);
    ended_.push_back({entry.user_data, plain_call::given_up(so_far, refusal), 0});
}

bool worker_jobs::cancel(std::uint64_t id) noexcept {
    request* const asked = requests_.find(id);
    if (asked) static_cast<job*>(asked->job)->cancel();
    return asked != nullptr;
}

worker_jobs::job* worker_jobs::take() noexcept {
    if (free_) return std::exchange(free_, free_->next_free_);
    try {
        return jobs_.emplace_back(std::make_unique<job>(*this)).get();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

void worker_jobs::ended(job& over, std::int32_t res) noexcept {
    request& what = *std::exchange(over.what_, nullptr);
    ended_.push_back({what.entry->user_data, res, 0});
    requests_.remove(what);
    over.next_free_ = std::exchange(free_, &over);
}

} // namespace coronet
