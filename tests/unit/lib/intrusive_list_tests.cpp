// SPDX-License-Identifier: BSL-1.0
//
// Elements come out in the order they went in, and leave from anywhere.
#include <coronet/detail/intrusive_list.hpp>

#include <gtest/gtest.h>

#include <list>
#include <random>
#include <vector>

namespace intrusive_list_tests {
namespace {

using coronet::detail::intrusive_list;
using coronet::detail::list_hook;

struct other_list;
struct element : list_hook<element>, list_hook<other_list> {
    explicit element(int n = 0) : number(n) {}
    int number;
    [[nodiscard]] bool listed() const { return list_hook<element>::linked(); }
};
using element_list = intrusive_list<element>;

std::vector<int> numbers_in(element_list& list) {
    std::vector<int> numbers;
    for (element* each = list.front(); each; each = list.after(*each))
        numbers.push_back(each->number);
    return numbers;
}

TEST(intrusive_list, is_empty_at_first) {
    element_list list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.pop_front(), nullptr);
}

TEST(intrusive_list, keeps_the_order_of_insertion) {
    element a{1}, b{2}, c{3};
    element_list list;
    for (element* each : {&a, &b, &c})
        list.push_back(*each);
    EXPECT_EQ(numbers_in(list), (std::vector{1, 2, 3}));
    EXPECT_EQ(list.pop_front(), &a);
    EXPECT_EQ(list.pop_front(), &b);
    EXPECT_EQ(list.pop_front(), &c);
    EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, lets_go_of_first_middle_and_last) {
    element a{1}, b{2}, c{3}, d{4};
    element_list list;
    for (element* each : {&a, &b, &c, &d})
        list.push_back(*each);
    list.erase(b);
    EXPECT_EQ(numbers_in(list), (std::vector{1, 3, 4}));
    list.erase(a);
    EXPECT_EQ(numbers_in(list), (std::vector{3, 4}));
    list.erase(d);
    EXPECT_EQ(numbers_in(list), (std::vector{3}));
    EXPECT_FALSE(a.listed() || b.listed() || d.listed());
    list.erase(c);
    EXPECT_TRUE(list.empty());
}

TEST(intrusive_list, an_element_is_in_lists_of_two_kinds_at_once) {
    element a{1};
    element_list list;
    intrusive_list<element, other_list> other;
    list.push_back(a);
    other.push_back(a);
    list.erase(a);
    EXPECT_EQ(other.front(), &a);
    other.erase(a);
}

TEST(intrusive_list, agrees_with_a_list_of_the_standard_library) {
    constexpr int count = 50;
    std::vector<element> elements;
    for (int n = 0; n < count; ++n)
        elements.emplace_back(n);
    element_list list;
    std::list<int> reference;
    std::minstd_rand random{7};
    for (int round = 0; round < 20'000; ++round) {
        element& chosen = elements[random() % count];
        if (chosen.listed()) {
            list.erase(chosen);
            reference.remove(chosen.number);
        } else {
            list.push_back(chosen);
            reference.push_back(chosen.number);
        }
        if (round % 97 != 0) continue;
        ASSERT_EQ(numbers_in(list), std::vector<int>(reference.begin(), reference.end()));
    }
    while (list.pop_front()) {
    }
}

TEST(intrusive_list, aborts_when_an_element_is_destroyed_inside) {
    EXPECT_DEATH(
        {
            element_list list;
            element inside{1};
            list.push_back(inside);
        },
        "assertion failed: !linked"
    );
}

TEST(intrusive_list, aborts_when_it_is_destroyed_with_elements) {
    element inside{1};
    EXPECT_DEATH(
        {
            element_list list;
            list.push_back(inside);
        },
        "assertion failed: empty"
    );
}

TEST(intrusive_list, aborts_when_an_element_is_added_twice) {
    element a{1};
    element_list list;
    list.push_back(a);
    EXPECT_DEATH(list.push_back(a), "assertion failed: !added.linked");
    list.erase(a);
}

} // namespace
} // namespace intrusive_list_tests
