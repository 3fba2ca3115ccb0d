// SPDX-License-Identifier: BSL-1.0
//
// Waiting until a pool has nothing to do, or has ended. All of it on the owner thread.
#pragma once

#include <coronet/detail/intrusive_list.hpp>
#include <coronet/result.hpp>
#include <coronet/work.hpp>
#include <coronet/worker_pool.hpp>

#include <string_view>
#include <system_error>

namespace coronet::detail {

class pool_wait : public pending_work, public list_hook<pool_wait> {
public:
    enum class until : std::uint8_t { idle, ended };

    void cancel() noexcept override;
    [[nodiscard]] std::string_view name() const noexcept override {
        return wanted_ == until::idle ? "drain of a pool" : "shutdown of a pool";
    }

protected:
    pool_wait(worker_pool& pool, until wanted) noexcept : pool_(&pool), wanted_(wanted) {}
    pool_wait(const pool_wait&) noexcept = default;
    pool_wait& operator=(const pool_wait&) = delete;
    ~pool_wait() = default;

    /// False: the answer is there, and run() will not be called.
    [[nodiscard]] bool begin() noexcept;
    void refuse(std::error_code why) noexcept { error_ = why; }
    [[nodiscard]] result<void> answer() const noexcept;

private:
    friend class coronet::worker_pool;

    worker_pool* pool_;
    std::error_code error_;
    until wanted_;
};

} // namespace coronet::detail
