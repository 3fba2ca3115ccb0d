// SPDX-License-Identifier: BSL-1.0
#include "submission_thread.hpp"

#include <coronet/clock.hpp>

#include <fstream>
#include <optional>
#include <string>
#include <thread>

namespace coronet {

namespace {

using namespace std::chrono_literals;

/// What /proc says: the kernel leaves the line out while somebody else uses the ring. The id is the
/// machine's, also in a container, where it names nobody or somebody else.
std::optional<int> noted_thread_of(int ring_fd) {
    std::ifstream info{"/proc/self/fdinfo/" + std::to_string(ring_fd)};
    for (std::string word; info >> word;) {
        int id = -1;
        if (word == "SqThread:" && info >> id && id > 0) return id;
    }
    return std::nullopt;
}

/// Until a submission thread runs, the id of its creator stands there.
bool submits(int thread_id) {
    std::ifstream file{"/proc/" + std::to_string(thread_id) + "/comm"};
    std::string name;
    return std::getline(file, name) && name.starts_with("iou-sqp-");
}

/// Nothing while one of them may still change.
std::optional<bool> compared(std::optional<int> one, std::optional<int> other) {
    if (!one || !other) return std::nullopt;
    // Also when it is their creator's: what one process attaches to its own thread shares it.
    if (*one == *other) return true;
    if (submits(*one) && submits(*other)) return false;
    return std::nullopt;
}

} // namespace

bool share_submission_thread(int ring_fd, int other_ring_fd) {
    const time_point deadline = clock::now() + 1s;
    do {
        const auto known = compared(noted_thread_of(ring_fd), noted_thread_of(other_ring_fd));
        if (known) return *known;
        std::this_thread::sleep_for(100us);
    } while (clock::now() < deadline);
    return false;
}

} // namespace coronet
