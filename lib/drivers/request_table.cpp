// SPDX-License-Identifier: BSL-1.0
#include "request_table.hpp"

#include <coronet/detail/assert.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace coronet {

namespace {
constexpr std::size_t first_count = 64;
} // namespace

request_table::request_table() {
    grow();
}

request* request_table::add(const io_uring_sqe& entry, const progress& so_far) noexcept {
    if (!free_) [[unlikely]] {
        try {
            grow();
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    request* const taken = std::exchange(free_, free_->next);
    *taken->entry = entry;
    taken->so_far = so_far;
    taken->next = nullptr;
    request*& bucket = bucket_of(entry.user_data);
    taken->next_in_bucket = std::exchange(bucket, taken);
    ++size_;
    return taken;
}

void request_table::remove(request& ended) noexcept {
    CORONET_ASSERT(ended.where == request::place::nowhere);
    request** link = &bucket_of(ended.entry->user_data);
    while (*link != &ended)
        link = &(*link)->next_in_bucket;
    *link = ended.next_in_bucket;
    ended.next = std::exchange(free_, &ended);
    --size_;
}

request* request_table::find(std::uint64_t id) noexcept {
    for (request* each = bucket_of(id); each; each = each->next_in_bucket)
        if (each->entry->user_data == id) return each;
    return nullptr;
}

/// An id is an address, mostly, and those of frames are 16 bytes apart at least; the generation in
/// the bits above tells operations of one frame apart.
request*& request_table::bucket_of(std::uint64_t id) noexcept {
    const std::uint64_t mixed = (id >> 4) * 0x9e3779b97f4a7c15U;
    return buckets_[static_cast<std::size_t>(mixed >> 32) & (buckets_.size() - 1)];
}

request_table::block::block(std::size_t count)
    : entries(std::make_unique<io_uring_sqe[]>(count)),
      requests(std::make_unique<request[]>(count)) {
    for (std::size_t i = 0; i < count; ++i)
        requests[i].entry = &entries[i];
}

/// As many again; those in use find their new buckets.
void request_table::grow() {
    const std::size_t more = std::max(first_count, buckets_.size());
    std::vector<request*> old(buckets_.size() + more);
    blocks_.reserve(blocks_.size() + 1);
    block added{more};

    old.swap(buckets_);
    for (request* each : old)
        while (each) {
            request* const moved = std::exchange(each, each->next_in_bucket);
            request*& bucket = bucket_of(moved->entry->user_data);
            moved->next_in_bucket = std::exchange(bucket, moved);
        }
    for (std::size_t i = more; i-- > 0;)
        added.requests[i].next = std::exchange(free_, &added.requests[i]);
    blocks_.push_back(std::move(added));
}

} // namespace coronet
