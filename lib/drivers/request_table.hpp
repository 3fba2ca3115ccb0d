// SPDX-License-Identifier: BSL-1.0
//
// Entries that could not be executed at once, each with how far it has come. They are made in
// blocks and used again, and found by the id (user_data) that a cancel request names: a chained
// table, whose links are in the requests. Owner thread only.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace coronet {

/// What an entry has come to so far.
struct progress {
    std::uint32_t done = 0; // bytes
    bool begun = false;     // a connect is under way
};

struct request {
    /// Where it waits.
    enum class place : std::uint8_t { nowhere, readers, writers, watchers };

    progress so_far;
    place where = place::nowhere;
    request* previous = nullptr; // in the queue of its descriptor
    request* next = nullptr;     // there, or in the list of free ones
    request* next_in_bucket = nullptr;
    void* job = nullptr;           // of worker_jobs
    io_uring_sqe* entry = nullptr; // in the block's own array: it may not be a member (flexible)
};

class request_table {
public:
    request_table();

    /// A copy of `entry`, to be found by its id. Null without memory.
    [[nodiscard]] request* add(const io_uring_sqe& entry, const progress& so_far) noexcept;
    void remove(request& ended) noexcept;
    [[nodiscard]] request* find(std::uint64_t id) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    [[nodiscard]] request*& bucket_of(std::uint64_t id) noexcept;
    void grow();

    struct block {
        explicit block(std::size_t count);
        std::unique_ptr<io_uring_sqe[]> entries;
        std::unique_ptr<request[]> requests;
    };
    std::vector<block> blocks_;
    std::vector<request*> buckets_; // as many as there are requests: a power of two
    request* free_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace coronet
