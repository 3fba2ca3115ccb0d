// SPDX-License-Identifier: BSL-1.0
//
// Threads where the system will not give any: pthread_create(3) answers what a list says, or what a
// function says. (A thread of a test is created by it, too.)
#pragma once

#include "scripted_answers.hpp"

#include <atomic>

namespace coronet::test {

extern scripted_answers creation;
/// Asked after the list, if there is one: another answer, or 0.
extern std::atomic<int (*)()> creation_judge;
/// Calls during which a signal could have come.
extern std::atomic<int> unblocked_creations;

/// Whether this thread does not block `signal`.
[[nodiscard]] bool takes(int signal);

} // namespace coronet::test
