// SPDX-License-Identifier: BSL-1.0
//
// A doubly linked list through its elements: no allocation, an element unlinks itself in constant
// time. For data of one thread. An element is in at most one list of a kind (Tag) and has left it
// when it is destroyed.
#pragma once

#include <coronet/detail/assert.hpp>

namespace coronet::detail {

/// Whether the element itself checks that it is in no list when it enters one or is destroyed.
template <class Tag>
inline constexpr bool leaving_is_checked_by_element = false;

template <class Tag>
class list_hook {
public:
    list_hook() noexcept = default;
    list_hook(const list_hook&) noexcept {} // the copy is in no list
    list_hook& operator=(const list_hook&) noexcept { return *this; }
    ~list_hook() {
        if constexpr (!leaving_is_checked_by_element<Tag>) CORONET_ASSERT(!linked());
    }

    [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
    void unlink() noexcept {
        CORONET_ASSERT(linked());
        previous_->next_ = next_;
        next_->previous_ = previous_;
        next_ = nullptr;
    }

private:
    template <class, class>
    friend class intrusive_list;
    list_hook* previous_; // means something while it is linked
    list_hook* next_ = nullptr;
};

/// Tag tells one list of an element from another; T derives from list_hook<Tag>.
template <class T, class Tag = T>
class intrusive_list {
    using hook = list_hook<Tag>;

public:
    intrusive_list() noexcept { head_.previous_ = head_.next_ = &head_; }
    intrusive_list(const intrusive_list&) = delete;
    intrusive_list& operator=(const intrusive_list&) = delete;
    ~intrusive_list() {
        CORONET_ASSERT(empty());
        head_.next_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T* front() noexcept { return at(head_.next_); }
    [[nodiscard]] const T* front() const noexcept { return at(head_.next_); }
    /// The element after `element`, or null at the end.
    [[nodiscard]] T* after(T& element) noexcept { return at(static_cast<hook&>(element).next_); }
    [[nodiscard]] const T* after(const T& element) const noexcept {
        return at(static_cast<const hook&>(element).next_);
    }

    void push_back(T& element) noexcept {
        hook& added = element;
        require_unlinked(added);
        CORONET_ASSERT(!added.linked());
        added.previous_ = head_.previous_;
        added.next_ = &head_;
        head_.previous_->next_ = &added;
        head_.previous_ = &added;
    }
    void push_front(T& element) noexcept {
        hook& added = element;
        require_unlinked(added);
        CORONET_ASSERT(!added.linked());
        added.previous_ = &head_;
        added.next_ = head_.next_;
        head_.next_->previous_ = &added;
        head_.next_ = &added;
    }
    void erase(T& element) noexcept { unlink(element); }
    /// Out of whichever list of this kind it is in.
    static void unlink(T& element) noexcept { static_cast<hook&>(element).unlink(); }
    /// All that `other` has come to this one, which is empty.
    void take_all(intrusive_list& other) noexcept {
        CORONET_ASSERT(empty());
        if (other.empty()) return;
        head_.next_ = other.head_.next_;
        head_.previous_ = other.head_.previous_;
        head_.next_->previous_ = head_.previous_->next_ = &head_;
        other.head_.next_ = other.head_.previous_ = &other.head_;
    }
    T* pop_front() noexcept {
        T* first = front();
        if (first) erase(*first);
        return first;
    }

private:
    static void require_unlinked([[maybe_unused]] const hook& added) noexcept {
        if constexpr (!leaving_is_checked_by_element<Tag>) CORONET_ASSERT(!added.linked());
    }
    T* at(hook* node) const noexcept { return node == &head_ ? nullptr : static_cast<T*>(node); }
    hook head_;
};

} // namespace coronet::detail
